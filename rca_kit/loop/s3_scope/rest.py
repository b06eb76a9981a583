"""What the rows outside some segments did meanwhile: a segment is the scope only where they stood still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rca_kit.aggregates.leaves import Leaves
from rca_kit.findings.scope import Segment
from rca_kit.loop.s3_scope.slicing import inside_leaves
from rca_kit.stats.segments import Counts, Means
from rca_kit.stats.segments.evidence import sum_columns


@dataclass(frozen=True)
class Rest:
    """The rows outside some segments, before and after.

    Attributes
    ----------
    share : float
        Part of the net change that lies outside.
    drift : float
        Change per row outside, as part of that inside; negative where they moved apart.
    log_p : float
        Two-sided log p-value of the change outside.
    """

    share: float
    drift: float
    log_p: float


def rest_of(table: Leaves, measure: Counts | Means, segments: Sequence[Segment]) -> Rest:
    """Compare the rows outside the segments, as the table's leaves hold them, before and after."""
    inside = np.any([inside_leaves(table, s.where) for s in segments], axis=0)
    fitted = measure.fitted(table.codes, table.cardinalities)
    parts, impact = fitted.parts(), fitted.impact()
    own, rest = sum_columns(parts, inside), sum_columns(parts, ~inside)
    apart = fitted.contrast(own, rest, 0.0)
    still = fitted.contrast(rest, np.zeros_like(rest), fitted.unrest(~inside))
    net = float(impact.sum())
    return Rest(float(impact[~inside].sum()) / net if net else 0.0, apart.drift, still.log_p)
