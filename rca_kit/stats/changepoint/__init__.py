"""Change points of a metric's series: when, how much, which shape. Positions and intervals are half-open."""

from rca_kit.stats.changepoint.find import find_changes
from rca_kit.stats.changepoint.result import Change, ChangePoints

__all__ = ["Change", "ChangePoints", "find_changes"]
