"""When it began: one onset for the series that moved together, as a step sharpened on fine buckets or as a ramp's start."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.grid import DAY_S, TimeGrid
from rca_kit.loop.reading.birth import birth
from rca_kit.loop.reading.detect import OUTCOMES, Move, observe, season_for
from rca_kit.loop.reading.load import busy_since, log_sum, middle_of
from rca_kit.loop.reading.series import Series
from rca_kit.stats.stepshapes import gradual_profile, staged_profile

Floats = NDArray[np.float64]

AGE_WORDS = ("age", "lag", "fresh", "stale")  # in the names of metrics that grow until the next refresh
AGE_MARGIN = 0.05  # beyond the oldest ever seen
EARLY = 0.6  # part of the log before the scanned start that tells how old is usual
UNSEEN = 0.0005  # share below which a value was not there
# buckets after its first request, and the part of them that must hold it, or of its later share, for a value to have come to stay
STAYS_FOR, STAYS, FILLS = 6, 0.8, 0.3
GRADUAL_PRIOR = 0.3  # changes that come on gradually; most faults are switched on
# nats beyond one step, and an even rise, from which two stages are believed, as few changes come so; part of all evidence that
# a first stage must add, or it is the load of the hours before; seconds between them at most
STAGED_CLEAR, STAGED_PART, STAGES_S = 5.0, 0.03, 6 * 3600
# families that a rollout stirs
STAGED = ("quality", "service", "kpi", "nulls", "output_nulls", "output", "stage", "segment", "input")
STAGE_LEAST = 2  # coarse buckets that a stage lasts; a shorter one is the bucket that a step lies in
GRADUAL_LEAST = 3  # coarse buckets of rise; a shorter one cannot be told from a step
# nats beyond even odds from which the others tell a rise that the anchor leaves open, and by which it may speak for a step
GRADUAL_CLEAR, GRADUAL_DOUBT = 3.0, 2.0
CLEARER, VALUES = 2.0, ("input", "nulls", "output", "output_nulls")  # times the anchor's evidence, and families, to tell it alone
GRADUAL_SHARP = 0.05  # part of the log within which they must then know its start
AT_ONCE = 3  # coarse buckets within which a start is known for it to have been a step
AGREES = 4.0  # nats below its own best that a series may lose by taking part in the anchor's change
IN_SIGHT = 3.0  # nats below the anchor's best at which a start and end are still its own


@dataclass(frozen=True)
class JointOnset:
    """Onset in fine buckets with a 90 % interval (both ends included), who decided it, and whether it came on slowly."""

    index: int
    low: int
    high: int
    lead: str
    gradual: bool = False


def joint_onset(group: Sequence[Move], grid: TimeGrid, others: Iterable[Move] = ()) -> JointOnset:
    """Find the start of a change that several series share.

    A ramp, where the series together speak for one, is dated by its posterior; `others` may join it, for a series that rose
    slowly is often best fitted by a step of its own further on. A step is sharpened on fine buckets: the log-likelihoods of a
    step at each are added over series, divided by the root of their number, since series that move together share noise.
    """
    anchor, others = group[0], list(others)
    family = [m for m in (anchor, *group[1:], *others) if m.moved and m.series.column == anchor.series.column]
    births = [b for m in family if (b := appearance(m)) is not None] if anchor.series.family in ("mix", "version") else []
    if births:
        born = min(births)
        at = born * grid.coarse
        return JointOnset(at, at, min(at + grid.coarse - 1, grid.n - 1), anchor.series.name)
    overdue = refresh_onset(anchor, {m.series.name: m for m in (*group[1:], *others)}.values())
    if overdue is not None:
        return overdue
    busy = loaded_onset(group, others, grid)
    slow = busy or staged_onset(anchor, grid) or gradual_onset(group, others, grid)
    if slow is not None and not (busy is not None and _at_once(anchor, busy)):
        return _first_failures(anchor, slow) or slow
    group = [m for m in group if not _follows(m, anchor)]
    sharp = [m for m in group if m.scan.kind in ("step", "box") and not m.series.coarse]
    low, high = _range(group if sharp else [anchor])
    if anchor.series.coarse and anchor.scan.kind == "step":
        near = anchor.reach()
        low, high = min(low, near[0]), max(high, near[1])
    a, b = max((low - 1) * grid.coarse, 1), min((high + 2) * grid.coarse, grid.n - 1)
    profiles = {m.series.name: p for m in sharp if (p := _profile(m, a, b)) is not None}
    if not profiles:
        return _from_coarse(anchor, grid)
    total = np.sum(list(profiles.values()), axis=0) / math.sqrt(len(profiles))
    if anchor.series.coarse and anchor.scan.kind == "step":  # kept by coarse bucket only, and still what this is about
        total = total + 0.5 * anchor.scan.profile[np.minimum(np.arange(a, b) // grid.coarse, grid.n_coarse - 1)]
    weight = np.exp(total - total.max())
    weight /= weight.sum()
    cumulative = np.cumsum(weight)
    best = total.size - 1 - int(np.argmax(total[::-1]))  # of buckets without rows in between the last: the first that shows it
    lo, hi = int(np.searchsorted(cumulative, 0.05)), int(np.searchsorted(cumulative, 0.95))
    lead = max(profiles, key=lambda k: float(np.ptp(profiles[k])))
    return JointOnset(a + best, a + min(lo, best), a + max(hi, best), lead)


def staged_onset(anchor: Move, grid: TimeGrid) -> JointOnset | None:
    """Start of a change that came in two stages, as of a rollout; None when one step, or an even rise, tells it as well.

    Every pair of stages within `STAGES_S` is weighed against every step and every rise, with flat priors on where they lie, and
    half a logarithm of the buckets for the height that they have more than a step (Schwarz 1978).
    """
    if anchor.scan.kind == "box" or anchor.series.family not in STAGED:
        return None
    value, error, _ = observe(anchor.series)
    phase, day = season_for(anchor.series, grid)
    able = anchor.scan.profile > 0
    pairs = staged_profile(value, error, anchor.scan, phase=phase, day=day) / 2
    pairs[~able] = 0.0
    n = able.size
    at = np.arange(n)
    apart = at[None, :] - at[:, None]
    fine = (pairs > 0) & (apart >= STAGE_LEAST) & (apart * grid.coarse_s <= STAGES_S)
    rises = gradual_profile(value, error, anchor.scan, phase=phase, day=day) / 2
    rises[~able] = 0.0
    risen = rises[rises > 0]
    if not fine.any() or not risen.size:
        return None
    staged = log_sum(pairs[fine]) - math.log(float(fine.sum())) - 0.5 * math.log(n)
    step = log_sum(anchor.scan.profile[able] / 2) - math.log(float(able.sum()))
    rise = log_sum(risen) - math.log(risen.size)
    small = float(pairs[fine].max()) < (1 + STAGED_PART) * float(anchor.scan.profile.max()) / 2
    if small or staged <= max(step, rise) + STAGED_CLEAR:
        return None
    low, middle, high = middle_of(np.where(fine, np.exp(pairs - pairs[fine].max()), 0.0).sum(1))
    c = grid.coarse
    return JointOnset(middle * c, low * c, min((high + 1) * c, grid.n) - 1, anchor.series.name, gradual=True)


def gradual_onset(group: Sequence[Move], others: Iterable[Move], grid: TimeGrid) -> JointOnset | None:
    """Start of a change that came on gradually; None when a step tells it as well.

    Every pair of start and end of the rise is weighed: a flat prior on starts, one on lengths that favours the short, and
    `GRADUAL_PRIOR` on there being a rise at all; the anchor alone must tell it too. Series join whose own best rise is hardly
    better than the anchor's. What the model is given or answers may tell by itself, and far more clearly than an outcome.
    """
    anchor = group[0]
    if anchor.scan.kind == "box" or anchor.series.family == "version":
        return None
    if anchor.series.family == "labels" and anchor.scan.kind == "step":  # those on their way fall off at the end in any case
        return None

    def profile(m: Move) -> Floats:
        value, error, _ = observe(m.series)
        phase, day = season_for(m.series, grid)
        return gradual_profile(value, error, m.scan, phase=phase, day=day) / 2

    able = anchor.scan.profile > 0
    own = profile(anchor)
    own[~able] = 0.0
    sight = own >= own.max() - IN_SIGHT
    total, members, clearest = own.copy(), 1, own
    for m in {m.series.name: m for m in (*group[1:], *others)}.values():
        if m is anchor or not m.moved or m.scan.kind == "box" or m.series.family in ("mix", "version", "helper", "labels"):
            continue
        if anchor.series.family == "mix":  # what else moved has a season and a pace of its own
            continue
        p = profile(m)
        if p[sight].max() >= p[able].max() - AGREES:
            total, members = total + p, members + 1
            clearest = p if m in group and m.series.family in VALUES and p.max() > clearest.max() else clearest
    total /= math.sqrt(members)
    n = total.shape[0]
    length = np.arange(n + 1)[None, :] - np.arange(n)[:, None]
    step, rise = (length == 1) & able[:, None], (length >= GRADUAL_LEAST) & able[:, None]
    if not step.any() or not rise.any():
        return None
    lengths = np.arange(GRADUAL_LEAST, n + 1)
    log_length = -np.log(np.maximum(length, 1)) - math.log(float((1 / lengths).sum()))

    def says(p: Floats) -> float:
        return log_sum((p + log_length)[rise]) - log_sum(p[step])

    odds, anchor_says, together_says = math.log(1 / GRADUAL_PRIOR - 1), says(own), says(total)
    told = min(together_says, anchor_says) > odds
    if not told and anchor_says <= -GRADUAL_DOUBT:
        return None
    if not told and together_says <= odds + GRADUAL_CLEAR:
        if clearest.max() < CLEARER * own.max() or says(clearest) <= odds + GRADUAL_CLEAR:
            return None
        total = clearest
    slow = np.where(rise, total + log_length, -np.inf)
    low, middle, high = middle_of(np.exp(slow - slow[rise].max()).sum(1))
    if not told and high - low > GRADUAL_SHARP * n:
        return None
    c = grid.coarse
    return JointOnset(middle * c, low * c, min((high + 1) * c, grid.n) - 1, anchor.series.name, gradual=True)


def _first_failures(anchor: Move, was: JointOnset) -> JointOnset | None:
    """A slow change of what hardly ever happened before, by the first of its events: they know it to the bucket."""
    s = anchor.series
    if s.coarse or not s.counts or anchor.fit.height < 0:
        return None
    born = birth(s.sums[0], s.sums[1], was.low, anchor.scan.phi)
    day = DAY_S // s.grid.width_s
    if born is None or not was.low - day <= born.index <= was.high + day:
        return None
    return JointOnset(born.index, born.low, born.high, s.name, gradual=True)


def loaded_onset(group: Sequence[Move], others: Iterable[Move], grid: TimeGrid) -> JointOnset | None:
    """Start of a change that follows the load, as of a pool or a quota that is too small in busy hours; None where none does."""
    anchor = group[0]
    volume = next((m.series for m in others if m.series.name == "volume"), None)
    if volume is None or anchor.scan.kind == "box" or anchor.series.family not in ("service", "output_nulls", "stage"):
        return None
    value, error, _ = observe(anchor.series)
    phase, day = season_for(anchor.series, grid)
    since = busy_since(value, error, anchor.scan, volume.coarse_sum(0), phase, day)
    if since is None:
        return None
    low, middle, high = since
    c = grid.coarse
    if (high - low) * c > DAY_S // grid.width_s:  # more load than ever: since when it would have hurt is anybody's guess
        return None
    return JointOnset(middle * c, low * c, min((high + 1) * c, grid.n) - 1, anchor.series.name, gradual=True)


def _at_once(anchor: Move, busy: JointOnset) -> bool:
    """Whether a change that follows the load began in the middle of it, with a step that fine buckets tell better."""
    c, (first, last) = anchor.series.grid.coarse, anchor.reach()
    return busy.high - busy.low < AT_ONCE * c and first * c <= busy.high and busy.low < (last + 1) * c


def is_age(series: Series) -> bool:
    """Whether a component's metric tells how old its data are."""
    return series.family == "component" and any(w in series.name.rsplit(":", 1)[-1].lower() for w in AGE_WORDS)


def missed_refresh(move: Move) -> tuple[int, int] | None:
    """Fine buckets of an age's last refresh, and of the first moment at which it is older than ever: the next one did not come.

    None for what is no age, and for ages that came back to what they used to be.
    """
    s = move.series
    if not is_age(s) or move.fit.height < 0:
        return None
    value = s.buckets().value
    seen = np.flatnonzero(np.isfinite(value))
    early = seen[seen < move.reach()[0] * s.grid.coarse]
    early = early[: int(EARLY * early.size)]  # the scan's step lies in the middle of the growth
    if early.size < 10:
        return None
    usual = float(value[early].max()) * (1 + AGE_MARGIN)
    within = seen[value[seen] <= usual]
    late = seen[seen > within[-1]]
    if late.size < 2:
        return None
    grown = np.diff(value[within])
    falls = within[1:][grown < 0 if (grown < 0).any() else grown <= 0]  # always as old: new data came each time
    return int(falls[-1]) if falls.size else int(within[0]), int(late[0])


def refresh_onset(age: Move, others: Iterable[Move]) -> JointOnset | None:
    """Onset of a refresh that did not come: half-way to when it was overdue, or sooner where an outcome fell sooner.

    The data grow old from the last refresh on, and are known to be older than usual only once the next one is overdue.
    """
    missed = missed_refresh(age)
    if missed is None:
        return None
    grid = age.series.grid
    low, high = missed
    c, steps = grid.coarse, [m for m in others if m.moved and m.series.family in OUTCOMES and m.scan.kind == "step"]
    starts = [m.fit.start * c for m in steps if low <= (m.reach()[0] + 1) * c and (m.reach()[1] + 1) * c <= high]
    at = min([(low + high) // 2, *(max(s, low) for s in starts)])
    return JointOnset(at, min(low, at), max(high, at), age.series.name)


def appearance(move: Move) -> int | None:
    """Coarse bucket in which a value that was not there before first stays; None for values that were."""
    s = move.series
    if s.family not in ("mix", "version") or move.fit.height < 0:
        return None
    k, n = s.sums
    later = k[move.fit.start :].sum() / max(n[move.fit.start :].sum(), 1.0)
    for i in np.flatnonzero(k > 0):
        here = slice(i, i + STAYS_FOR)
        if (k[here] > 0).mean() >= STAYS or k[here].sum() >= max(FILLS * later * n[here].sum(), 2):
            quiet = k[:i].sum() <= UNSEEN * n[:i].sum()
            return int(i) if quiet and i > 0 and move.fit.start - int(i) <= k.size // 4 else None
    return None


def _follows(move: Move, anchor: Move) -> bool:
    """Whether a series moved surely later than an anchor that knows its own moment, and less clearly."""
    known = anchor.scan.kind in ("step", "box") and not anchor.series.coarse
    return known and move.reach()[0] > anchor.reach()[1] and abs(move.fit.z) < abs(anchor.fit.z)


def _range(group: Sequence[Move]) -> tuple[int, int]:
    """Buckets where the onset may lie: the reach of the sharpest member, of several the one that stands out most."""
    reaches = [(m.reach(), abs(m.fit.z)) for m in group]
    return min(reaches, key=lambda r: (r[0][1] - r[0][0], -r[1], r[0][0]))[0]


def _from_coarse(anchor: Move, grid: TimeGrid) -> JointOnset:
    low, high = anchor.reach()
    start = anchor.fit.start
    return JointOnset(start * grid.coarse, low * grid.coarse, min((high + 1) * grid.coarse, grid.n - 1), anchor.series.name)


def _profile(move: Move, a: int, b: int) -> Floats | None:
    """Log-likelihood of a step at each fine bucket in [a, b), the levels taken from either side of the range."""
    s = move.series
    factor = s.grid.coarse
    fit = move.fit
    season = np.repeat(move.scan.season, factor)[: s.n_buckets]
    width = b - a
    left = slice(max(0, a - 8 * max(width, factor)), a)
    end = min(fit.end * factor, s.n_buckets)
    right = slice(b, max(min(end, b + 8 * max(width, factor)), b + 1))
    value, error, n = s.buckets()
    value, n = np.where(np.isfinite(value), value, 0.0), np.where(np.isfinite(value), n, 0.0)
    if s.log:
        value = np.where(n > 0, np.log(np.maximum(value, 1e-12)), 0.0)
    before, after = _level(value - season, n, left), _level(value - season, n, right)
    if before is None or after is None or before == after:
        return None
    x, w = (value - season)[a:b], n[a:b]
    if s.counts:
        k = value[a:b] * w
        p, q = (np.clip(np.array(v) + season[a:b], 1e-4, 1 - 1e-4) for v in (before, after))
        gain = k * np.log(q / p) + (w - k) * np.log((1 - q) / (1 - p))
    else:
        many = n > 1
        own = (error[many] / (value[many] if s.log else 1.0)) ** 2 * n[many]
        own = own[np.isfinite(own) & (own > 0)]
        unit = float(np.median(own)) if own.size else float(np.var(value[left])) or 1.0
        gain = w / (2 * unit) * ((x - before) ** 2 - (x - after) ** 2)
    gain = gain / max(move.scan.phi, 1.0) ** 2
    # a step at t puts bucket t and later on the new level
    return np.asarray(np.cumsum(gain[::-1])[::-1])


def _level(value: Floats, n: Floats, where: slice) -> float | None:
    total = n[where].sum()
    return float((value[where] * n[where]).sum() / total) if total > 0 else None
