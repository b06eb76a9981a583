"""Begin a case: infer the roles of a request log and write incident.yaml for a person to check."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from rca_kit.case.alerts import Alert
from rca_kit.case.incident import FILE_NAME, Case, validate_incident
from rca_kit.case.roles import SINGLE_ROLES
from rca_kit.errors import BadInput
from rca_kit.sources.open import OpenCase, open_incident

UNKNOWN_YET = datetime(2199, 1, 1, tzinfo=UTC)  # stands for detected_at until the log's end is known


@dataclass(frozen=True)
class NewCase:
    """What was written where, and the case as it opens."""

    path: Path
    text: str
    opened: OpenCase


def new_case(folder: Path, tables: Mapping[str, tuple[str, ...]], *, alert: Alert | None = None, ident: str | None = None,
             title: str | None = None, service: str | None = None, metric: str | None = None,
             detected_at: datetime | None = None) -> NewCase:
    """Write incident.yaml with inferred roles into a folder that has none yet.

    Parameters
    ----------
    folder : Path
        Made when missing.
    tables : mapping of str to tuple of str
        Table name (predictions, changes, service_metrics, golden, shadow) -> files, relative to the working directory.
    alert : Alert, optional
        Gives what the other arguments leave open.
    ident, title, service, metric, detected_at : optional
        As in incident.yaml; without an alert the id is the folder's name and the time is the log's last.

    Raises
    ------
    BadInput
        When the folder has an incident.yaml already, or the tables cannot be used; then nothing is written.
    """
    path = folder / FILE_NAME
    if path.exists():
        raise BadInput("is there already, and is not overwritten", file=str(path), hint="choose another folder, or edit the file")
    if folder.exists() and not folder.is_dir():
        raise BadInput("is not a folder", file=str(folder))
    known_at = detected_at or (alert.detected_at if alert else None)
    data: dict[str, Any] = {
        "id": ident or _safe_id((alert.id if alert else "") or folder.resolve().name),
        "title": title or (alert.title if alert else "") or f"Incident {folder.resolve().name}",
    }
    if named := service or (alert.service if alert else ""):
        data["service"] = named
    data["detected_at"] = known_at or UNKNOWN_YET
    data["signal"] = {"source": "alert", **_signal(alert, metric)}
    # opened by absolute paths, since a folder that is not there yet has no `..`; written by relative ones
    absolute = {name: [str(Path(p).resolve()) for p in paths] for name, paths in tables.items()}
    opened = open_incident(Case(folder, validate_incident({**data, "tables": absolute})))
    data["tables"] = {name: _relative(paths, folder) for name, paths in tables.items()}
    data["detected_at"] = known_at or opened.time_range[1].replace(microsecond=0)
    data["roles"] = opened.roles.to_dict()
    data["task"] = opened.task
    text = _text(data, opened, guessed_time=known_at is None)
    _write(path, text)
    return NewCase(path, text, opened)


def _signal(alert: Alert | None, metric: str | None) -> dict[str, str]:
    named = metric or (alert.metric if alert else None)
    return {**({"metric": named} if named else {}), **({"summary": alert.summary} if alert and alert.summary else {})}


def _safe_id(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "INC-1"


def _relative(paths: tuple[str, ...], folder: Path) -> str | list[str]:
    out = [os.path.relpath(Path(p).resolve(), folder.resolve()).replace(os.sep, "/") for p in paths]
    return out[0] if len(out) == 1 else out


def _text(data: dict[str, Any], opened: OpenCase, *, guessed_time: bool) -> str:
    head = {k: v for k, v in data.items() if k not in ("roles", "task", "detected_at")}
    stamp = data["detected_at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = ["# Written by `rca-kit new`. Please check what is inferred; `rca-kit check` shows it again.", ""]
    lines += _dump({k: head[k] for k in ("id", "title", "service") if k in head})
    lines += [f"detected_at: {stamp}" + ("  # taken from the end of the log: when did the alert fire?" if guessed_time else "")]
    lines += _dump({k: head[k] for k in ("signal", "tables") if k in head})
    if "metric" not in data["signal"]:
        lines.append("# signal.metric: which metric fired? (auc, error_rate, latency_p95, kpi:<column>, ...)")
    lines.append("roles:")
    for role, value in data["roles"].items():
        why = opened.roles.inferred.get(role)
        lines += [f"  # {_comment(why)}"] if why else []
        lines += ["  " + line for line in _dump({role: value})]
    declined = [r for r in SINGLE_ROLES if r not in data["roles"]]
    lines += [f"  # not found: {', '.join(declined)}"] if declined else []
    why = opened.roles.inferred.get("task")
    lines += [f"task: {data['task']}" + (f"  # {_comment(why)}" if why else "")]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return " ".join(text.split())[:240]


def _dump(value: Any) -> list[str]:
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=120)).rstrip("\n").split("\n")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:  # never over a file that came in between
            stream.write(text)
    except FileExistsError:
        raise BadInput("is there already, and is not overwritten", file=str(path)) from None
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", file=str(path)) from None
