"""Before against after, from counts: distances, tests that allow for autocorrelation and season, kinds of change, verdicts.

Fill a `ColumnStats` per column and side (counts per block of time and cell), then `compare_column` each with ``judge=False`` and
`decide` on all together.
"""

from __future__ import annotations

from rca_kit.stats.drift.compare import compare_column, lone_column
from rca_kit.stats.drift.decide import LEVEL, NEGLIGIBLE, decide
from rca_kit.stats.drift.distances import chi_square, g_test, js, kl, ks, psi, wasserstein
from rca_kit.stats.drift.multiplicity import benjamini_hochberg, combine, holm, step_down
from rca_kit.stats.drift.patterns import permuted, renamed, unit_factor
from rca_kit.stats.drift.shares import cohen_h, share_change
from rca_kit.stats.drift.types import OTHER, ColumnChange, ColumnStats, Test

__all__ = [
    "LEVEL", "NEGLIGIBLE", "OTHER", "ColumnChange", "ColumnStats", "Test", "benjamini_hochberg", "chi_square", "cohen_h",
    "combine", "compare_column", "decide", "g_test", "holm", "js", "kl", "ks", "lone_column", "permuted", "psi", "renamed",
    "share_change", "step_down", "unit_factor", "wasserstein",
]
