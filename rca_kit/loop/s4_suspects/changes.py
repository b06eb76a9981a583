"""The change log as evidence: nearness in time, scope, component, and what the entry says of itself."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rca_kit.case.names import tokens
from rca_kit.findings.investigation import ChangeRecord
from rca_kit.findings.scope import Segment
from rca_kit.loop.s4_suspects.topics import about_nothing

TOLD = ("upstream_notice", "schema_change", "campaign", "calendar", "other")  # kinds that somebody writes down who hears of them


@dataclass(frozen=True)
class Spread:
    """How guilty changes lie around the onset they cause: parts that sum to 1, and their means in minutes.

    Most act at once; some act when a cache runs out or a job comes round; some are written down afterwards. Changes of our own
    systems are recorded as they are made, notices of others come when others notice.
    """

    at_once: float
    lagged: float
    late: float
    late_mean: float
    anytime: float = 0.06


RECORDED = Spread(0.64, 0.20, 0.10, 70.0)
NOTICED = Spread(0.30, 0.20, 0.44, 220.0)
AT_ONCE_MEAN, LAG_MEAN, ANYTIME_SPAN = 10.0, 120.0, 48 * 60.0  # minutes
NAME_LEAST = 3  # letters that a value needs to be told from a word that stands there for another reason
PLURAL_LEAST = 3  # letters a word must exceed for its last s to be the plural's: bus, gas
TIME_RANGE = (-4.0, 5.0)  # log likelihood ratio: beyond this, times written by hand prove nothing more

WORDS: dict[str, tuple[str, ...]] = {
    "data": (
        "pipeline",
        "backfill",
        "job",
        "etl",
        "airflow",
        "dag",
        "batch",
        "snapshot",
        "label",
        "annotation",
        "import",
        "ingest",
    ),
    "model": ("model", "retrain", "weights", "checkpoint", "calibrat", "champion", "challenger", "scorer version"),
    "code": (
        "refactor",
        "library",
        "upgrade",
        "normali",
        "encod",
        "parser",
        "preprocess",
        "unit",
        "serializ",
        "tokeni",
        "client",
        "sdk",
        "hotfix",
        "release",
        "rewrite",
        "default",
    ),
    "infra": (
        "node",
        "instance",
        "autoscal",
        "replica",
        "kubernetes",
        "cluster",
        "zone",
        "memory",
        "cpu",
        "gpu",
        "host",
        "pool",
        "network",
        "disk",
        "capacity",
        "migration",
    ),
    "config": (
        "threshold",
        "flag",
        "toggle",
        "config",
        "timeout",
        "deadline",
        "quota",
        "refresh",
        "ttl",
        "key",
        "routing",
        "bucket",
        "experiment",
        "percent",
        "ramp",
        "limit",
        "cut-off",
        "cutoff",
        "namespace",
        "allocation",
    ),
    "upstream": ("vendor", "partner", "provider", "third", "api", "schema", "feed", "supplier", "notice", "source", "contract"),
    "external": (
        "campaign",
        "holiday",
        "sale",
        "promotion",
        "season",
        "marketing",
        "launch",
        "event",
        "weekend",
        "festival",
        "tv",
        "market",
        "daylight",
    ),
}

@dataclass(frozen=True)
class Fit:
    """How one change fits the symptom.

    Log likelihood ratio of its time, its scope (match, clash, silent), words by category, and how surely it says of itself that
    it touched nothing that serves.
    """

    change: ChangeRecord
    time: float
    minutes: float
    scope: str
    words: dict[str, float]
    aside: float = 0.0
    names_value: bool = False  # it tells of no scope, and its words name a value of the affected segment


def time_ratio(when: datetime, onset: tuple[datetime, datetime], span_minutes: float, kind: str = "") -> tuple[float, float]:
    """Log of how much likelier a guilty change lies there than an innocent one, and minutes from change to onset.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> t = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
    >>> ratio, minutes = time_ratio(t, (t, t), 7 * 24 * 60)
    >>> ratio > 4, minutes
    (True, 0.0)
    """
    low, high = ((t - when).total_seconds() / 60 for t in onset)
    gap = low if low > 0 else (high if high < 0 else 0.0)
    width = max(high - low, 1.0)
    s = NOTICED if kind in TOLD else RECORDED
    at_once = s.at_once * math.exp(-abs(gap) / AT_ONCE_MEAN) / (2 * AT_ONCE_MEAN + width)
    lagged = s.lagged * math.exp(-gap / LAG_MEAN) / (LAG_MEAN + width) if gap >= 0 else 0.0
    late = s.late * math.exp(gap / s.late_mean) / (s.late_mean + width) if gap <= 0 else 0.0
    anytime = s.anytime / (2 * ANYTIME_SPAN) if abs(gap) <= ANYTIME_SPAN else 1e-9
    ratio = math.log((at_once + lagged + late + anytime) * max(span_minutes, 60.0))
    return min(max(ratio, TIME_RANGE[0]), TIME_RANGE[1]), gap


def parse_scope(text: str) -> dict[str, set[str]]:
    """Read `country=DE;device=android|ios` as values by column.

    Examples
    --------
    >>> parse_scope("country=DE; device=android")
    {'country': {'DE'}, 'device': {'android'}}
    """
    out: dict[str, set[str]] = {}
    for part in re.split(r"[;&]| and ", text or ""):
        name, sign, values = part.partition("=")
        if sign and name.strip():
            out[name.strip()] = {v.strip() for v in re.split(r"[|,]", values) if v.strip()}
    return out


def scope_fit(scope: str, segments: tuple[Segment, ...]) -> str:
    """Say match when the change names an affected segment, clash when it names another one, silent when it names none."""
    named = parse_scope(scope)
    if not named:
        return "silent"
    if not segments:
        return "narrow"
    for s in segments:
        for column, values in named.items():
            condition = s.where.get(column)
            if condition is not None and not isinstance(condition, dict):
                have = {str(v) for v in condition} if isinstance(condition, (list, tuple)) else {str(condition)}
                return "match" if have & values else "clash"
    return "narrow"


def fits(
    changes: tuple[ChangeRecord, ...], onset: tuple[datetime, datetime], span_minutes: float, segments: tuple[Segment, ...]
) -> list[Fit]:
    """Judge every logged change against the onset and the scope."""
    out = []
    for c in changes:
        ratio, gap = time_ratio(c.time, onset, span_minutes, c.kind)
        text = f"{c.description} {c.component}".lower()
        words = {k: float(min(sum(w in text for w in ws), 2)) for k, ws in WORDS.items()}
        where, aside = scope_fit(c.scope, segments), about_nothing(c.component, c.description)
        out.append(Fit(c, ratio, gap, where, words, aside, where == "silent" and names_value(c.description, segments)))
    return out


def names_value(text: str, segments: tuple[Segment, ...]) -> bool:
    """Whether a text names a value of an affected segment, as in "go-live Ruritania" where requests from there are.

    Examples
    --------
    >>> here = (Segment({"state": "Ruritania"}, 0.2, 0.8, 0.6, 1.0),)
    >>> names_value("Go-live Ruritania", here), names_value("loyalty voucher", here)
    (True, False)
    """
    said = _phrase(text)
    for s in segments:
        for condition in s.where.values():
            values = condition if isinstance(condition, (list, tuple)) else () if isinstance(condition, dict) else (condition,)
            if any(sum(map(str.isalpha, str(v))) >= NAME_LEAST and _phrase(str(v)) in said for v in values):
                return True
    return False


PLAIN = frozenset({"feature", "features", "feat", "ft", "field", "col", "column", "input", "raw"})  # what only says: column


def mentions(change: ChangeRecord, subject: str, related: Any = ()) -> bool:
    """Whether the entry names the subject (a column, version, stage or component) or something related to it.

    Words are compared without accents, case and the plural's s; those that only say that a column is one need not be there.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> c = ChangeRecord("c1", datetime(2026, 1, 1, tzinfo=UTC), "config_change", "feature-store", "new keys for device_types")
    >>> mentions(c, "feature:feat_device_type"), mentions(c, "feature:amount")
    (True, False)
    """
    text = _phrase(f"{change.component} {change.description} {change.version_to}")
    return any(_phrase(str(n), PLAIN) in text for n in (subject.partition(":")[2], *related) if len(str(n)) >= 2)


def without_name(text: str, subject: str) -> str:
    """A text without the name of a subject, however its words are joined.

    Examples
    --------
    >>> without_name("calibration of the Handover rate probes", "feature:handover_rate")
    'calibration of the  probes'
    """
    words = tokens(subject.partition(":")[2])
    pattern = r"[\W_]+".join(map(re.escape, words))
    return re.sub(rf"(?<!\w){pattern}(?!\w)", "", text, flags=re.IGNORECASE) if words else text


def _phrase(text: str, without: frozenset[str] = frozenset()) -> str:
    words = tokens(text)
    kept = [w for w in words if w not in without] or words
    return f" {' '.join(w[:-1] if len(w) > PLURAL_LEAST and w.endswith('s') else w for w in kept)} "
