"""Judge what was suspected, what was looked at, and which test was to decide."""

from __future__ import annotations

from rca_kit.findings.drill import Judged
from rca_kit.findings.suspects import Suspect
from rca_kit.training.answers import NOT_LOGGED
from rca_kit.training.judge import Bench, judged
from rca_kit.training.questions import known_test, known_tests
from rca_kit.training.scoring import names_guilty

FALSE_ACCUSATION = 5.0  # points of 100, each: an innocent change rolled back is an outage of its own, and a colleague hurt
MAY_WASTE = 1  # one test that does not decide is how one learns; each more costs a third of the points for tests
CATEGORY_WORDS = {
    "data": "the values themselves went wrong on the way in, and no change of code, settings or supplier explains it",
    "model": "the same inputs now give worse outputs",
    "code": "a step between raw input and answer changed",
    "infra": "resources gave out: saturation, time-outs, restarts",
    "config": "a threshold, flag, key or route changed",
    "upstream": "a supplier outside the team changed or failed",
    "external": "the world moved, our system did not",
}


def judge_suspects(b: Bench) -> tuple[list[Judged], tuple[str, ...]]:
    """Category, subject and change; and which innocent changes were accused."""
    a = b.answers
    accused = tuple(dict.fromkeys(c for c in (a.change, *a.accused) if c and c != NOT_LOGGED and c not in b.changes))
    if b.key.category is None:
        return [], accused
    kit = b.inv.suspects.items[0] if b.inv.suspects.items else None
    look = _evidence(b)
    out = [
        judged(
            "category",
            a.category or "",
            " or ".join(b.categories),
            kit.category if kit else "none",
            float(a.category in b.categories) if a.category else 0.0,
            f"{b.key.category}: {CATEGORY_WORDS[b.key.category]}.",
            look,
        ),
        judged(
            "subject",
            a.subject or "",
            " or ".join(b.subjects),
            kit.subject if kit else "none",
            float(_subject_right(b)),
            b.key.summary or f"The guilty thing is {b.key.subject}.",
            look,
        ),
        _change(b, kit),
    ]
    return out, accused


def _subject_right(b: Bench) -> bool:
    return b.answers.subject in b.subjects


def _change(b: Bench, kit: Suspect | None) -> Judged:
    given = b.answers.change or ""
    said = (kit.change_id or NOT_LOGGED) if kit else "none"
    by_id = {c.id: c for c in b.inv.case.changes}
    if not b.changes:
        why = (
            "No entry of the log did it: whoever or whatever changed it, left no trace there. That an entry is near in time "
            "does not make it a cause."
        )
        return judged(
            "change", given, NOT_LOGGED, said, float(given == NOT_LOGGED), why, "time, scope and component of each entry"
        )
    truth = ", ".join(b.changes)
    named = "; ".join(f"{by_id[c].component}: {by_id[c].description}" for c in b.changes if c in by_id)
    why = f"It was {named}." if named else f"It was {truth}."
    wrong = by_id.get(given)
    if wrong is not None and given not in b.changes:
        onset = b.key.onset
        late = onset is not None and wrong.time > onset
        why += f" {given} ({wrong.component}: {wrong.description}) is innocent" + (
            ": it came after the onset." if late else ": nearness in time is all that speaks for it."
        )
    if any(c in b.answers.excluded for c in b.changes):
        why += " You had excluded it."
    return judged(
        "change",
        given,
        truth,
        said,
        float(given in b.changes),
        why,
        "which entry touches the thing that went wrong, for the segment that is hit, just before the onset",
    )


def _evidence(b: Bench) -> str:
    """What the kit holds for the true cause; else what it holds for its first suspect."""
    right = next((s for s in b.inv.suspects.items if names_guilty(s.to_dict(), b.key)), None)
    if right is None:
        return f"the kit does not name it either: {b.inv.suspects.says()}"
    says = [e.says for e in sorted(right.evidence, key=lambda e: -e.weight) if e.supports][:3]
    return "; ".join(says)


def judge_samples(b: Bench) -> list[Judged]:
    """Columns in which bad requests differ; only where the key names some."""
    names = [s.partition(":")[2] for s in b.subjects if s.startswith(("feature:", "stage:"))]
    names += [c for w in b.key.where for c in w]
    true = list(dict.fromkeys(n for n in names if n in b.rows.columns))
    if not true or b.quiet:
        return []
    given = list(b.answers.differs)
    hit = sum(c in true for c in given)
    share = hit / len(given) if given else 0.0
    kit = b.inv.samples.rules[0].text if b.inv.samples.rules else "no rule found"
    return [
        judged(
            "differs",
            ", ".join(given),
            "one or more of " + ", ".join(true),
            kit,
            share,
            "Bad requests laid beside healthy twins (same segment, same hour, same other inputs) differ in these.",
            "step 5 of the report: bad rows and their twins",
        )
    ]


def judge_simulate(b: Bench, run: tuple[str, ...]) -> tuple[list[Judged], tuple[str, ...]]:
    """Which test decides, and which ones could not."""
    told = (b.categories, b.subjects, b.key.verdict)
    good = [t for t in known_tests() if t.tells(*told)]
    done = tuple(dict.fromkeys((*b.answers.tests, *run)))
    wasted = tuple(n for n in done if not known_test(n).tells(*told))
    names = ", ".join(t.name for t in sorted(good, key=lambda t: t.minutes)[:5])
    trial = next((t.says for t in b.inv.simulation.trials), b.inv.simulation.says())
    decides = b.answers.decides
    why = f"In this case these can decide, quickest first: {names}."
    if decides and not known_test(decides).tells(*told):
        why += f" To {known_test(decides).title} would look the same whether or not this is the cause."
    cost = sum(known_test(n).minutes for n in wasted)
    tests = (
        f"{len(wasted)} of {len(done)} could not decide and cost {cost} minutes: {', '.join(wasted)}."
        if wasted
        else "Every test could decide."
        if done
        else "No test was named."
    )
    share = (1 - max(len(wasted) - MAY_WASTE, 0) / 3) if done and len(wasted) < len(done) else 0.0
    return [
        judged(
            "tests", ", ".join(done), f"any of {names}", "", share, tests, "ask of each test: what would I see if I were wrong?"
        ),
        judged(
            "decides",
            decides or "",
            f"any of {names}",
            b.inv.suspects.items[0].next_test if b.inv.suspects.items else "",
            float(bool(decides) and known_test(str(decides)).tells(*told)) if decides else 0.0,
            why,
            trial,
        ),
    ], wasted
