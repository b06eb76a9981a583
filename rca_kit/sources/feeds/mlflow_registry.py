"""Model versions of an MLflow registry, as changes: each when it was registered, and when its stage moved."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rca_kit.case.changes import Change
from rca_kit.errors import BadInput, MissingExtra
from rca_kit.sources.feeds.text import Feed, plain

PAGE = 1000
MOVED_LATER = timedelta(seconds=60)  # registering itself writes a version more than once
LIVE = ("production", "champion", "live", "prod", "serving")


def read(uri: str, *, since: datetime | None, until: datetime | None, component: str) -> Feed:
    """Read the versions of every registered model of a tracking server or store.

    Raises
    ------
    BadInput
        When the registry cannot be read.
    MissingExtra
        When MLflow is not installed.
    """
    del since, until
    _check_there(uri)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing leaves the machine
    try:
        from mlflow import MlflowClient
    except ImportError:
        raise MissingExtra.of("mlflow", "mlflow-skinny") from None
    place = f"mlflow {_shown(uri)}"
    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        found = list(_versions(client))
        aliases = {m.name: _aliases(m) for m in _models(client)}
    except Exception as error:
        said = plain(str(error) or type(error).__name__).replace(uri, _shown(uri))
        raise BadInput("the registry cannot be read", file=place, found=_shown(said),
                       expected="an MLflow tracking URI, such as sqlite:///mlflow.db or https://mlflow.example.org") from None
    if not found:
        return Feed((), (f"{place}: no model is registered there",))
    by_model: dict[str, list[Any]] = {}
    for version in found:
        by_model.setdefault(version.name, []).append(version)
    return Feed(tuple(change for name, versions in sorted(by_model.items())
                      for change in _changes(name, versions, aliases.get(name, {}), component)))


def _check_there(uri: str) -> None:
    """Refuse a local store that is not there: MLflow would make an empty one."""
    parts = urlsplit(uri)
    if parts.scheme == "sqlite":
        path = Path(uri.partition("sqlite:///")[2].partition("?")[0])
    elif parts.scheme in ("", "file"):
        path = Path(unquote(parts.path))
    else:
        return
    if not path.exists():
        raise BadInput("there is no such store", file=str(path), expected="an MLflow tracking URI, such as sqlite:///mlflow.db")


def _changes(name: str, versions: list[Any], aliases: dict[str, list[str]], component: str) -> Iterator[Change]:
    versions = sorted(versions, key=lambda v: (v.creation_timestamp or 0, int(v.version) if str(v.version).isdigit() else 0))
    before = ""
    for v in versions:
        number = plain(v.version, 40)
        stage = plain(v.current_stage or "", 40)
        named = [plain(a, 40) for a in aliases.get(str(v.version), [])]
        tail = ("; stage " + stage if stage and stage != "None" else "") + ("; alias " + ", ".join(named) if named else "")
        said = plain(v.description or "")
        made, moved = _time(v.creation_timestamp), _time(v.last_updated_timestamp)
        if made is not None:
            yield Change(id=f"mlflow-{name}-{number}", time=made, kind="model_deploy", component=component or plain(name, 80),
                         description=plain(f"{name} version {number} registered{tail}" + (f": {said}" if said else "")),
                         version_from=before, version_to=number)
        if moved and made and moved - made > MOVED_LATER and stage not in ("", "None"):
            live = stage.lower() in LIVE
            yield Change(id=f"mlflow-{name}-{number}-{stage.lower()}", time=moved, kind="model_deploy",
                         component=component or plain(name, 80), description=f"{name} version {number} moved to stage {stage}",
                         version_from=before if live else number, version_to=number if live else "")
        before = number


def _aliases(model: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for alias, version in sorted(dict(model.aliases or {}).items()):
        found.setdefault(str(version), []).append(str(alias))
    return found


def _versions(client: Any) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_model_versions(max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _models(client: Any) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_registered_models(max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _shown(text: str) -> str:
    """Give an address without user and password."""
    return re.sub(r"://[^/@\s]*@", "://", text)
