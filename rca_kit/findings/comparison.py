"""The data comparison: one row per column, before against after."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from rca_kit.findings.base import Finding, plain


@dataclass(frozen=True)
class ColumnDifference:
    """How one column differs. Shares are 0..1; `effect` and `mean_change_sigma` are in before's standard deviations.

    `q_value` is corrected for all columns of the table. `negligible` means certain but too small to matter: `changed` is False.
    """

    column: str
    kind: str
    changed: bool
    reason: str
    effect: float | None
    q_value: float | None
    p_value: float | None = None
    negligible: bool = False
    rows_before: int = 0
    rows_after: int = 0
    null_rate_before: float | None = None
    null_rate_after: float | None = None
    null_change_low: float | None = None
    null_change_high: float | None = None
    psi: float | None = None
    js: float | None = None
    kl: float | None = None
    ks: float | None = None
    wasserstein: float | None = None
    chi_square: float | None = None
    g_statistic: float | None = None
    mean_before: float | None = None
    mean_after: float | None = None
    mean_change_sigma: float | None = None
    mean_change_low: float | None = None
    mean_change_high: float | None = None
    spread_before: float | None = None
    spread_after: float | None = None
    spread_ratio: float | None = None
    distinct_before: float | None = None
    distinct_after: float | None = None
    out_of_range: float | None = None
    largest_cell: str | None = None
    largest_cell_before: float | None = None
    largest_cell_after: float | None = None
    new_values: tuple[str, ...] = ()
    vanished_values: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    factor: str | None = None
    flags: tuple[str, ...] = ()
    dtype_before: str = ""
    dtype_after: str = ""
    inflation: float = 1.0
    seasonal: bool = False


@dataclass(frozen=True)
class SchemaChange:
    """A column that is new, gone or of another type."""

    column: str
    change: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class TableCheck:
    """A check of the rows as a whole: `status` is found, clear or not_applicable (then `says` tells why)."""

    code: str
    title: str
    status: str
    says: str


@dataclass(frozen=True)
class RelationBreak:
    """A pair of numeric columns whose (rank) correlation changed."""

    first: str
    second: str
    before: float
    after: float
    q_value: float


@dataclass(frozen=True)
class DomainClassifier:
    """How well a model tells before from after by all columns together: 0.5 is chance. `top` names the columns it uses."""

    auc: float
    interval: tuple[float, float]
    p_value: float
    differs: bool
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True, repr=False)
class DataComparison(Finding):
    """Which columns changed, how much, and how sure that is.

    Examples
    --------
    >>> found = DataComparison((ColumnDifference("a", "number", True, "values moved up by 0.40 sigma", 0.4, 1e-9),), 100, 100)
    >>> found
    DataComparison: 1 of 1 columns changed: a (values moved up by 0.40 sigma).
      next: `.frame()` for every column, `.schema`, `.checks`
    """

    next_call = "`.frame()` for every column, `.schema`, `.checks`"

    columns: tuple[ColumnDifference, ...]
    rows_before: int
    rows_after: int
    schema: tuple[SchemaChange, ...] = ()
    checks: tuple[TableCheck, ...] = ()
    relations: tuple[RelationBreak, ...] = ()
    classifier: DomainClassifier | None = None
    baseline: str = ""
    segments: tuple[tuple[str, DataComparison], ...] = field(default=())

    @property
    def changed(self) -> tuple[ColumnDifference, ...]:
        """The columns that changed, largest effect first."""
        return tuple(sorted((c for c in self.columns if c.changed), key=lambda c: (-(c.effect or 0.0), c.column)))

    def __getitem__(self, column: str) -> ColumnDifference:
        for found in self.columns:
            if found.column == column:
                return found
        raise KeyError(column)

    def says(self) -> str:
        """Name the changed columns."""
        changed = self.changed
        found = [c.says for c in self.checks if c.status == "found"]
        if not changed and not (self.rows_before and self.rows_after):
            side = "before" if not self.rows_before else "after"
            head = f"Nothing could be compared: there is no row {side}."
        elif not changed:
            head = f"None of {len(self.columns)} columns changed beyond chance."
        else:
            names = "; ".join(f"{c.column} ({c.reason})" for c in changed[:5])
            more = f"; and {len(changed) - 5} more" if len(changed) > 5 else ""
            head = f"{len(changed)} of {len(self.columns)} columns changed: {names}{more}."
        if self.relations:
            head += " Relations changed: " + ", ".join(f"{r.first} ~ {r.second}" for r in self.relations[:3]) + "."
        if self.classifier is not None and self.classifier.differs:
            head += f" All columns together tell before from after with AUC {self.classifier.auc:.2f}."
        return " ".join([head, *found])

    def rows(self) -> list[dict[str, Any]]:
        """One row per column, in the table's order."""
        return [{f.name: _cell(getattr(c, f.name)) for f in fields(c)} for c in self.columns]

    def frame(self) -> Any:
        """Give one row per column as a Polars frame; lists are joined by commas."""
        import polars as pl

        rows = self.rows()
        types = {f.name: _polars_type(f.type, pl) for f in fields(ColumnDifference)}
        return pl.DataFrame(rows, schema=types)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        out = super().to_dict()
        out["segments"] = [{"segment": name, **found.to_dict()} for name, found in self.segments]
        return {k: plain(v) for k, v in out.items()}


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return ", ".join(" -> ".join(v) if isinstance(v, tuple) else str(v) for v in value)
    return value


def _polars_type(annotation: Any, pl: Any) -> Any:
    text = str(annotation)
    if text.startswith("bool"):
        return pl.Boolean
    if text.startswith("int"):
        return pl.Int64
    return pl.Float64 if text.startswith("float") else pl.String
