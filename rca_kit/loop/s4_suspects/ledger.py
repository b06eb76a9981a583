"""The evidence ledger: weights times evidence, normalised over all hypotheses and "something not logged or measured"."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from rca_kit.findings.suspects import Evidence
from rca_kit.loop.s4_suspects.hypotheses import Hypothesis
from rca_kit.loop.s4_suspects.prior import prior_weight
from rca_kit.loop.s4_suspects.signatures import CATEGORIES_OF
from rca_kit.stats.logit import softmax

WEIGHTS_FILE = "weights.json"
SHARPEN = 2.1  # the ridge pulls weights towards the prior and probabilities towards even; set by the Brier score
LAPSE = 0.06  # how often the whole list is wrong however clear it looks: of suspects at 0.95 and above, one in ten was
TOO_MODEST = 0.25  # power of a category's part of what accuses one thing, with which it is right as often as said
# Part of what accuses a thing that one change must hold to be accused in its place. At first sight of incidents of four authors
# the innocent changes blamed first fall from one in eight to one in fifteen, and the guilty ones named first from 76 to 70 %.
NAMED = 0.7
PERHAPS = 0.1  # ... and from which it is told as the likeliest
KINDS = {  # kinds of change as a sentence calls them
    "config_change": "a change of configuration",
    "infra_change": "an infrastructure change",
    "experiment": "an experiment",
    "upstream_notice": "a notice of a supplier",
    "calendar": "an event of the calendar",
    "other": "a change of another kind",
    "data_pipeline": "a change of a data pipeline",
}
TWINS_SHOWN = 3  # features named in one sentence
SHOWN_LEAST = 0.15  # log-odds below which a piece of evidence is noise to a reader


@lru_cache(maxsize=1)
def fitted() -> dict[str, float]:
    """Fitted weights by name of evidence; names that are not in the file keep their prior."""
    path = files("rca_kit.loop.s4_suspects").joinpath(WEIGHTS_FILE)
    if not path.is_file():
        return {}
    return {str(k): float(v) for k, v in json.loads(path.read_text(encoding="utf-8"))["weights"].items()}


def weight(name: str) -> float:
    """Log-odds that one unit of this evidence adds."""
    return fitted().get(name, prior_weight(name))


def probabilities(found: Sequence[Hypothesis]) -> NDArray[np.float64]:
    """Probability of each hypothesis; they sum to 1, the last being "something not logged or measured"."""
    p = (1 - LAPSE) * softmax(SHARPEN * np.array([score(h) for h in found]))
    p[-1] += LAPSE
    return p


@dataclass(frozen=True)
class Charge:
    """All hypotheses that accuse one logged change, or one thing when no change is accused, as one suspect.

    Attributes
    ----------
    best : Hypothesis
        The likeliest of them in the likeliest category.
    probability : float
        That it names the guilty change or, where none is accused, the guilty thing, whichever change brought it. The same suspect
        for a reason of another kind is another answer, but the ledger is too modest about kinds: where it gives one of them a
        little over half, that one is right in five of six (`TOO_MODEST`, on incidents of four authors).
    perhaps : Hypothesis, optional
        For a thing: the change that most likely brought it, though not likely enough to be accused.
    """

    best: Hypothesis
    probability: float
    perhaps: Hypothesis | None = None


def charges(found: Sequence[Hypothesis]) -> list[Charge]:
    """Suspects, likeliest first; "something not logged or measured" is not among them.

    A thing is accused by all that accuses it, unless one change holds so much of that (`NAMED`) that it is accused by itself.
    What a thing was given its changes are not given again: probabilities sum to at most 1.
    """
    p = probabilities(found)
    groups: dict[tuple[str, str], list[int]] = {}
    things: dict[str, list[int]] = {}
    for i, h in enumerate(found[:-1]):
        groups.setdefault(accused(h), []).append(i)
        things.setdefault(_thing(h), []).append(i)
    out = [_charge(found, p, kind, members, things.get(name, [])) for (kind, name), members in groups.items()]
    out.sort(key=lambda c: (-c.probability, c.best.subject, c.best.change_id or ""))
    left, told = float(1.0 - p[-1]), []
    for c in out:
        told.append(replace(c, probability=min(c.probability, left)))
        left = max(left - told[-1].probability, 0.0)
    return told


def _charge(found: Sequence[Hypothesis], p: NDArray[np.float64], kind: str, own: list[int], thing: list[int]) -> Charge:
    """Put what accuses one change, or one thing, to one suspect."""
    brought: dict[str, float] = {}
    for i in thing if kind == "subject" else ():
        change = found[i].change_id
        if change is not None:
            brought[change] = brought.get(change, 0.0) + float(p[i])
    likeliest = max(sorted(brought), key=lambda c: brought[c], default=None)
    whole = sum(float(p[i]) for i in thing)
    perhaps, members = None, own
    if likeliest is not None and brought[likeliest] < NAMED * whole:
        members = thing
        if brought[likeliest] >= PERHAPS * whole:
            perhaps = max((found[i] for i in thing if found[i].change_id == likeliest), key=score)
    by_category: dict[str, float] = {}
    for i in members:
        by_category[found[i].category] = by_category.get(found[i].category, 0.0) + float(p[i])
    category = max(sorted(by_category), key=lambda c: by_category[c])
    inside = [i for i in own if found[i].category == category] or own
    best = max(inside, key=lambda i: (float(p[i]), found[i].subject))
    total = sum(by_category.values())
    return Charge(found[best], total * (by_category[category] / total) ** TOO_MODEST if total > 0 else 0.0, perhaps)


def accused(h: Hypothesis) -> tuple[str, str]:
    """Give what a hypothesis accuses: a logged change, or, when none is accused, a subject and its twins (by the first name)."""
    return ("change", h.change_id) if h.change_id is not None else ("subject", _thing(h))


def _thing(h: Hypothesis) -> str:
    """Name what a hypothesis is about, the same for all features that broke in the same way."""
    return min((h.subject, *h.twins))


def score(h: Hypothesis) -> float:
    """Sum of weight times evidence."""
    return sum(weight(k) * v for k, v in h.x.items())


def evidence(h: Hypothesis, perhaps: Hypothesis | None = None) -> tuple[Evidence, ...]:
    """What speaks for and against a hypothesis, in words, strongest first; pieces of one clue are counted together.

    `perhaps` has the change that may have brought it, where none is accused.
    """
    out = []
    for clue in h.clues:
        names = [n for n in h.x if n.endswith(f"|{clue.signature}") or n == f"sign:{clue.signature}"]
        total = sum(weight(n) * h.x[n] for n in names)
        says = clue.says if total >= 0 else f"{clue.says}{_rather(clue.signature, h.category)}"
        out.append(Evidence(clue.check, says, round(total, 3), total >= 0))
    if "harm" in h.x:
        share = h.x["harm"]
        total = weight("harm") * share + weight("harmless") * h.x.get("harmless", 0.0)
        out.append(
            Evidence(
                "attribution",
                f"{share:.0%} of the metric's change lies in the requests that show it",
                round(total, 3),
                total >= 0,
            )
        )
    if "category:unfit" in h.x:
        w = weight("category:unfit") * h.x["category:unfit"]
        out.append(Evidence("category", f"part of what it shows is not what {_a(h.category)} cause leaves", round(w, 3), w >= 0))
    together = weight(f"together:{h.category}") * h.x.get(f"together:{h.category}", 0.0)
    if h.twins and abs(together) >= SHOWN_LEAST:
        w, more = together, len(h.twins) - TWINS_SHOWN
        twins = ", ".join(t.partition(":")[2] for t in h.twins[:TWINS_SHOWN]) + (f" and {more} more" if more > 0 else "")
        out.append(Evidence("together", f"{twins} changed in the same way", round(w, 3), w >= 0))
    drawn = weight(f"drawn:{h.category}") * h.x.get(f"drawn:{h.category}", 0.0)
    if abs(drawn) >= SHOWN_LEAST:
        out.append(Evidence("scope", "only an arm of an experiment is hit", round(drawn, 3), drawn >= 0))
    machine = weight(f"machine:{h.category}") * h.x.get(f"machine:{h.category}", 0.0)
    if abs(machine) >= SHOWN_LEAST:
        out.append(Evidence("scope", "only one machine, zone or pool is hit", round(machine, 3), machine >= 0))
    for key, words in (
        ("asked:infra", "what is asked decides who is hit, and machines do not look at that"),
        ("starts:with", "it began with the symptom"),
        ("starts:before", "it began before the symptom"),
        ("starts:after", "it began after the symptom"),
        ("starts:apart", "it began more than a day from the symptom"),
        ("bystander", "no outcome got worse, and it loses neither labels nor rows"),
        ("carried_elsewhere", "the whole change lies in requests that a part of the service answered slowly or not at all"),
        ("unheeded", "no score depended on it before"),
        ("abroad", "it moved as much in the requests that are not hit"),
        ("stayed:external", "only the scores moved; had who comes changed, labels would have gone along"),
        ("estranged:external", "labels follow the features no more, as they would had the world moved"),
        ("truth_moved", "labels moved by themselves too, which wrong values of an input do not make them do"),
        ("served_well", "it served alone before the symptom, and nothing was wrong"),
        ("version:logged", "new versions are in the log whether they do harm or not"),
    ):
        w = weight(key) * h.x.get(key, 0.0)
        if abs(w) >= SHOWN_LEAST:
            out.append(Evidence("onset_order", words, round(w, 3), w >= 0))
    if h.fit is not None:
        out += _change_evidence(h)
    else:
        w = weight("change:none") + weight(f"unlogged:{h.category}")
        says = "no logged change is blamed"
        if perhaps is not None and perhaps.fit is not None:
            says = f"which change brought it is open; {perhaps.fit.change.id} is the likeliest"
        out.append(Evidence("change_log", says, round(w, 3), w >= 0))
    return tuple(sorted(out, key=lambda e: (-abs(e.weight), e.check, e.says)))


def _rather(signature: str, category: str) -> str:
    """Of what cause a sign is the mark, where it speaks against this one."""
    usual = max(CATEGORIES_OF[signature], key=lambda c: weight(f"category:{c}|{signature}"))
    return "" if usual == category else f" (more often {_a(usual)} cause)"


def _a(category: str) -> str:
    return f"{'an' if category[:1] in 'aeiou' else 'a'} {category}"


def _change_evidence(h: Hypothesis) -> list[Evidence]:
    assert h.fit is not None
    c, minutes = h.fit.change, h.fit.minutes
    near = (
        "inside the onset interval"
        if minutes == 0
        else f"{abs(minutes):.0f} min {'before' if minutes > 0 else 'after'} the onset interval"
    )
    time = (
        weight("change:time") * h.x["change:time"]
        + sum(weight(k) for k in h.x if k.startswith("when:"))
        + weight("change:nearest") * h.x.get("change:nearest", 0.0)
        + weight("change:among") * h.x["change:among"]
    )
    kind = weight(f"kind:{c.kind}|{h.category}") + weight(f"subject:{h.subject.partition(':')[0]}|{c.kind}")
    out = [
        Evidence("change_time", f"{c.id} ({c.description[:80]}) was logged {near}", round(time, 3), time >= 0),
        Evidence("change_kind", f"{c.id} is {KINDS.get(c.kind, f'a {c.kind}').replace('_', ' ')}", round(kind, 3), kind >= 0),
    ]
    words = {
        "change:scope_match": "its scope is the affected segment",
        "change:scope_clash": "its scope is another segment",
        "change:scope_narrow": "its scope is narrower than the symptom",
        "change:names_other_feature": "it names another feature",
        "change:other_component": "it is about another component",
        "change:elsewhere": "it is about what no metric of the service knows",
        "change:akin": f"{c.component} is akin to {h.subject.partition(':')[2]} by name",
        "change:names_subject": f"it names {h.subject.partition(':')[2] or h.subject}",
        "change:names_value": "it names who is affected",
        "change:version_match": "it brought this version",
        "change:version_clash": "it brought another version",
        "change:words": f"its wording fits {_a(h.category)} cause",
        "change:words_elsewhere": "its wording fits another kind of cause",
        "change:aside": "by its own words it touched nothing that serves",
        "change:no_guests": "a campaign, and neither traffic nor its mix moved",
    }
    for key, text in words.items():
        w = weight(key) * h.x.get(key, 0.0)
        if abs(w) >= SHOWN_LEAST:
            out.append(Evidence("change_fit", f"{c.id}: {text}", round(w, 3), w >= 0))
    return out
