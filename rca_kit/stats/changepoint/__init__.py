"""Change points of a metric's series: when, how much, which shape. Positions and intervals are half-open."""

from rca_kit.stats.changepoint.find import find_changes
from rca_kit.stats.changepoint.interrupted import InterruptedFit, interrupted_time_series
from rca_kit.stats.changepoint.onset import onset_interval
from rca_kit.stats.changepoint.result import Change, ChangePoints
from rca_kit.stats.changepoint.shape import shape_of

__all__ = ["Change", "ChangePoints", "InterruptedFit", "find_changes", "interrupted_time_series", "onset_interval", "shape_of"]
