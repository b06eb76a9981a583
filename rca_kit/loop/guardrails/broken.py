"""Which inputs the findings call broken: the input schema may fail on the incident because of these, and of no other."""

from __future__ import annotations

from datetime import timedelta

from rca_kit.loop.s7_settle.facts import Facts

SOON = timedelta(hours=1)  # after the onset: what begins later has causes of its own, a campaign in the same afternoon


def broken_columns(facts: Facts, columns: list[str]) -> tuple[str, ...]:
    """Name the columns that went wrong with the incident, in the order given.

    Those that a suspect names, and those whose values or nulls moved by themselves no later than soon after the onset. What
    moved without harm (a benign shift) or for reasons of its own afterwards is how traffic may look: the schema has to let it
    pass.
    """
    if facts.verdict != "incident" or facts.symptom.onset is None:
        return ()
    latest = (facts.symptom.onset_interval or (facts.symptom.onset,) * 2)[1] + SOON
    named = {s.subject.partition(":")[2] for s in facts.suspects.items if s.subject.startswith("feature:")}
    for onset in facts.symptom.onsets:
        kind, _, column = onset.metric.partition(":")
        if kind in ("psi", "null_rate") and onset.interval[0] <= latest:
            named.add(column)
    return tuple(c for c in columns if c in named)
