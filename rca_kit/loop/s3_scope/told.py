"""The scope that an entry of the change log states, where what moved has no rows to tell one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from rca_kit.aggregates.rows import as_text
from rca_kit.findings.investigation import ChangeRecord
from rca_kit.findings.scope import Scope, Segment
from rca_kit.findings.suspects import Suspects
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.s3_scope.conditions import in_own_type
from rca_kit.loop.s4_suspects.changes import parse_scope
from rca_kit.sources.collect import collect

SURE_ENTRY = 0.8  # probability of the first suspect from which its entry is taken by its word


def as_entered(prepared: Prepared, scope: Scope, leading: Suspects, changes: Iterable[ChangeRecord], has_rows: bool) -> Scope:
    """A component's metric tells of no requests; the entry of the change that surely did it says whom it was made for.

    Parameters
    ----------
    prepared : Prepared
        With the log, which must have the columns and values that the entry names; a scope that a person declared stays.
    scope : Scope
        As found; one that names segments stays.
    leading : Suspects
        Ranked; the first must be a change, with at least `SURE_ENTRY`.
    changes : iterable of ChangeRecord
        The change log.
    has_rows : bool
        Whether the main metric is one of requests: then their silence about a segment is an answer.
    """
    first = leading.items[0] if leading.items else None
    declared = prepared.decisions.scope is not None
    if has_rows or declared or not scope.is_global or first is None or not first.change_id or first.probability < SURE_ENTRY:
        return scope
    entry = next((c for c in changes if c.id == first.change_id), None)
    schema = dict(prepared.frame.collect_schema())
    named = parse_scope(entry.scope) if entry is not None else {}
    if not named or not set(named) <= set(schema) or not all(_there(prepared, c, values) for c, values in named.items()):
        return scope
    where: dict[str, Any] = {}
    for column, values in named.items():
        own = [in_own_type(v, schema[column]) for v in sorted(values)]
        where[column] = own[0] if len(own) == 1 else own
    because = f"{first.change_id} was made for these; {scope.metric} has no rows to slice."
    return replace(scope, is_global=False, segments=(Segment(where=where),), because=because)


def _there(prepared: Prepared, column: str, values: set[str]) -> bool:
    """Whether a column has all these values."""
    text = as_text(column)
    rows = prepared.frame.filter(text.is_in(sorted(values)))
    return int(collect(rows.select(text.n_unique().alias("rk_n")))["rk_n"][0]) == len(values)
