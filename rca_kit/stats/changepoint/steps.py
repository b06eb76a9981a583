"""Did something change: search for steps and bumps under AR(1) noise whose coefficient is not known.

Every set of cuts is scored by the likelihood with the AR coefficient re-estimated for that very set, so that a level shift is
not mistaken for persistence nor persistence for level shifts. A change is added when the deviance falls by more than a
penalty that grows with the number of places it could have been in; bumps pay for both edges and the shorter the more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rca_kit.stats.changepoint.gls import Whitened, bump_gains, fit_steps, step_gains, whiten
from rca_kit.stats.changepoint.series import Array

PHI_MAX = 0.8  # noise more persistent than this is called wandering: a change of level, not noise
PHI_GRID = tuple(round(0.1 * i, 1) for i in range(9))
MAX_CUTS = 60  # a series with more is described by lines (segments.py)
BUMP_RATIO = 1.3  # successive bump lengths; the best bump loses at most a few % of its gain to the grid
RSS_FLOOR = 1e-10  # per observation, after scaling to unit spread: noise-free series stay finite
STEP_BASE, STEP_LOG = 12.0, 0.3  # penalty of a step: calibrated so that under 2% of AR(1) series without change pass
BUMP_BASE, BUMP_LOG = 11.5, 2.0


@dataclass(frozen=True)
class Profile:
    """The best AR coefficient for one set of cuts, and the deviance there."""

    deviance: float
    phi: float


@dataclass(frozen=True)
class StepModel:
    """What the search found: cuts (positions among the observed values) and the deviance of each model on the way."""

    cuts: tuple[int, ...]
    profile: Profile
    null: Profile
    gain: float  # fall of the deviance from no change to this


class Grid:
    """The series whitened for each AR coefficient of the grid, made when first asked for."""

    def __init__(self, y: Array, precision: Array, gap: Array) -> None:
        self.y, self.precision, self.gap = y, precision, gap
        self.n = len(y)
        self._made: dict[float, Whitened] = {}

    def at(self, phi: float) -> Whitened:
        """The series whitened for `phi`."""
        key = round(phi, 3)
        if key not in self._made:
            self._made[key] = whiten(self.y, self.precision, self.gap, key)
        return self._made[key]

    def deviance(self, cuts: tuple[int, ...], phi: float) -> float:
        """Minus twice the log-likelihood with level and scale at their best, up to a constant."""
        w = self.at(phi)
        return self.n * float(np.log(fit_steps(w, cuts).rss / self.n + RSS_FLOOR)) + w.log_det

    def profile(self, cuts: tuple[int, ...]) -> Profile:
        """Minimise the deviance over phi: the grid, then the parabola through the best three points."""
        values = [self.deviance(cuts, phi) for phi in PHI_GRID]
        i = int(np.argmin(values))
        if 0 < i < len(values) - 1:
            left, mid, right = values[i - 1 : i + 2]
            bend = left - 2 * mid + right
            if bend > 0:
                shift = 0.5 * (left - right) / bend
                return Profile(mid - 0.25 * (left - right) * shift, float(PHI_GRID[i] + 0.1 * shift))
        return Profile(values[i], PHI_GRID[i])


def step_penalty(n: int) -> float:
    """Fall of deviance that a step must bring in a series of n observations."""
    return STEP_BASE + STEP_LOG * float(np.log(n))


def bump_penalty(n: int, length: int) -> float:
    """Fall of deviance that a bump of this length must bring."""
    return BUMP_BASE + 1.2 * float(np.log(n)) + BUMP_LOG * float(np.log(n / min(length, n / 2)))


def bump_lengths(longest: int) -> list[int]:
    """Geometric grid of lengths 1 .. longest."""
    out, x = [], 1.0
    while x <= longest:
        if not out or int(x) != out[-1]:
            out.append(int(x))
        x = max(x * BUMP_RATIO, int(x) + 1.0)
    return out


Move = tuple[tuple[int, ...], float]  # cuts to add, penalty they must pay


def _moves(w: Whitened, a: int, b: int, n: int) -> list[Move]:
    """The best step and the best bump inside segment [a, b) at one phi."""
    out: list[Move] = []
    if b - a < 2:
        return out
    gain, _ = step_gains(w, a, b)
    out.append(((a + 1 + int(np.argmax(gain)),), step_penalty(n)))
    best, move = -np.inf, None
    rss = max(fit_steps(w, ()).rss, 1e-12)
    for length in bump_lengths((b - a) // 2):
        if b - a - length < 2:
            break
        g = bump_gains(w, a, b, length)
        i = int(np.argmax(g))
        worth = n * float(np.log1p(g[i] / max(rss - g[i], 1e-12))) - bump_penalty(n, length)
        if worth > best:
            best, move = worth, ((a + 1 + i, a + 1 + i + length), bump_penalty(n, length))
    if move is not None:
        out.append(move)
    return out


def search_steps(grid: Grid) -> StepModel:
    """Find the cuts that pay for themselves: add the best step or bump while one pays, then polish and prune."""
    n = grid.n
    null = grid.profile(())
    cuts: tuple[int, ...] = ()
    current = null
    cache: dict[tuple[float, int, int], list[Move]] = {}
    while len(cuts) < MAX_CUTS:
        best: tuple[float, tuple[int, ...], Profile] | None = None
        seen: set[tuple[int, ...]] = set()
        for phi in scan_phis(current.phi):
            w = grid.at(phi)
            edges = (0, *cuts, n)
            for a, b in zip(edges[:-1], edges[1:], strict=True):
                if (phi, a, b) not in cache:
                    cache[phi, a, b] = _moves(w, a, b, n)
                for added, penalty in cache[phi, a, b]:
                    if added in seen:
                        continue
                    seen.add(added)
                    trial = tuple(sorted({*cuts, *added}))
                    profile = grid.profile(trial)
                    worth = current.deviance - profile.deviance - penalty
                    if worth > 0 and (best is None or worth > best[0]):
                        best = (worth, trial, profile)
        if best is None:
            break
        cuts, current = best[1], best[2]
        cuts = polish(grid, cuts, current.phi)
        current = grid.profile(cuts)
    cuts, current = prune(grid, cuts, current)
    return StepModel(cuts, current, null, null.deviance - current.deviance)


def scan_phis(phi: float) -> list[float]:
    """AR coefficients to scan at: an unseen step inflates the estimate, so lower ones are tried too."""
    top = round(phi, 1)
    return sorted({top, round(top / 2, 1), 0.0}) if top >= 0.2 else sorted({top, 0.0})


def polish(grid: Grid, cuts: tuple[int, ...], phi: float, rounds: int = 3) -> tuple[int, ...]:
    """Move each cut to its best place between its neighbours until none moves."""
    w = grid.at(round(phi, 1))
    now = list(cuts)
    for _ in range(rounds):
        moved = False
        for i in range(len(now)):
            a = now[i - 1] if i else 0
            b = now[i + 1] if i + 1 < len(now) else grid.n
            if b - a < 2:
                continue
            gain, _ = step_gains(w, a, b)
            place = a + 1 + int(np.argmax(gain))
            if place != now[i]:
                now[i], moved = place, True
        if not moved:
            break
    return tuple(now)


def prune(grid: Grid, cuts: tuple[int, ...], current: Profile) -> tuple[tuple[int, ...], Profile]:
    """Drop cuts, single or in neighbouring pairs, that no longer pay."""
    n = grid.n
    while cuts:
        options: list[tuple[float, tuple[int, ...], Profile]] = []
        for i in range(len(cuts)):
            rest = cuts[:i] + cuts[i + 1 :]
            profile = grid.profile(rest)
            options.append((step_penalty(n) - (profile.deviance - current.deviance), rest, profile))
            if i + 1 < len(cuts):
                rest = cuts[:i] + cuts[i + 2 :]
                profile = grid.profile(rest)
                pay = bump_penalty(n, cuts[i + 1] - cuts[i])
                options.append((pay - (profile.deviance - current.deviance), rest, profile))
        worth, rest, profile = max(options, key=lambda o: o[0])
        if worth <= 0:
            break
        cuts, current = rest, profile
    return cuts, current
