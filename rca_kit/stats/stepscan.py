"""Scan one series for a step, a box (step and back) or a ramp, jointly with its daily and weekly season and AR(1) noise.

Every step, and hence every box and ramp, is a column of one design; after projecting out the season all of them are tested
by generalised least squares from one Gram matrix. For one step this is the likelihood-ratio scan of Hinkley (1970,
doi:10.1093/biomet/57.1.1) with the season profiled out; AR(1) by the Prais-Winsten transform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, log_ndtr, stdtr

from rca_kit.stats.step_system import StepSystem

Floats = NDArray[np.float64]

MIN_POINTS = 12  # below this neither noise nor season can be told from a change
MIN_BOX = 2  # one bucket alone is an outlier until a second one agrees
BOX_LOOKS = 16.0  # effective number of lengths looked at per start: about 2 log2(n)
SPARSE = 0.5  # counters that are mostly zero have no median deviation; their noise is at least this part of the standard one
MAX_RHO = 0.8  # beyond this AR(1) and a level shift cannot be told apart in a few hundred buckets
SEASON_DAYS = 2.0  # a daily season needs two days to be seen at all
WEEK_DAYS = 14.0  # a weekly one two weeks
DAYS_USUAL = 2.0  # standard deviations of all values that an effect of days is taken to have: more than any has
WINSOR = 3.0  # robust sigmas from the running median beyond which a lone bucket is pulled in
# outliers, times as far out as is pulled in, and chance that they lie behind one bucket as they do, from which they are bursts
BURSTS_LEAST, FAR_OUT, BURSTS_P = 4, 2.0, 1e-3
BURSTS_TELL = 2.0  # times a step's log p that a single one of them must have to be what began
WINSOR_WINDOW = 5  # a change that lasts three buckets or more passes a running median of five unharmed
# buckets, and nats, within which a step at the end of what passed tells as much: that something came, or that something went
SAME_EDGE, AS_WELL = 2, 3.0
RAMP_GAIN = 6.0  # log-likelihood by which a ramp must beat the best step to be called one (a ramp has one more degree of freedom)


@dataclass(frozen=True)
class Fit:
    """One shape's best fit: start and end bucket (half-open), height in units of y, its error, z."""

    start: int
    end: int
    height: float
    error: float
    z: float


@dataclass(frozen=True)
class StepScan:
    """What the scan found.

    Attributes
    ----------
    step, box, ramp : Fit or None
        Best fit of each kind; a step runs to the end of the series, a ramp's height is that reached at the end.
    kind : str
        step, box or ramp: the kind with the smallest corrected p value, ties to the simpler.
    log_p : float
        Natural log of the p value, corrected for all starts and lengths looked at.
    profile : array, shape (n,)
        z squared of a step to the end at each start; zero where not allowed.
    rho, phi : float
        AR(1) coefficient and overdispersion of the noise.
    season : array, shape (n,)
        Fitted season (mean zero over used buckets).
    raw : bool
        Whether values were taken as they are: lone outliers are pulled in, bursts are not.
    recurs : bool
        Whether a box holds several bursts, from the first to the last (`rca_kit.stats.bursts`).
    """

    step: Fit | None
    box: Fit | None
    ramp: Fit | None
    kind: str
    log_p: float
    profile: Floats
    rho: float
    phi: float
    season: Floats
    raw: bool = False
    recurs: bool = False

    @property
    def best(self) -> Fit | None:
        """Fit of the winning kind."""
        return {"step": self.step, "box": self.box, "ramp": self.ramp}[self.kind]


Season = NDArray[np.int64] | Floats


def nuisance(n: int, phase: Season | None, day: NDArray[np.int64] | None, usable: NDArray[np.bool_]) -> Floats:
    """Design of what is not a change: a constant, hour-of-day effects, day-of-week effects; shape (n, columns).

    `phase` may also be columns of its own, shape (n, k): waves where the series is too short for an effect per hour.
    """
    columns = [np.ones(n)]
    if phase is not None and phase.ndim == 2:
        columns += list(phase.T)
        phase = None
    for labels in (phase, day):
        if labels is not None:
            values, counts = np.unique(labels[usable], return_counts=True)
            columns += [(labels == v).astype(float) for v, c in zip(values[1:], counts[1:], strict=True) if c > 1]
    return np.column_stack(columns)


def usual_days(values: Floats, day: NDArray[np.int64] | None, design: Floats, ok: NDArray[np.bool_]) -> Floats | None:
    """Sizes that effects of days have as a rule, shape (columns of days,); None without any.

    Where all days of one kind came after a change, or before it, an effect of these days undoes it and nothing tells the two
    apart; a small effect is the likelier. Of effects that data show this takes nothing: they are part of the spread.
    """
    if day is None or design.shape[1] == 1:
        return None
    counts = np.unique(day[ok], return_counts=True)[1]
    return np.full(int((counts[1:] > 1).sum()), DAYS_USUAL * float(values[ok].std()))


def step_scan(
    values: Floats,
    errors: Floats,
    *,
    phase: Season | None = None,
    day: NDArray[np.int64] | None = None,
    first: int = 1,
    last: int | None = None,
) -> StepScan:
    """Scan for the best step, box and ramp.

    Parameters
    ----------
    values, errors : array, shape (n,)
        One value per bucket and its standard error from counts; NaN where nothing was measured.
    phase, day : int array, shape (n,), optional
        Position in the day and day of week of each bucket; given only where the series is long enough to tell. `phase` may be
        columns of a design instead, shape (n, k).
    first, last : int
        Starts are looked for in ``[first, last]``.

    Returns
    -------
    StepScan

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> y = rng.normal(size=100); y[60:] += 3
    >>> found = step_scan(y, np.ones(100))
    >>> abs(found.step.start - 60) <= 1, found.log_p < -20
    (True, True)
    """
    n = values.size
    last = n - 1 if last is None else min(last, n - 1)
    ok = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    empty = StepScan(None, None, None, "step", 0.0, np.zeros(n), 0.0, 1.0, np.zeros(n))
    if ok.sum() < MIN_POINTS or first > last or np.ptp(values[ok]) == 0:
        return empty
    design = nuisance(n, phase, day, ok)
    if design.shape[1] > ok.sum() // 2:
        design = design[:, :1]
    usual = usual_days(values, day, design, ok)
    found = _scanned(winsorised(values, errors, ok), errors, ok, design, first, last, usual)
    if in_bursts(values, errors, ok, first, last):
        raw = replace(_scanned(values, errors, ok, design, first, last, usual, boxes=False), raw=True)
        if BURSTS_TELL * raw.log_p < found.log_p:
            return raw
    return found


def _scanned(
    values: Floats, errors: Floats, ok: NDArray[np.bool_], design: Floats, first: int, last: int, usual: Floats | None,
    boxes: bool = True,
) -> StepScan:
    """The scan of values as they are given; `boxes` are left out where no single burst is what began."""
    starts = np.arange(values.size)
    rho, phi = 0.0, 1.0
    for _ in range(2):
        system = StepSystem.of(values, design, errors, ok, rho, usual)
        fits = _best(system, first, last)
        left = system.residual - _explained(fits, system)
        freedom = max(ok.sum() - design.shape[1] - 2, 3)
        rho_new, phi = _noise(left, freedom, rho)
        if rho == rho_new:
            break
        rho = rho_new
    fits = {k: Fit(f.start, f.end, f.height, f.error * phi, f.z / phi) for k, f in fits.items()}
    if not boxes:
        fits.pop("box", None)
    looks = {"step": 1.0, "ramp": 2.0, "box": BOX_LOOKS}
    span = max(last - first + 1, 1)
    log_p = {k: min(_log_tail(f.z, freedom) + math.log(looks[k] * span), 0.0) for k, f in fits.items()}
    kind = min(fits, key=lambda k: (round(log_p[k], 9), k != "step")) if fits else "step"
    if kind == "ramp" and "step" in fits and fits["ramp"].z ** 2 - fits["step"].z ** 2 < 2 * RAMP_GAIN:
        kind = "step"
    if kind == "box" and abs(fits["step"].start - fits["box"].end) <= SAME_EDGE and log_p["step"] - log_p["box"] <= AS_WELL:
        kind = "step"
    diagonal = np.maximum(np.diag(system.gram), 1e-12)
    profile = np.where((starts >= first) & (starts <= last), (system.power / phi) ** 2 / diagonal, 0.0)
    season = _season(values, errors, design, ok, fits.get(kind))
    return StepScan(fits.get("step"), fits.get("box"), fits.get("ramp"), kind, log_p.get(kind, 0.0), profile, rho, phi, season)


def in_bursts(values: Floats, errors: Floats, ok: NDArray[np.bool_], first: int, last: int) -> bool:
    """Whether outliers come in numbers since some bucket: then they are the change, and not each an accident.

    Of k outliers, those after a bucket are binomial if nothing began there; corrected for the k places at which it may have.
    """
    _, d, scale = _from_median(values, errors, ok)
    odd = np.flatnonzero(ok)[np.abs(d) > FAR_OUT * WINSOR * scale]
    starts = odd[(odd >= first) & (odd <= last)]
    if odd.size < BURSTS_LEAST or not starts.size or scale <= 0:
        return False
    after = odd.size - np.searchsorted(odd, starts)
    share = np.array([ok[s:].sum() for s in starts]) / ok.sum()
    return float((bdtrc(after - 1, odd.size, share) * odd.size).min()) < BURSTS_P


def winsorised(values: Floats, errors: Floats, ok: NDArray[np.bool_]) -> Floats:
    """Pull lone outliers in towards the running median; a change that lasts is left alone."""
    middle, d, scale = _from_median(values, errors, ok)
    out = values.copy()
    if scale > 0:
        out[ok] = middle + np.clip(d, -WINSOR * scale, WINSOR * scale) * errors[ok]
    return out


def _from_median(values: Floats, errors: Floats, ok: NDArray[np.bool_]) -> tuple[Floats, Floats, float]:
    """Running median, deviations from it in errors, and their robust scale."""
    x, half = values[ok], WINSOR_WINDOW // 2
    padded = np.pad(x, half, mode="reflect")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, WINSOR_WINDOW), axis=1)
    d = (x - middle) / errors[ok]
    return middle, d, 1.4826 * float(np.median(np.abs(d)))


@lru_cache(maxsize=4)
def lengths(n: int) -> Floats:
    """Buckets from each start to each end, shape (n, n + 1)."""
    return np.arange(n + 1.0)[None, :] - np.arange(n)[:, None]


@lru_cache(maxsize=4)
def _boxes(n: int) -> NDArray[np.bool_]:
    """Which pairs of start and end are boxes that are looked at."""
    length = lengths(n)[:, :n]
    return np.asarray((length >= MIN_BOX) & (length <= n // 2))


def _best(system: StepSystem, first: int, last: int) -> dict[str, Fit]:
    gram, c, n = system.gram, system.power, system.power.size
    diagonal = np.diag(gram).copy()
    floor = 1e-9 * max(float(diagonal.max()), 1e-300)
    allowed = (np.arange(n) >= first) & (np.arange(n) <= last) & (diagonal > floor)
    if not allowed.any():
        return {}
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(allowed, c / np.sqrt(diagonal), 0.0)
    out = {}
    i = int(np.argmax(np.abs(z)))
    out["step"] = Fit(i, n, float(c[i] / diagonal[i]), float(1 / math.sqrt(diagonal[i])), float(z[i]))
    den = gram * -2.0
    den += diagonal
    den += diagonal[:, None]
    fine = den > floor
    fine &= _boxes(n)
    fine[~allowed] = False
    if fine.any():
        gain = np.subtract.outer(c, c)
        gain *= gain
        np.divide(gain, den, out=gain, where=fine)
        gain[~fine] = 0.0
        a, b = divmod(int(np.argmax(gain)), n)
        d = float(den[a, b])
        out["box"] = Fit(a, b, float((c[a] - c[b]) / d), 1 / math.sqrt(d), float((c[a] - c[b]) / math.sqrt(d)))
    hinge_c = np.cumsum(c[::-1])[::-1]
    hd = np.cumsum((2 * np.triu(gram, 1).sum(1) + diagonal)[::-1])[::-1]
    can = allowed & (np.arange(n) <= n - 4) & (hd > floor)
    if can.any():
        with np.errstate(divide="ignore", invalid="ignore"):
            hz = np.where(can, hinge_c / np.sqrt(np.where(can, hd, 1.0)), 0.0)
        i = int(np.argmax(np.abs(hz)))
        rise = n - i
        out["ramp"] = Fit(i, n, float(hinge_c[i] / hd[i]) * rise, rise / math.sqrt(hd[i]), float(hz[i]))
    return out


def _explained(fits: dict[str, Fit], system: StepSystem) -> Floats:
    """Part of the residual that the strongest fit explains, so that noise is measured without it."""
    if not fits:
        return np.zeros(system.residual.size)
    kind, fit = max(fits.items(), key=lambda kf: abs(kf[1].z))
    n = system.power.size
    if kind == "ramp":
        return system.column(np.arange(fit.start, n)) * (fit.height / (n - fit.start))
    column = system.column(np.array([fit.start]))
    if fit.end < n:
        column = column - system.column(np.array([fit.end]))
    return column * fit.height


def _noise(left: Floats, freedom: int, rho: float) -> tuple[float, float]:
    scale = max(1.4826 * float(np.median(np.abs(left))), SPARSE * float(left.std()), 1e-12)
    pulled = np.clip(left, -WINSOR * scale, WINSOR * scale)
    phi = math.sqrt(float((pulled**2).sum()) / freedom)
    if rho > 0:
        return rho, max(phi, 1.0)
    denominator = float((pulled**2).sum())
    r = float((pulled[1:] * pulled[:-1]).sum()) / denominator if denominator > 0 else 0.0
    r += (1 + 3 * r) / left.size  # small-sample bias of the lag-one estimate (Kendall 1954)
    return (min(r, MAX_RHO) if r > 1.64 / math.sqrt(left.size) else 0.0), max(phi, 1.0)


def _log_tail(z: float, freedom: int) -> float:
    """Log of the two-sided tail probability of Student's t."""
    tail = float(stdtr(freedom, -abs(z)))
    return math.log(2) + (math.log(tail) if tail > 1e-290 else max(float(log_ndtr(-abs(z))), -700.0))


def _season(values: Floats, errors: Floats, design: Floats, ok: NDArray[np.bool_], fit: Fit | None) -> Floats:
    if design.shape[1] == 1:
        return np.zeros(values.size)
    extra = np.zeros((values.size, 1))
    if fit is not None:
        extra[fit.start : fit.end] = 1.0
    w = 1 / errors[ok]
    full = np.hstack([design, extra])
    beta, *_ = np.linalg.lstsq(full[ok] * w[:, None], values[ok] * w, rcond=None)
    fitted = design[:, 1:] @ beta[1 : design.shape[1]]
    return np.asarray(fitted - fitted[ok].mean())
