"""Kubernetes events as changes: roll-outs, scaling, failing pods, nodes and jobs; the chatter of scheduling is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rca_kit.case.changes import Change
from rca_kit.errors import BadInput
from rca_kit.sources.feeds.text import Feed, mapping, objects, plain, read_json, when

ROLLOUT = timedelta(minutes=30)  # a replica set that goes while another comes within this time was replaced by it
QUIET = frozenset({"Scheduled", "Created", "Started", "SuccessfulCreate", "SuccessfulDelete", "Pulling", "Pulled", "Sync",
                   "SuccessfulAttachVolume", "LeaderElection", "SawCompletedJob", "Completed", "NoPods", "Provisioning"})
"""What a healthy cluster says all day."""
_KINDS = (
    ("data_pipeline", r"^(job|cronjob|workflow|sparkapplication|pipelinerun|taskrun)$"),
    ("config_change", r"^(configmap|secret|externalsecret|sealedsecret)$"),
    ("model_deploy", r"^(inferenceservice|seldondeployment|servingruntime|rayservice)$"),
    ("flag_change", r"^(featureflag|flagsourceconfiguration)$"),
    ("code_deploy", r"^(application|applicationset|kustomization|helmrelease|gitrepository|rollout|canary)$"),
)


@dataclass(frozen=True)
class Event:
    """One event, in the form that both APIs (core/v1 and events.k8s.io/v1) have in common."""

    uid: str
    time: datetime
    reason: str
    message: str
    kind: str
    name: str
    namespace: str
    count: int


def read(place: str, *, since: datetime | None, until: datetime | None, component: str) -> Feed:
    """Read a file of `kubectl get events -o json`, also `--watch`, of either API.

    Raises
    ------
    BadInput
        When it is no JSON, or holds no events.
    """
    path = Path(place).expanduser()
    rows = objects(read_json(path), "items")
    rows = [mapping(r.get("object")) or r for r in rows]  # a watch wraps each one
    events = sorted({e.uid: e for r in rows if (e := _event(r))}.values(), key=lambda e: (e.time, e.uid))
    if rows and not events:
        raise BadInput("holds no events", file=path.name, found="objects with " + ", ".join(list(map(str, rows[0]))[:8]),
                       expected="the output of kubectl get events -A -o json")
    # grouped only among what is asked for: the first of a series must not hide it by lying before `since`
    inside = [e for e in events if (since is None or e.time >= since) and (until is None or e.time < until)]
    rollouts, rest = _rollouts(inside)
    changes = [*rollouts, *_grouped(rest)]
    notes = [f"{path.name}: {len(rows) - len(events)} entries are no events and are left out"] if len(rows) > len(events) else []
    return Feed(tuple(replace(c, component=component) if component else c for c in changes), tuple(notes))


def _event(row: Mapping[str, Any]) -> Event | None:
    about = mapping(row.get("involvedObject")) or mapping(row.get("regarding"))
    meta = mapping(row.get("metadata"))
    times = (row.get("firstTimestamp"), row.get("deprecatedFirstTimestamp"), row.get("eventTime"), meta.get("creationTimestamp"))
    time = next((t for v in times if (t := when(v))), None)
    if time is None or not about.get("name") or not row.get("reason"):
        return None
    series = mapping(row.get("series"))
    counted = row.get("count") or row.get("deprecatedCount") or series.get("count") or 1
    made_up = f"{plain(about['name'], 80)}-{plain(row['reason'], 60)}-{time:%Y%m%dT%H%M%S}"
    return Event(
        uid=plain(meta.get("uid"), 60) or made_up, time=time,
        reason=plain(row["reason"], 60), message=plain(row.get("message") or row.get("note")), kind=plain(about.get("kind"), 60),
        name=plain(about["name"], 120), namespace=plain(about.get("namespace"), 80),
        count=counted if isinstance(counted, int) else 1,
    )


def _rollouts(events: list[Event]) -> tuple[list[Change], list[Event]]:
    """Tell a new version from more of the same: one replica set comes while another goes."""
    scalings = [(e, m) for e in events if e.reason == "ScalingReplicaSet"
                and (m := re.search(r"Scaled (up|down) replica set (\S+)", e.message))]
    seen: dict[tuple[str, str, str], Change] = {}
    for e, found in scalings:
        way, new = found[1].lower(), found[2]
        if way == "down":
            continue
        replaced = any(o.name == e.name and o.namespace == e.namespace and m[1].lower() == "down" and m[2] != new
                       and abs(o.time - e.time) <= ROLLOUT for o, m in scalings)
        key = (e.namespace, e.name, new)
        if key in seen:
            continue
        if replaced:
            image = _image(events, new, e.time)
            seen[key] = Change(f"k8s-{e.uid}", e.time, "code_deploy", e.name,
                               plain(f"roll-out of {e.name}" + (f", image {image}" if image else f", replica set {new}")),
                               version_to=plain(image.rpartition(":")[2] if ":" in image.rpartition("/")[2] else "", 80))
        else:
            seen[key] = Change(f"k8s-{e.uid}", e.time, "infra_change", e.name, plain(f"{e.name} scaled: {e.message}"))
    return list(seen.values()), [e for e in events if e.reason != "ScalingReplicaSet"]


def _image(events: list[Event], replica_set: str, since: datetime) -> str:
    for e in events:
        if e.reason in ("Pulling", "Pulled") and e.name.startswith(replica_set + "-") and e.time >= since:
            found = re.search(r'image "([^"\s]+)"', e.message)
            if found:
                return found[1].split("@")[0]
    return ""


def _grouped(events: list[Event]) -> list[Change]:
    """Give one change per thing and reason: a pod that fails a hundred times failed once for a hundred times."""
    groups: dict[tuple[str, str, str], list[Event]] = {}
    for e in events:
        if e.reason not in QUIET:
            groups.setdefault((e.namespace, workload(e), e.reason), []).append(e)
    out = []
    for (_, thing, reason), those in groups.items():
        first, times = those[0], sum(e.count for e in those)
        kind = next((k for k, rule in _KINDS if re.search(rule, first.kind.lower())), "infra_change")
        counted = f" ({times} times)" if times > 1 else ""
        out.append(Change(f"k8s-{first.uid}", first.time, kind, thing, plain(f"{reason}{counted}: {first.message}")))
    return out


def workload(event: Event) -> str:
    """Name what a pod belongs to: its name without the parts that Kubernetes adds.

    Examples
    --------
    >>> from datetime import UTC
    >>> pod = Event("u", datetime(2026, 3, 2, tzinfo=UTC), "BackOff", "", "Pod", "fraud-api-7c9f8d6b5-x2x4z", "prod", 1)
    >>> workload(pod)
    'fraud-api'
    """
    name = event.name
    if event.kind == "Pod":
        # made by a deployment (hash, then five letters), a daemon set or job (five letters), a stateful set (a number)
        name = re.sub(r"(-[bcdf-hj-np-tv-z2-9]{6,10})?-[bcdf-hj-np-tv-z2-9]{5}$|-\d{1,4}$", "", name)
        name = re.sub(r"-\d{7,10}$", "", name)  # the scheduled time of a cron job
    elif event.kind == "ReplicaSet":
        name = re.sub(r"-[bcdf-hj-np-tv-z2-9]{6,10}$", "", name)
    elif event.kind == "Job":
        name = re.sub(r"-\d{7,10}$", "", name)
    return name
