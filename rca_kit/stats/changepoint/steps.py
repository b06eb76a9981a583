"""Did something change: search for steps and bumps under AR(1) noise whose coefficient is not known.

Every set of cuts is scored by the likelihood with the AR coefficient re-estimated for that very set, so that a level shift is
not mistaken for persistence nor persistence for level shifts. A change is added when the deviance falls by more than a
penalty that grows with the number of places it could have been in; bumps pay for both edges and the shorter the more
(Chan and Walther, doi:10.5705/ss.2011.233a, for penalties by scale).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rca_kit.stats.changepoint.gls import TINY, Whitened, bump_gains, fit_steps, rss_steps, segment_sums, step_gains, whiten
from rca_kit.stats.changepoint.series import Array
from rca_kit.stats.changepoint.tails import moments, outer_quantile

PHI_MAX = 0.8  # noise more persistent than this is called wandering: a change of level, not noise
PHI_STEP = 0.1
PHI_MAX_SHORT = 0.6  # the same when there are few values: then even 0.8 explains any movement, and nothing can be seen
SHORT, LONG = 40, 100  # numbers of values between which the limit rises
MAX_CUTS = 40  # a series with more is described by lines (segments.py)
WANDERS_AFTER = 6  # cuts that leave the coefficient at its limit: more steps will not explain the series
BUMP_RATIO = 1.3  # successive bump lengths; the best bump loses at most a few % of its gain to the grid
RSS_FLOOR = 1e-10  # per observation, after scaling to unit spread: noise-free series stay finite
BUMP_STRIDE = 12  # starts of a bump are tried every 12th of its length; both edges are then placed exactly
TOP_MOVES = 3  # moves that are scored exactly, of those ranked by their local gain
# penalties, from 400 simulated series per length (30..1000) and AR coefficient (0, .5, .6): under 2% without change pass
STEP_BASE, STEP_LOG = 12.5, 0.3
EDGE_SCALE, EDGE_SHARE = 1.5, 0.05
BUMP_BASE, BUMP_LOG, BUMP_SCALE = 13.5, 1.2, 2.0


@dataclass(frozen=True)
class Profile:
    """The best AR coefficient for one set of cuts, and the deviance there."""

    deviance: float
    phi: float


@dataclass(frozen=True)
class StepModel:
    """What the search found: cuts (positions among the observed values), the deviance with them and without any."""

    cuts: tuple[int, ...]
    profile: Profile
    null: Profile
    penalty: float  # paid for all cuts together


@dataclass(frozen=True)
class Move:
    """Cuts that could be added, the penalty they must pay, and the fall of deviance expected from their own segment."""

    added: tuple[int, ...]
    penalty: float
    gain: float
    phi: float


class Grid:
    """The series whitened for each AR coefficient of the grid, made when first asked for."""

    def __init__(self, y: Array, precision: Array, gap: Array) -> None:
        self.y, self.precision, self.gap = y, precision, gap
        self.n = len(y)
        share = min(max((self.n - SHORT) / (LONG - SHORT), 0.0), 1.0)
        self.top = round((PHI_MAX_SHORT + share * (PHI_MAX - PHI_MAX_SHORT)) / PHI_STEP)  # last point of the grid
        self._made: dict[int, Whitened] = {}

    @property
    def limit(self) -> float:
        """AR coefficient from which the noise is as persistent as is allowed."""
        return (self.top - 0.5) * PHI_STEP

    def at(self, phi: float) -> Whitened:
        """Give the series whitened for the grid value nearest to `phi`."""
        return self._at(round(phi / PHI_STEP))

    def _at(self, i: int) -> Whitened:
        if i not in self._made:
            self._made[i] = whiten(self.y, self.precision, self.gap, i * PHI_STEP)
        return self._made[i]

    def profile(self, cuts: tuple[int, ...], start: float = 0.3) -> Profile:
        """Minimise the deviance over phi: walk down the grid from `start`, then the parabola through the best three."""
        seen: dict[int, float] = {}

        def value(i: int) -> float:
            if i not in seen:
                w = self._at(i)
                seen[i] = self.n * float(np.log(rss_steps(w, cuts) / self.n + RSS_FLOOR)) + w.log_det
            return seen[i]

        i = min(max(round(start / PHI_STEP), 0), self.top)
        while True:
            near = [j for j in (i - 1, i + 1) if 0 <= j <= self.top]
            best = min(near, key=value)
            if value(best) >= value(i):
                break
            i = best
        if 0 < i < self.top:
            left, mid, right = value(i - 1), value(i), value(i + 1)
            bend = left - 2 * mid + right
            if bend > 0:
                shift = 0.5 * (left - right) / bend
                return Profile(mid - 0.25 * (left - right) * shift, (i + shift) * PHI_STEP)
        return Profile(value(i), i * PHI_STEP)


def step_penalty(n: int) -> float:
    """Fall of deviance that a step must bring in a series of n observations."""
    return STEP_BASE + STEP_LOG * float(np.log(n))


def edge_penalty(n: int, side: Array) -> Array:
    """Penalty of a step for having only `side` observations on its shorter side, where chance has more places to work."""
    return np.asarray(EDGE_SCALE * np.maximum(np.log(EDGE_SHARE * n / side), 0.0))


def bump_penalty(n: int, length: int) -> float:
    """Fall of deviance that a bump of this length must bring."""
    return BUMP_BASE + BUMP_LOG * float(np.log(n)) + BUMP_SCALE * float(np.log(n / min(length, n / 2)))


def bump_lengths(longest: int) -> list[int]:
    """Geometric grid of lengths 1 .. longest."""
    out, x = [], 1.0
    while x <= longest:
        out.append(int(x))
        x = max(x * BUMP_RATIO, int(x) + 1.0)
    return out


def moves_inside(w: Whitened, a: int, b: int, rss: float) -> list[Move]:
    """Find the best step and the best bump inside segment [a, b) at one phi."""
    if b - a < 2:
        return []
    n = w.n

    def deviance(gain: float) -> float:
        return n * float(np.log(rss / max(rss - gain, TINY + 1e-9 * rss)))

    gain, _ = step_gains(w, a, b)
    side = np.arange(1, b - a)
    edge = edge_penalty(n, np.minimum(side, side[::-1]))
    i = int(np.argmax(n * np.log(rss / np.maximum(rss - gain, 1e-9 * rss)) - edge))
    out = [Move((a + 1 + i,), step_penalty(n) + float(edge[i]), deviance(gain[i]), w.phi)]
    best: Move | None = None
    sums = segment_sums(w, a, b)
    for length in bump_lengths((b - a) // 2):
        if b - a - length < 2:
            break
        stride = max(1, length // BUMP_STRIDE)
        gain = bump_gains(w, a, b, length, sums, stride)
        i = int(np.argmax(gain))
        first = a + 1 + i * stride
        move = Move((first, first + length), bump_penalty(n, length), deviance(gain[i]), w.phi)
        if best is None or move.gain - move.penalty > best.gain - best.penalty:
            best = move
    return out if best is None else [*out, best]


def search_steps(grid: Grid) -> StepModel:
    """Find the cuts that pay for themselves: add the best step or bump while one pays, then polish and prune."""
    n = grid.n
    null = current = grid.profile(())
    cuts: tuple[int, ...] = ()
    cache: dict[tuple[float, int, int], list[Move]] = {}
    while len(cuts) < MAX_CUTS:
        options: dict[tuple[int, ...], Move] = {}
        edges = (0, *cuts, n)
        for phi in scan_phis(current.phi):
            w = grid.at(phi)
            rss = max(rss_steps(w, cuts), TINY)
            found: list[Move] = []
            for a, b in pairwise(edges):
                if (w.phi, a, b) not in cache:
                    cache[w.phi, a, b] = moves_inside(w, a, b, rss)
                found += cache[w.phi, a, b]
            for size in (1, 2):
                ranked = sorted((m for m in found if len(m.added) == size), key=lambda m: m.penalty - m.gain)
                options |= {m.added: m for m in ranked[:TOP_MOVES if cuts else 1]}
        paying: list[tuple[float, tuple[int, ...], Profile, Move]] = []
        for move in options.values():
            trial = tuple(sorted({*cuts, *move.added}))
            profile = grid.profile(trial, move.phi)
            worth = current.deviance - profile.deviance - move.penalty
            if worth > 0:
                paying.append((worth, trial, profile, move))
        paying.sort(key=lambda x: -x[0])
        best = next((x for x in paying if beyond_tails(grid, x[1], x[3], x[0] + x[3].penalty)), None)
        if best is None:
            break
        cuts = polish(grid, best[1], best[2].phi)
        current = grid.profile(cuts, best[2].phi)
        if len(cuts) >= WANDERS_AFTER and current.phi >= grid.limit:
            break
    return prune(grid, cuts, current, null)


def beyond_tails(grid: Grid, cuts: tuple[int, ...], move: Move, gain: float) -> bool:
    """Whether the gain also pays where skewness and heavy tails of the noise push the threshold out.

    The change is measured over its shortest side, where a sum is furthest from normal.
    """
    w = grid.at(move.phi)
    levels = np.repeat(fit_steps(w, cuts).levels, np.diff((0, *cuts, grid.n)))
    skew, kurt = moments((grid.y - levels) * grid.precision)
    if skew == 0 and kurt == 0:
        return True
    i = cuts.index(move.added[0])
    edges = (0, *cuts, grid.n)
    left, right = edges[i + 1] - edges[i], edges[i + 2] - edges[i + 1]
    up = levels[cuts[i]] > levels[cuts[i] - 1]
    if left < right:  # the short side is the one before
        up = not up
    limit = outer_quantile(float(np.sqrt(move.penalty)), min(left, right), skew if up else -skew, kurt)
    return bool(gain > limit * limit)


def scan_phis(phi: float) -> list[float]:
    """AR coefficients to scan at: an unseen step inflates the estimate, so lower ones are tried too."""
    top = round(phi, 1)
    return [top, round(top / 2, 1)] if top >= 0.2 else [top]


def polish(grid: Grid, cuts: tuple[int, ...], phi: float, rounds: int = 3) -> tuple[int, ...]:
    """Move each cut to its best place between its neighbours until none moves."""
    w = grid.at(phi)
    now = list(cuts)
    for _ in range(rounds):
        before = list(now)
        for i in range(len(now)):
            a = now[i - 1] if i else 0
            b = now[i + 1] if i + 1 < len(now) else grid.n
            gain, _ = step_gains(w, a, b)
            now[i] = a + 1 + int(np.argmax(gain))
        if now == before:
            break
    return tuple(now)


def prune(grid: Grid, cuts: tuple[int, ...], current: Profile, null: Profile) -> StepModel:
    """Drop cuts, single or in neighbouring pairs, that no longer pay."""
    n = grid.n
    while cuts:
        options: list[tuple[float, tuple[int, ...], Profile]] = []
        for i in range(len(cuts)):
            rest = cuts[:i] + cuts[i + 1 :]
            profile = grid.profile(rest, current.phi) if rest else null
            options.append((step_penalty(n) - (profile.deviance - current.deviance), rest, profile))
            if i + 1 < len(cuts):
                rest = cuts[:i] + cuts[i + 2 :]
                profile = grid.profile(rest, current.phi) if rest else null
                pay = bump_penalty(n, cuts[i + 1] - cuts[i])
                options.append((pay - (profile.deviance - current.deviance), rest, profile))
        worth, rest, profile = max(options, key=lambda o: o[0])
        if worth <= 0:
            break
        cuts, current = rest, profile
    return StepModel(cuts, current, null, len(cuts) * step_penalty(n))
