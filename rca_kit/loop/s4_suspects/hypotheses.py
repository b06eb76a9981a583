"""Hypotheses: every subject with a clue, in every category it could be, with every change or none; each as named evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from rca_kit.findings.scope import Segment
from rca_kit.loop.s4_suspects.changes import Fit, mentions
from rca_kit.loop.s4_suspects.clue import Clue

# Which categories a signature can mean at all. How likely each is, is a weight.
CATEGORIES_OF: dict[str, tuple[str, ...]] = {
    "nulls": ("data", "upstream", "config", "code", "infra"),
    "default": ("data", "upstream", "config", "code", "infra"),
    "frozen": ("data", "upstream", "config", "code", "infra"),
    "stale": ("data", "config", "code", "upstream", "infra"),
    "range": ("data", "upstream", "code"),
    "unit": ("code", "upstream", "data"),
    "rescaled": ("code", "upstream", "data", "external"),
    "renamed": ("upstream", "code", "data"),
    "permuted": ("code", "upstream", "data"),
    "new_category": ("external", "upstream", "code", "data"),
    "clock": ("code", "upstream", "data"),
    "alone": ("data", "upstream", "code", "config"),
    "segment_lost": ("data", "infra", "upstream", "code"),
    "segment_surge": ("external",),
    "version": ("model", "code", "config"),
    "score_function": ("model", "code", "config"),
    "fallback": ("infra", "code", "config", "model"),
    "score_nulls": ("infra", "code", "model"),
    "threshold": ("config", "model"),
    "concept": ("external", "data", "upstream"),
    "slow": ("code", "infra", "upstream", "config"),
    "error:timeout": ("infra", "upstream", "code"),
    "error:memory": ("infra", "code"),
    "error:upstream": ("upstream", "infra"),
    "error:code": ("code", "upstream"),
    "error:other": ("infra", "code", "upstream"),
    "metric:cache": ("config", "infra", "code"),
    "metric:stale": ("data", "infra", "upstream"),
    "metric:restart": ("infra", "code"),
    "metric:memory": ("code", "infra"),
    "metric:saturation": ("infra", "code", "external"),
    "metric:timeout": ("infra", "upstream"),
    "metric:requests": ("external", "infra"),
    "metric:other": ("infra",),
    "surge": ("external",),
    "lost": ("data", "infra", "code", "upstream"),
    "duplicates": ("data", "code", "infra"),
    "mix": ("external", "config"),
    "drift": ("external", "data", "code", "upstream"),
    "labels_lost": ("data",),
    "labels_moved": ("data",),
    "label_rate": ("external", "data"),
    "injected": ("external",),
    "text_quality": ("model", "code", "external"),
    "truncated": ("code",),
    "text_length": ("external", "code"),
}
GROUP: dict[str, str] = {
    **dict.fromkeys(("nulls", "default", "frozen"), "missing"),
    "stale": "stale",
    "metric:stale": "stale",
    **dict.fromkeys(("range", "unit", "rescaled", "renamed", "permuted", "new_category", "clock", "alone"), "broken"),
    "segment_lost": "lost",
    "segment_surge": "surge",
    "version": "version",
    "score_function": "scorer",
    "fallback": "scorer",
    "score_nulls": "scorer",
    "threshold": "cut",
    "concept": "concept",
    "slow": "slow",
    **dict.fromkeys(("error:timeout", "error:memory", "error:upstream", "error:code", "error:other"), "errors"),
    "metric:cache": "cache",
    **dict.fromkeys(("metric:restart", "metric:memory", "metric:saturation", "metric:other"), "resources"),
    "metric:timeout": "timeouts",
    "metric:requests": "requests",
    "surge": "surge",
    "lost": "lost",
    "duplicates": "lost",
    "mix": "mix",
    "drift": "drift",
    "labels_lost": "labels",
    "labels_moved": "labels",
    "label_rate": "labels",
    "truncated": "text",
    "injected": "text",
    "text_quality": "text",
    "text_length": "text",
}
NEAR_FIRST = 3  # fine buckets by which a clue may precede the main onset and still count as first


@dataclass(frozen=True)
class Hypothesis:
    """A subject failing in one way, for a reason of one category, brought by a change or not. `x` is its evidence by name."""

    category: str
    subject: str
    fit: Fit | None
    clues: tuple[Clue, ...]
    x: dict[str, float] = field(default_factory=dict)

    @property
    def change_id(self) -> str | None:
        """The change's id, None when unlogged."""
        return self.fit.change.id if self.fit else None


@dataclass(frozen=True)
class Scene:
    """What all hypotheses share: the main metric's family, the onset, the scope."""

    family: str
    onset: int | None
    segments: tuple[Segment, ...]
    version: str = ""


OTHER = Hypothesis("", "", None, (), {"other": 1.0})


def hypotheses(clues: Iterable[Clue], fits: list[Fit], scene: Scene) -> list[Hypothesis]:
    """Write down every hypothesis with its evidence; the last one is "something not logged or measured"."""
    by_subject: dict[str, list[Clue]] = defaultdict(list)
    for clue in clues:
        subject = f"model:{scene.version}" if clue.subject == "model:" else clue.subject
        if clue.subject == "component:":
            subject = _component_of(clues)
        by_subject[subject].append(clue)
    present = {GROUP[c.signature]: 0.0 for cs in by_subject.values() for c in cs}
    for cs in by_subject.values():
        for c in cs:
            present[GROUP[c.signature]] = max(present[GROUP[c.signature]], c.strength)
    out = []
    for subject, cs in by_subject.items():
        lead = max(cs, key=lambda c: c.strength)
        base = _subject_evidence(cs, lead, present, scene)
        options = {k for c in cs for k in CATEGORIES_OF[c.signature]}
        for category in sorted(options):
            x = dict(base)
            for c in cs:
                if category in CATEGORIES_OF[c.signature]:
                    key = f"category:{category}|{c.signature}"
                    x[key] = max(x.get(key, 0.0), c.strength)
            x[f"prior:{category}"] = 1.0
            out.append(Hypothesis(category, subject, None, tuple(cs), {**x, "change:none": 1.0, f"unlogged:{category}": 1.0}))
            out += [
                Hypothesis(category, subject, f, tuple(cs), {**x, **_change_evidence(f, category, subject, cs)}) for f in fits
            ]
    return [*out, OTHER]


def _component_of(clues: Iterable[Clue]) -> str:
    """Errors name no component; the strongest moved service metric does."""
    named = [c for c in clues if c.subject.startswith("component:") and c.subject != "component:"]
    return max(named, key=lambda c: c.strength).subject if named else "component:service"


def _subject_evidence(cs: list[Clue], lead: Clue, present: dict[str, float], scene: Scene) -> dict[str, float]:
    x: dict[str, float] = {}
    for c in cs:
        x[f"sign:{c.signature}"] = max(x.get(f"sign:{c.signature}", 0.0), c.strength)
        if c.harm is not None:
            x["harm"] = max(x.get("harm", 0.0), min(max(c.harm, 0.0), 1.0))
            if c.harm < 0.1:
                x["harmless"] = 1.0
        if "side_by_side_z" in c.facts:
            z = c.facts["side_by_side_z"]
            x["side_by_side"] = min(max(z, -3.0), 8.0) / 4
    mine = {GROUP[c.signature] for c in cs}
    x[f"family:{scene.family}|{GROUP[lead.signature]}"] = 1.0
    for group, strength in present.items():
        if group not in mine and strength > 0.3:
            x[f"beside:{group}|{GROUP[lead.signature]}"] = strength
    starts = [c.onset for c in cs if c.onset is not None]
    if starts and scene.onset is not None:
        gap = min(starts) - scene.onset
        x["starts:with" if abs(gap) <= NEAR_FIRST else ("starts:before" if gap < 0 else "starts:after")] = 1.0
    return x


def _change_evidence(f: Fit, category: str, subject: str, cs: list[Clue]) -> dict[str, float]:
    c = f.change
    x = {"change:time": f.time, f"kind:{c.kind}|{category}": 1.0, f"change:scope_{f.scope}": 1.0}
    if mentions(c, subject):
        x["change:names_subject"] = 1.0
    if f.words.get(category):
        x["change:words"] = f.words[category] / 2
    others = max((v for k, v in f.words.items() if k != category), default=0.0)
    if others:
        x["change:words_elsewhere"] = others / 2
    if subject.startswith("model:") and c.version_to and c.version_to == subject.partition(":")[2]:
        x["change:version_match"] = 1.0
    if subject.startswith("model:") and c.version_to and c.version_to != subject.partition(":")[2]:
        x["change:version_clash"] = 1.0
    x[f"subject:{subject.partition(':')[0]}|{c.kind}"] = 1.0
    return x
