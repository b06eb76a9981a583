"""Schema diff of the log: columns that came, went, changed their values, or are of another type in the golden set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import narwhals as nw

from rca_kit.loop.reading.prepare import Prepared
from rca_kit.stats.drift import ColumnChange

EMPTY = 0.999  # of the values missing: the column is not there, whatever a few stragglers hold


@dataclass(frozen=True)
class SchemaDifference:
    """One column whose schema differs: `change` is gone, new, values, golden_type or not_in_golden."""

    column: str
    change: str
    before: str
    after: str


def schema_diff(prepared: Prepared, compared: Mapping[str, ColumnChange]) -> tuple[SchemaDifference, ...]:
    """List what differs between before and after, and between log and golden set, in the order of the columns compared."""
    schema = dict(prepared.frame.collect_schema())
    golden = dict(prepared.case.golden.collect_schema()) if prepared.case.golden is not None else None
    inputs = set(prepared.columns.features)
    out = []
    for name, c in compared.items():
        before, after = (float(x) if x is not None else 0.0 for x in (c.null_rate_before, c.null_rate_after))
        if after >= EMPTY > before:
            out.append(SchemaDifference(name, "gone", "there", "always missing"))
        elif before >= EMPTY > after:
            out.append(SchemaDifference(name, "new", "always missing", "there"))
        elif c.new_values or c.vanished_values or c.renamed:
            new = [*c.new_values, *(b for _, b in c.renamed)]
            old = [*c.vanished_values, *(a for a, _ in c.renamed)]
            out.append(SchemaDifference(name, "values", _listed(old), _listed(new)))
        if golden is None or name not in inputs:
            continue
        if name not in golden:
            out.append(SchemaDifference(name, "not_in_golden", kind(schema.get(name)), "not a column"))
        elif kind(schema.get(name)) != kind(golden[name]):
            out.append(SchemaDifference(name, "golden_type", kind(schema.get(name)), kind(golden[name])))
    return tuple(out)


def kind(dtype: nw.dtypes.DType | None) -> str:
    """Name a type as people do: widths and units of the same kind are no difference.

    Examples
    --------
    >>> kind(nw.Int32()), kind(nw.Float64()), kind(nw.String())
    ('number', 'number', 'text')
    """
    if dtype is None:
        return "not a column"
    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, (nw.String, nw.Categorical, nw.Enum)):
        return "text"
    return str(dtype).partition("(")[0].lower()


def _listed(values: list[str], most: int = 8) -> str:
    shown = ", ".join(dict.fromkeys(values[:most]))
    return shown + (f" and {len(values) - most} more" if len(values) > most else "") or "–"
