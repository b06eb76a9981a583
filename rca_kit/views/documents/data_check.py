"""What changed in the data, in words for people: the comparison's findings as a document."""

from __future__ import annotations

from rca_kit.findings.comparison import ColumnDifference, DataComparison
from rca_kit.views import words
from rca_kit.views.documents.page import Block, Grid, Page, Part, Points, Words


def data_check(found: DataComparison, *, title: str = "", before: str = "before", after: str = "after") -> Page:
    """Write a data comparison as a document.

    Parameters
    ----------
    found : DataComparison
        From `rca_kit.compare`.
    title : str
        What was compared.
    before, after : str
        Names of the two sides.

    Examples
    --------
    >>> column = ColumnDifference("a", "number", True, "values moved up by 0.40 sigma", 0.4, 1e-9, null_rate_before=0.0)
    >>> print(data_check(DataComparison((column,), 100, 120)).parts[0].blocks[0].text)
    1 of 1 columns changed: a. Compared were 100 rows of before with 120 rows of after.
    """
    changed = [c for c in found.columns if c.changed]
    names = ", ".join(c.column for c in changed[:8]) + (f" and {len(changed) - 8} more" if len(changed) > 8 else "")
    said = (
        f"{len(changed)} of {len(found.columns)} columns changed: {names}."
        if changed
        else f"None of {len(found.columns)} columns changed beyond chance."
    )
    first: tuple[Block, ...] = (
        Words(
            f"{said} Compared were {words.count(found.rows_before)} rows of {before} "
            f"with {words.count(found.rows_after)} rows of {after}."
        ),
        *((Points(tuple(f"{c.column}: {c.reason}" for c in changed)),) if changed else ()),
    )
    schema = tuple((s.column, s.change, s.before or "", s.after or "") for s in found.schema)
    checks = tuple((f"{c.code} {c.title}", c.status.replace("_", " "), c.says) for c in found.checks)
    return Page(
        f"Data check{f': {title}' if title else ''}",
        "Each difference is beyond chance after correction for all columns and tests, and large enough to matter.",
        (
            Part("What changed", first),
            Part(
                "Columns",
                (
                    Grid(
                        ("column", "changed", "why", "effect", "nulls before", "nulls after", "PSI", "q"),
                        tuple(_row(c) for c in found.columns),
                        "All columns",
                    ),
                ),
            ),
            Part("Schema", (Grid(("column", "change", "before", "after"), schema, "Schema changes"),)),
            Part("Rows as a whole", (Grid(("check", "outcome", "says"), checks, "Checks of the rows"),)),
        ),
    )


def _row(c: ColumnDifference) -> tuple[str, ...]:
    return (
        c.column,
        "changed" if c.changed else "no",
        c.reason,
        "" if c.effect is None else f"{c.effect:.2g}",
        words.percent(c.null_rate_before),
        words.percent(c.null_rate_after),
        "" if c.psi is None else f"{c.psi:.2g}",
        words.p_value(c.q_value),
    )
