"""Hypotheses: every subject with a clue, in every category it could be, with every change or none; each as named evidence."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from rca_kit.findings.scope import Segment
from rca_kit.loop.s4_suspects.changes import Fit, mentions, without_name
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.explained import FAULT_LEAST, explained_away
from rca_kit.loop.s4_suspects.owners import OUTSIDERS, akin, foreign, owners_of, suppliers, telling
from rca_kit.loop.s4_suspects.signatures import CATEGORIES_OF, DRIFTS, FAULTS, GROUP, is_arm, is_asked, is_machine
from rca_kit.loop.s4_suspects.topics import about_nothing

GATHERINGS = ("campaign", "calendar", "other")  # kinds of entries about what people do
OF_PEOPLE = (*GATHERINGS, "upstream_notice")  # kinds of entries about no component of ours
GUEST_SIGNS = ("surge", "segment_surge", "mix", "new_category", "drift", "metric:requests")  # of what a campaign brings
TWINS = (*FAULTS, "rescaled", "alone")  # signatures that, on several features at once, tell of one cause
LIES = ("alone", "rescaled")  # signs of one feature; had it told the truth of a world that moved, labels would follow it still
GATE_WORDS = ("gateway", "edge", "ingest", "proxy", "front", "ingress", "balancer", "api")
NAMELESS = "component:service"  # errors that no metric lays at a component's door; a blamed change names its own
CRASHES = ("error:code", "error:other")  # what breaks on certain values is the code that reads them
PARTS, CONTENTS = ("stage:", "component:"), ("feature:", "population", "label")  # what answers requests; what they hold
CARRIED, HARMLESS = 0.9, 0.1  # parts of the metric's change in the requests with a sign, to carry it and to be innocent of it
SCORER_SIGNS = ("score_function", "fallback")  # of a scorer that answers otherwise
ATTACKS, GUESTS = ("injected",), ("campaign", "calendar")  # those who attack are not brought by what brings guests
DRAWN = 0.6  # strength of the sign that those whom the lot drew are given something else
# words for labels, and how far an entry that uses one names them: outcomes may be those of something else
LABEL_WORDS, IN_OTHER_WORDS = ("label", "outcome", "annotation", "annotator", "ground truth", "relabelling", "labelling"), 0.6
SHARE_MOST = 0.95  # share of requests with a sign beyond which what lies outside it tells nothing
NEAR_FIRST = 3  # fine buckets by which a clue may precede the main onset and still count as first


@dataclass(frozen=True)
class Hypothesis:
    """A subject failing in one way, for a reason of one category, brought by a change or not. `x` is its evidence by name.

    `twins` are other features that broke in the same way: one cause, whichever of them names it.
    """

    category: str
    subject: str
    fit: Fit | None
    clues: tuple[Clue, ...]
    x: dict[str, float] = field(default_factory=dict)
    twins: tuple[str, ...] = ()

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
    components: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    day: int | None = None  # fine buckets in a day
    corrupt: frozenset[str] = frozenset()  # labels or rows, where these alone were lost and no outcome got worse
    calm: int = 0  # fine bucket until which nothing was wrong yet, less a coarse one
    unheeded: frozenset[str] = frozenset()  # inputs that no score depended on, where an outcome got worse
    stayed: bool = False  # the scores moved, and the truth surely did not go along
    guests: frozenset[str] = frozenset()  # subjects about who came, where values were spoilt and no outcome got worse
    abroad: frozenset[str] = frozenset()  # inputs that drifted as much outside the affected segments

    @property
    def places(self) -> frozenset[str]:
        """Columns that tell the affected segments from the rest: an entry that names one says where, not what."""
        return frozenset(column for segment in self.segments for column in segment.where)


OTHER = Hypothesis("", "", None, (), {"other": 1.0})


def hypotheses(
    clues: Iterable[Clue], fits: list[Fit], scene: Scene, refit: Callable[[int], list[Fit]] | None = None
) -> list[Hypothesis]:
    """Write down every hypothesis with its evidence; the last one is "something not logged or measured".

    `refit` judges the changes against another onset: a subject that moved long before or after the symptom is explained by
    what happened at its own time.
    """
    by_subject: dict[str, list[Clue]] = defaultdict(list)
    told = explained_away(list(clues))
    drawn = any(is_arm(column) for s in scene.segments for column in s.where)
    for clue in told:
        subject = f"model:{scene.version}" if clue.subject == "model:" else clue.subject
        if clue.subject == "component:":
            subject = _component_of(clue, told, scene)
            bounded = _in_range_of(scene) if subject == NAMELESS and clue.signature in CRASHES else None
            if bounded is not None:
                subject, clue = f"feature:{bounded}", replace(clue, signature="error:code")
        if drawn and clue.signature.startswith("downstream"):
            subject = "routing"
        by_subject[subject].append(clue)
    if drawn:
        by_subject["routing"].append(Clue("scope", "routing", "rerouted", "who is hit was drawn by lot", DRAWN))
    machine = bool(scene.segments) and all(any(is_machine(c) for c in s.where) for s in scene.segments)
    asked = bool(scene.segments) and all(c in scene.features and is_asked(c) for s in scene.segments for c in s.where)
    present: dict[str, float] = {}
    for c in told:
        present[GROUP[c.signature]] = max(present.get(GROUP[c.signature], 0.0), c.strength)
    guests = any(c.signature in GUEST_SIGNS and c.strength > 0.3 for c in told)
    broken = {
        s
        for s, cs in by_subject.items()
        if s.startswith("feature:") and any(c.signature in FAULTS and c.strength >= FAULT_LEAST for c in cs)
    }
    estranged = max((c.strength for c in told if c.signature == "concept"), default=0.0)
    apart = max((c.facts.get("apart", 0.0) for c in told if c.signature == "concept"), default=0.0)
    carried = max((c.harm or 0.0 for c in told if c.subject.startswith(PARTS)), default=0.0) >= CARRIED
    alike: dict[str, list[str]] = defaultdict(list)
    for subject, cs in by_subject.items():
        if (way := _broke(subject, cs)) is not None:
            alike[way].append(subject)
    outside = suppliers(fits)
    out = []
    for subject, cs in by_subject.items():
        twins = tuple(s for s in alike.get(_broke(subject, cs) or "", ()) if s != subject)
        own = _own_onset(cs, scene)
        began = own if own is not None else _rolled_out_since(cs, scene)
        judged = refit(began) if began is not None and refit is not None else fits
        nearest = min(judged, key=lambda f: abs(f.minutes), default=None)
        lead = max(cs, key=lambda c: c.strength)
        base = _subject_evidence(cs, lead, present, scene)
        if apart and GROUP[lead.signature] == "concept":  # the world that moved, moved the inputs that may be right too
            if "beside:broken|concept" in base:
                base["beside:broken|concept"] *= 1 - apart
            if any(c.unsure and _began(c.onset, scene) == "with" for c in told):
                base["starts:with"] = 1.0
        if (scene.corrupt and subject not in scene.corrupt) or subject in scene.guests:
            base["bystander"] = 1.0
        if own is not None:
            base["starts:apart"] = 1.0
        if carried and subject.startswith(CONTENTS) and max((_beyond_share(c) for c in cs), default=0.0) < HARMLESS:
            base["carried_elsewhere"] = 1.0
        if subject in scene.unheeded and base.get("harm", 0.0) < CARRIED:
            base["unheeded"] = 1.0
        if subject in scene.abroad and lead.unsure:
            base["abroad"] = 1.0
        scorer = any(c.signature in SCORER_SIGNS and c.strength >= FAULT_LEAST for c in cs)
        if subject.startswith("model:") and any(f.change.version_to == subject.partition(":")[2] for f in judged):
            base["version:logged"] = 1.0
        options = {k for c in cs for k in CATEGORIES_OF[c.signature]}
        for category in sorted(options):
            x = dict(base)
            for c in cs:
                if category in CATEGORIES_OF[c.signature]:
                    key = f"category:{category}|{c.signature}"
                    x[key] = max(x.get(key, 0.0), c.strength)
            weakest_first = sorted(cs, key=lambda c: c.strength)
            unfit = {c.signature: c.strength for c in weakest_first if category not in CATEGORIES_OF[c.signature]}
            if unfit:  # a cause has to answer for all that its subject shows
                x["category:unfit"] = sum(unfit.values())
            x[f"prior:{category}"] = 1.0
            if machine:
                x[f"machine:{category}"] = 1.0
            if asked and category == "infra":
                x["asked:infra"] = 1.0
            if drawn:  # whom the lot drew does not differ from the others: what they were given does
                x[f"drawn:{category}"] = 1.0
            if category == "external" and estranged and subject.startswith("feature:") and lead.signature in LIES:
                x["estranged:external"] = estranged + apart
            if category != "external" and apart and lead.unsure:
                x["truth_moved"] = apart
            if category == "external" and scene.stayed and lead.signature in DRIFTS:
                x["stayed:external"] = 1.0
            if category == "upstream" and foreign(subject, scene.components, outside):
                x["owner:outside"] = 1.0
            if subject in broken and len(broken) > 1 and lead.signature != "swapped":  # of which there are always two
                x[f"together:{category}"] = 1.0
            unlogged = {**x, "change:none": 1.0, f"unlogged:{category}": 1.0}
            if scorer:  # it answers otherwise, and who brought it is another question
                unlogged.pop("version:logged", None)
            out.append(Hypothesis(category, subject, None, tuple(cs), unlogged, twins))
            for f in judged:
                if lead.signature in ATTACKS and f.change.kind in GUESTS:
                    continue
                if subject == NAMELESS and _of_outsiders(lead) and _ours(f.change.component, scene, outside):
                    continue
                theirs = f.change.component and f.change.kind not in GATHERINGS  # a strike is no component that fails
                named = f"component:{f.change.component}" if subject == NAMELESS and theirs else subject
                evidence = _change_evidence(f, category, named, scene, f is nearest, len(judged))
                if f.change.kind == "campaign" and not guests:
                    evidence["change:no_guests"] = 1.0
                out.append(Hypothesis(category, named, f, tuple(cs), {**x, **evidence}, twins))
    return [*out, OTHER]


def _beyond_share(clue: Clue) -> float:
    """Part of the metric's change in the requests with a sign beyond the part that they are of all requests anyway."""
    share = min(clue.share or 0.0, SHARE_MOST)
    return max(clue.harm or 0.0, 0.0) if not share else max((clue.harm or 0.0) - share, 0.0) / (1 - share)


def _in_range_of(scene: Scene) -> str | None:
    """The feature of whose values the affected requests have some range, where that is all they have in common."""
    if len(scene.segments) != 1 or len(scene.segments[0].where) != 1:
        return None
    ((name, condition),) = scene.segments[0].where.items()
    return name if isinstance(condition, dict) and name in scene.features else None


def _of_outsiders(clue: Clue) -> bool:
    """Whether an error says by its name that somebody else failed: `supplier_502`."""
    names = [str(v).casefold() for v in (clue.where or {}).get("values", ())] if clue.signature.startswith("error:") else []
    return any(word in name for name in names for word in OUTSIDERS)


def _ours(component: str, scene: Scene, outside: frozenset[str]) -> bool:
    """Whether a component is one that the service's own metrics know, and nobody else's."""
    return component in scene.components and not foreign(f"component:{component}", scene.components, outside)


def _broke(subject: str, cs: list[Clue]) -> str | None:
    """In which way a feature broke, by its strongest sign of that."""
    ways = [c for c in cs if c.signature in TWINS and c.strength >= FAULT_LEAST] if subject.startswith("feature:") else []
    return max(ways, key=lambda c: (c.strength, c.signature)).signature if ways else None


def _own_onset(cs: list[Clue], scene: Scene) -> int | None:
    """Onset of a subject that clearly moved at another time than the symptom."""
    starts = [c.onset for c in cs if c.onset is not None]
    if not starts or scene.onset is None or scene.day is None:
        return None
    return min(starts) if min(abs(s - scene.onset) for s in starts) > scene.day else None


def _rolled_out_since(cs: list[Clue], scene: Scene) -> int | None:
    """Onset of a version that was being rolled out still when the symptom began: its entry is as old as its first requests."""
    for c in cs:
        if c.signature == "version" and c.onset is not None and scene.onset is not None and c.onset < scene.onset:
            return c.onset if c.facts.get("alone_since", 0.0) >= scene.calm else None
    return None


def _component_of(clue: Clue, clues: list[Clue], scene: Scene) -> str:
    """Errors name no component: a refusal is the gateway's, else the strongest moved service metric tells."""
    if clue.signature == "error:limit":
        gates = [n for n in scene.components if any(w in n.lower() for w in GATE_WORDS)]
        if gates:
            return f"component:{gates[0]}"
    named = [
        c for c in clues  # how often it was asked says nothing of who failed
        if c.subject.startswith("component:") and c.subject != "component:" and c.signature != "metric:requests"
    ]
    if named:
        return max(named, key=lambda c: c.strength).subject
    return NAMELESS


def _subject_evidence(cs: list[Clue], lead: Clue, present: dict[str, float], scene: Scene) -> dict[str, float]:
    x: dict[str, float] = {}
    for c in cs:
        x[f"sign:{c.signature}"] = max(x.get(f"sign:{c.signature}", 0.0), c.strength)
        if c.harm is not None:
            x["harm"] = max(x.get("harm", 0.0), min(max(c.harm, 0.0), 1.0))
            if c.harm < HARMLESS:
                x["harmless"] = 1.0
        if c.signature == "version" and c.facts.get("alone_since", scene.calm) < scene.calm:
            x["served_well"] = 1.0
        if "side_by_side_z" in c.facts:
            z = c.facts["side_by_side_z"]
            x["side_by_side"] = min(max(z, -3.0), 8.0) / 4
    mine = {GROUP[c.signature] for c in cs}
    x[f"family:{scene.family}|{GROUP[lead.signature]}"] = 1.0
    for group, strength in present.items():
        if group not in mine and strength > 0.3:
            x[f"beside:{group}|{GROUP[lead.signature]}"] = strength
    began = _began(min((c.onset for c in cs if c.onset is not None), default=None), scene)
    if began is not None:
        x[f"starts:{began}"] = 1.0
    return x


def _began(onset: int | None, scene: Scene) -> str | None:
    """Whether a clue began before the symptom, with it or after; None where either has no onset."""
    if onset is None or scene.onset is None:
        return None
    gap = onset - scene.onset
    return "with" if abs(gap) <= NEAR_FIRST else ("before" if gap < 0 else "after")


def _change_evidence(f: Fit, category: str, subject: str, scene: Scene, nearest: bool, logged: int) -> dict[str, float]:
    c = f.change
    # any of n entries may be the guilty one: each takes 1/n of the chance that it was logged at all
    x = {"change:among": math.log(max(logged, 1)), "change:time": f.time}
    x |= {f"kind:{c.kind}|{category}": 1.0, f"change:scope_{f.scope}": 1.0}
    x[f"when:{_when(f.minutes)}"] = 1.0
    if nearest:
        x["change:nearest"] = 1.0
    if f.names_value:
        x["change:names_value"] = 1.0
    if mentions(c, subject):
        x["change:names_subject"] = 1.0
    elif subject == "label" and not f.aside and any(mentions(c, f"label:{word}") for word in LABEL_WORDS):
        x["change:names_subject"] = IN_OTHER_WORDS
    elif any(mentions(c, f"feature:{n}") for n in scene.features if n not in scene.places):
        x["change:names_other_feature"] = 1.0
    owners = owners_of(subject, scene.components)
    if owners and c.component and c.component not in owners:
        x["change:other_component"] = 1.0
    elif not subject.startswith("component:") and akin(telling(subject), c.component):
        x["change:akin"] = 1.0
    aside = f.aside and about_nothing(c.component, without_name(c.description, subject))  # "handover rate" is no handover
    if aside:
        x["change:aside"] = aside
    elif scene.components and c.component and c.component not in scene.components and c.kind not in OF_PEOPLE:
        x["change:elsewhere"] = 1.0
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


def _when(minutes: float) -> str:
    """Coarse class of the time from a change to the onset interval."""
    if abs(minutes) <= 5:
        return "at_onset"
    side = "before" if minutes > 0 else "after"
    return f"{side}:{'minutes' if abs(minutes) <= 45 else 'hours' if abs(minutes) <= 360 else 'days'}"
