"""Fixed cells for numbers and fixed blocks for time: what makes two profiles mergeable and comparable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HALF = 256  # cells on each side of the centre
CELLS = 2 * HALF
HEAD = 4096  # rows from which centre and scale of the cells are taken; any values will do, since cells reach everywhere

DAY = 86_400_000_000  # all times are microseconds since 1970, UTC
HOUR = 3_600_000_000
SECOND = 1_000_000
# Widths that divide a day, so that blocks of different days fall on the same hours.
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400)
WIDTHS = tuple(s * SECOND for s in _SECONDS)
BLOCKS = 192  # at most about so many blocks per side: enough to see autocorrelation, few enough for 100 columns in little memory
ROWS_PER_BLOCK = 16  # at least so many rows in a block of row order


@dataclass(frozen=True)
class NumberGrid:
    """512 cells that are narrow near `center` and grow with the distance from it, out to 65,000 `scale`.

    With ``y = (x - center) / scale`` and ``k = floor(256 - 256 / (1 + sqrt|y|))``, at most 255, a value falls into cell
    256 + k, or 255 - k when y < 0: plain arithmetic, which every engine does alike. Infinities fall into the end cells.

    Examples
    --------
    >>> grid = NumberGrid(center=0.0, scale=1.0)
    >>> grid.cell(np.array([-np.inf, -1.0, 0.0, 1.0, np.inf])).tolist()
    [0, 127, 256, 384, 511]
    """

    center: float
    scale: float

    @classmethod
    def of(cls, values: Floats) -> NumberGrid:
        """Centre on the median, scaled by half the interquartile range (or what spread there is)."""
        finite = values[np.isfinite(values)]
        if not len(finite):
            return cls(0.0, 1.0)
        low, middle, high = (float(q) for q in np.quantile(finite, [0.25, 0.5, 0.75]))
        spread = (high - low) / 2 or float(np.mean(np.abs(finite - middle))) or abs(middle) / 8 or 1.0
        return cls(middle, spread) if np.isfinite(spread) and spread > 0 else cls(middle, 1.0)

    def cell(self, values: Floats) -> NDArray[np.int32]:
        """Cell number 0..511 of each value, shape as given; NaN is not allowed."""
        y = (values - self.center) * (1.0 / self.scale)
        return self.cell_of_scaled(y, np.empty_like(y), np.empty(y.shape, np.int32))

    @staticmethod
    def cell_of_scaled(y: Floats, scratch: Floats, code: NDArray[np.int32]) -> NDArray[np.int32]:
        """Write the cell number of each (x - center) / scale into `code`, without new memory."""
        np.abs(y, out=scratch)
        np.sqrt(scratch, out=scratch)
        np.add(scratch, 1.0, out=scratch)
        np.divide(-float(HALF), scratch, out=scratch)
        np.add(scratch, float(HALF), out=scratch)
        np.copyto(code, scratch, casting="unsafe")
        np.minimum(code, HALF - 1, out=code)
        below = np.less(y, 0.0).view(np.int8)
        np.negative(below, out=below)
        np.bitwise_xor(code, below, out=code)  # -1 - code where y < 0
        np.add(code, HALF, out=code)
        return code

    def edges(self) -> Floats:
        """Inner edges, ascending, shape (511,)."""
        j = np.arange(HALF, dtype=float)
        distance = (j / (HALF - j)) ** 2 * self.scale
        return np.concatenate([self.center - distance[:0:-1], self.center + distance])


@dataclass(frozen=True)
class BlockPlan:
    """Blocks of time, ``[origin + i width, origin + (i + 1) width)`` in microseconds, or of rows when `time` is None.

    Examples
    --------
    >>> plan = BlockPlan.of_time("ts", 0, 2 * DAY)
    >>> plan.width // 60_000_000, plan.count
    (20, 145)
    """

    time: str | None
    origin: int
    width: int
    count: int

    @classmethod
    def of_time(cls, column: str, first: int, last: int) -> BlockPlan:
        """Choose a width that divides a day and gives up to 192 blocks between two times (microseconds, both included)."""
        span = max(last - first, 1)
        width = next((w for w in WIDTHS if span // w + 2 <= BLOCKS), None)
        if width is None:
            width = DAY * (span // DAY // BLOCKS + 1)
        if span < 64 * SECOND:  # a burst: seconds would leave too few blocks
            width = max(span // (BLOCKS // 2), 1)
        origin = first // width * width
        return cls(column, origin, width, (last - origin) // width + 1)

    @classmethod
    def of_rows(cls, rows: int) -> BlockPlan:
        """Cut rows, in the order they come, into blocks of at least 16."""
        width = max(ROWS_PER_BLOCK, -(-rows // (BLOCKS * 2 // 3)))
        return cls(None, 0, width, max(1, -(-rows // width)))

    def block(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Block number of each time (microseconds) or row number, kept inside 0..count-1."""
        out = values - self.origin
        out //= self.width
        return np.asarray(np.clip(out, 0, self.count - 1), np.int64)

    def covers(self, time: str, first: int, last: int) -> bool:
        """Whether these are blocks of that column and hold all times from first to last."""
        return self.time == time and self.origin <= first and last < self.origin + self.width * self.count

    def starts(self) -> NDArray[np.int64] | None:
        """Start of each block in microseconds, shape (count,); None for blocks of rows."""
        return None if self.time is None else self.origin + self.width * np.arange(self.count, dtype=np.int64)
