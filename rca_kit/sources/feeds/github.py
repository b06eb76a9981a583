"""GitHub deployments, as the REST API lists them or webhooks send them, as changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rca_kit.case.changes import Change
from rca_kit.errors import BadInput
from rca_kit.sources.feeds.text import Feed, kind_of_words, mapping, objects, plain, read_json, web_link, when

FAILED = ("failure", "error")


def read(place: str, *, since: datetime | None, until: datetime | None, component: str) -> Feed:
    """Read a file of `GET /repos/OWNER/REPO/deployments` (pages and JSON lines too), or of deployment webhooks.

    Raises
    ------
    BadInput
        When it is no JSON, or holds no deployment.
    """
    del since, until
    path = Path(place).expanduser()
    rows = objects(read_json(path), "deployments", "items")
    found: dict[str, Change] = {}
    skipped = strange = 0
    for row in rows:
        deployment = mapping(row.get("deployment")) or row
        status = mapping(row.get("deployment_status"))
        change = _change(deployment, status, mapping(row.get("repository")), component)
        if change is None:
            strange += 1
        elif deployment.get("transient_environment") is True and deployment.get("production_environment") is not True:
            skipped += 1
        else:
            kept = found.get(change.id)
            # several messages tell of one deployment: the last one says how it ended, and when it went live
            found[change.id] = change if kept is None or change.time >= kept.time else kept
    if rows and not found and not skipped:
        raise BadInput("holds no deployments", file=path.name, found="objects with " + ", ".join(list(map(str, rows[0]))[:8]),
                       expected="the answer of GET /repos/OWNER/REPO/deployments, with id, sha, environment and created_at")
    notes = [f"{path.name}: {n} {words}" for n, words in ((skipped, "deployments to preview environments are left out"),
             (strange, "entries are no deployments and are left out")) if n]
    return Feed(tuple(found.values()), tuple(notes))


def _change(deployment: Mapping[str, Any], status: Mapping[str, Any], repository: Mapping[str, Any],
            component: str) -> Change | None:
    ident = deployment.get("id")
    made = when(deployment.get("created_at"))
    if ident is None or made is None or not (deployment.get("sha") or deployment.get("ref")):
        return None
    state = plain(status.get("state"), 40)
    live = when(status.get("created_at")) if state else None
    where = plain(deployment.get("environment"), 80)
    task = plain(deployment.get("task"), 80)
    ref = plain(deployment.get("ref"), 80)
    said = plain(deployment.get("description"))
    words = [f"deploy {ref or plain(deployment.get('sha'))[:12]}", f"to {where}" if where else "",
             f"({task})" if task and task != "deploy" else "", f"{state}" if state in FAILED else ""]
    line = " ".join(w for w in words if w) + (f": {said}" if said else "")
    return Change(
        id=f"github-{plain(ident, 40)}", time=live or made, kind=kind_of_words(f"{task} {where}"),
        component=component or _repository(deployment, repository) or "github", description=plain(line),
        version_to=ref if ref.lower().startswith("v") and ref[1:2].isdigit() else plain(deployment.get("sha"))[:12],
        link=web_link(status.get("log_url") or status.get("target_url")),
    )


def _repository(deployment: Mapping[str, Any], repository: Mapping[str, Any]) -> str:
    """Give the repository's name from the webhook, or out of an address like .../repos/OWNER/REPO/deployments/1."""
    if repository.get("name"):
        return plain(repository["name"], 80)
    parts = str(deployment.get("repository_url") or deployment.get("url") or "").split("/")
    return plain(parts[parts.index("repos") + 2], 80) if "repos" in parts and len(parts) > parts.index("repos") + 2 else ""
