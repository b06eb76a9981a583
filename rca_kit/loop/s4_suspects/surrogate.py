"""Surrogates: does y still follow from x as it did, and do features still go together? Trees and rank correlations tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.loop.s4_suspects.room import numbers
from rca_kit.stats.trees import boost

Floats = NDArray[np.float64]

MIN_ROWS = 300  # fewer rows than this a side fit noise
FIT_ROWS = 5000
REST_ROWS = 150  # rows of the others that show whether these are fine: their error is known to an eighth of itself
ODD_LEAST, ODD_REST = 0.5, 0.3  # strength from which one version's rows carry the gap, and up to which the others' are fine
MAX_LEVELS = 60  # categories told apart; the rest share a code
SPARE = 5.0  # chi-square a degree of freedom that comes by itself, far out in the tail
THIN, FILLED = 0.01, 5.0  # share before, at either end of a column, that a fit hardly sees; times that, that must not rest on it
LINK_LEAST = 0.12  # correlation before that is worth watching
LINK_Z = 7.0  # Fisher z of its change; hundreds of pairs are looked at
LINK_LOST = 0.3  # share of the correlation that must be lost


@dataclass(frozen=True)
class Gap:
    """How much worse y follows from x after than before.

    `fidelity` is the share of y's variance explained on rows of before not used in the fit; `ratio` the mean squared error
    after over before; `shift` the mean residual after in units of the residual spread before; `z` of that shift. `odd` is the
    one group of rows after that carries the gap, where the others follow as before; the figures are then of its rows.
    """

    fidelity: float
    ratio: float
    shift: float
    z: float
    odd: str | None = None

    @property
    def strength(self) -> float:
        """0..1."""
        return float(
            np.clip(max((self.ratio - 1.12) / 0.8, (abs(self.shift) - 0.08) / 0.4 if abs(self.z) > 5 else 0.0), 0, 1) ** 0.5
        )


@dataclass(frozen=True)
class Encoder:
    """Columns as numbers: numeric as they are, categories by frequency rank fixed on the rows before."""

    names: tuple[str, ...]
    levels: dict[str, dict[str, int]]
    low: dict[str, float]
    high: dict[str, float]

    @classmethod
    def fit(cls, frame: pl.DataFrame, names: Sequence[str]) -> Encoder:
        """Learn levels and ranges."""
        levels, low, high = {}, {}, {}
        for name in names:
            if frame.schema[name].is_numeric() or frame.schema[name] == pl.Boolean:
                x = numbers(frame, name)
                if np.isfinite(x).any():
                    low[name], high[name] = (float(q) for q in np.nanquantile(x, [0.001, 0.999]))
            else:
                ranked = (
                    frame[name]
                    .drop_nulls()
                    .cast(pl.String)
                    .value_counts(name="rk_n")
                    .sort(["rk_n", name], descending=[True, False])
                )
                levels[name] = {str(v): i for i, v in enumerate(ranked[name].head(MAX_LEVELS).to_list())}
        return cls(tuple(n for n in names if n in levels or n in low), levels, low, high)

    def apply(self, frame: pl.DataFrame) -> Floats:
        """Matrix of shape (rows, columns); missing and unknown values are NaN."""
        out = []
        for name in self.names:
            if name in self.levels:
                codes = frame[name].cast(pl.String).replace_strict(self.levels[name], default=None, return_dtype=pl.Float64)
                out.append(codes.fill_null(np.nan).to_numpy())
            else:
                out.append(numbers(frame, name))
        return np.column_stack(out) if out else np.zeros((frame.height, 0))


def fit_gap(
    before: pl.DataFrame,
    after: pl.DataFrame,
    features: Sequence[str],
    y_before: Floats,
    y_after: Floats,
    extra: str | None = None,
    groups: str | None = None,
) -> Gap | None:
    """Fit y on the features before (gradient-boosted trees), look at the residuals after, by the values of column `groups` too.

    Rows after with a value never seen before (missing where nothing was missing, out of range, unknown category) are left
    out: the surrogate knows nothing there, and other checks do.
    """
    names = [*features, extra] if extra else list(features)
    encoder = Encoder.fit(before, names)
    ok_b, ok_a = np.isfinite(y_before), np.isfinite(y_after)
    if min(ok_b.sum(), ok_a.sum()) < MIN_ROWS or np.std(y_before[ok_b]) == 0 or not encoder.names:
        return None
    xb, xa = encoder.apply(before)[ok_b], encoder.apply(after)[ok_a]
    yb, ya = y_before[ok_b], y_after[ok_a]
    known = _familiar(encoder, xb, xa)
    if known.sum() < MIN_ROWS // 2:
        return None
    xa, ya = xa[known], ya[known]
    half = np.zeros(yb.size, bool)  # from all hours: rows come in order of time
    half[np.unique(np.linspace(0, yb.size - 1, min((yb.size + 1) // 2, FIT_ROWS)).astype(int))] = True
    categorical = [n in encoder.levels for n in encoder.names]
    model = boost(xb[half], yb[half], categorical, rounds=40, rate=0.26, leaves=24)
    rest = ~half
    rb, ra = yb[rest] - model.predict(xb[rest]), ya - model.predict(xa)
    limit = np.quantile(np.abs(rb), 0.995) * 3 + 1e-12
    rb, ra = np.clip(rb, -limit, limit), np.clip(ra, -limit, limit)
    fidelity = 1 - float(rb.var() / max(yb.var(), 1e-12))
    whole = _gap(fidelity, rb, ra)
    if groups is None:
        return whole
    group = after[groups].cast(pl.String).to_numpy()[ok_a][known]
    return _odd_group(fidelity, rb, ra, group) or whole


def _gap(fidelity: float, rb: Floats, ra: Floats, odd: str | None = None) -> Gap:
    spread = float(rb.std()) or 1e-12
    shift = float((ra.mean() - rb.mean()) / spread)
    error = np.sqrt(1 / rb.size + float(ra.var()) / spread**2 / ra.size)
    return Gap(fidelity, float((ra**2).mean() / max((rb**2).mean(), 1e-12)), shift, shift / float(error), odd)


def _odd_group(fidelity: float, rb: Floats, ra: Floats, group: NDArray[np.object_]) -> Gap | None:
    """The gap of the one group that is far off, while all others together follow as before; None without one."""
    names, sizes = np.unique(group[group != None], return_counts=True)  # noqa: E711 (an array)
    gaps = {str(n): _gap(fidelity, rb, ra[group == n], str(n)) for n in names[sizes >= MIN_ROWS]}
    worst = max(gaps.values(), key=lambda g: g.strength, default=None)
    if worst is None or worst.strength < ODD_LEAST:
        return None
    rest = ra[group != worst.odd]
    return worst if rest.size >= REST_ROWS and _gap(fidelity, rb, rest).strength <= ODD_REST else None


def _familiar(encoder: Encoder, xb: Floats, xa: Floats) -> NDArray[np.bool_]:
    keep = np.ones(xa.shape[0], bool)
    for j, name in enumerate(encoder.names):
        missing_b = float(np.isnan(xb[:, j]).mean())
        missing_a = np.isnan(xa[:, j])
        if missing_a.mean() > 2 * missing_b + 0.01:
            keep &= ~missing_a
        if name in encoder.low:
            low, high = np.nanquantile(xb[:, j], [THIN, 1 - THIN])
            with np.errstate(invalid="ignore"):
                below, above = xa[:, j] < low, xa[:, j] > high
                keep &= ~((xa[:, j] < encoder.low[name]) | (xa[:, j] > encoder.high[name]))
            for thin in (below, above):  # the first quarter of an hour of the day tells a tree nothing of all the hour
                keep &= ~thin if float(thin.mean()) > FILLED * THIN else True
    return keep


@dataclass(frozen=True)
class Slopes:
    """How y follows each column: z of its slope before, part of the slope that is left after, z of what was lost."""

    z: Floats
    part: Floats
    lost: Floats


def followed(xb: Floats, yb: Floats, xa: Floats, ya: Floats) -> Slopes:
    """Compare the slopes of two least-squares fits of y on all columns together, before and after.

    Parameters
    ----------
    xb, xa : (rows, columns) array of float
        NaN is taken for the mean; values beyond the 1st and 99th percentile of before for these.
    yb, ya : (rows,) or (rows, m) array of float
        Rows without a value are left out. Of m numbers, as are m + 1 classes, z is that of all together (Wald's statistic).

    Returns
    -------
    Slopes
        Each of shape (columns,).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(4000, 2)); y = x[:, 0] + x[:, 1] + rng.normal(size=4000)
    >>> stale = np.column_stack([rng.permutation(x[2000:, 0]), x[2000:, 1]])
    >>> followed(x[:2000], y[:2000], stale, y[2000:]).part.round(1).tolist()
    [0.0, 1.0]
    """
    low, high = np.nanquantile(xb, [0.01, 0.99], axis=0)
    middle = np.nanmean(np.clip(xb, low, high), axis=0)
    spread = np.maximum(np.nanstd(np.clip(xb, low, high), axis=0), 1e-12)
    fits = []
    for x, y in ((xb, yb.reshape(len(yb), -1)), (xa, ya.reshape(len(ya), -1))):
        known = np.isfinite(y).all(1)
        design = np.column_stack([np.ones(int(known.sum())), np.nan_to_num((np.clip(x, low, high) - middle) / spread)[known]])
        inverse = np.linalg.pinv(design.T @ design)
        slope = inverse @ (design.T @ y[known])
        rest = y[known] - design @ slope
        noise = rest.T @ rest / max(len(rest) - design.shape[1], 1)
        fits.append((slope[1:], np.maximum(np.diag(inverse)[1:], 1e-300)[:, None, None] * noise))
    (b, vb), (a, va) = fits
    weight = np.linalg.pinv(vb)
    part = np.einsum("ji,jik,jk->j", a, weight, b) / np.maximum(np.einsum("ji,jik,jk->j", b, weight, b), 1e-300)
    return Slopes(_wald(b, vb), part, np.where(part < 1, 1, -1) * _wald(b - a, vb + va))


def _wald(x: Floats, covariance: Floats) -> Floats:
    """Distance of each row of x from 0 in standard errors; of m numbers as far as one number as unlikely would be, about.

    Where it is 5, chi-square of m degrees of freedom is larger than of one by five a degree, or less.
    """
    square = np.einsum("ji,jik,jk->j", x, np.linalg.pinv(covariance), x)
    return np.asarray(np.sqrt(np.maximum(square - SPARE * (x.shape[1] - 1), 0.0)))


@dataclass(frozen=True)
class Link:
    """A pair of features whose correlation was lost."""

    column: str
    partner: str
    before: float
    after: float
    z: float


def broken_links(encoder: Encoder, before: pl.DataFrame, after: pl.DataFrame) -> list[Link]:
    """Features that lost their rank correlation with several partners or, with one partner, most of it."""
    xb, xa = encoder.apply(before), encoder.apply(after)
    if min(xb.shape[0], xa.shape[0]) < MIN_ROWS or xb.shape[1] < 3:
        return []
    rb, nb = _correlations(xb)
    ra, na = _correlations(xa)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (np.arctanh(np.clip(rb, -0.999, 0.999)) - np.arctanh(np.clip(ra, -0.999, 0.999))) / np.sqrt(
            1 / (nb - 3) + 1 / (na - 3)
        )
    lost = (np.abs(rb) >= LINK_LEAST) & (np.abs(z) >= LINK_Z) & (np.abs(ra) < (1 - LINK_LOST) * np.abs(rb))
    np.fill_diagonal(lost, False)
    watched = (np.abs(rb) >= LINK_LEAST) & ~np.eye(rb.shape[0], dtype=bool)
    out = []
    remaining = lost.copy()
    while remaining.any():
        count = remaining.sum(1) + 0.5 * remaining.sum(1) / np.maximum(watched.sum(1), 1)
        i = int(np.argmax(count))
        if remaining[i].sum() == 0:
            break
        j = int(np.argmax(np.where(remaining[i], np.abs(z[i]), -1)))
        out.append(Link(encoder.names[i], encoder.names[j], float(rb[i, j]), float(ra[i, j]), float(abs(z[i, j]))))
        remaining[i, :] = False
        remaining[:, i] = False
    return out


def _correlations(x: Floats) -> tuple[Floats, Floats]:
    """Rank correlations with missing values filled by the middle rank, and the counts behind them."""
    ok = np.isfinite(x)
    ranks = np.zeros_like(x)
    for j in range(x.shape[1]):
        at = ok[:, j]
        if at.sum() > 2:
            _, inverse, ties = np.unique(x[at, j], return_inverse=True, return_counts=True)
            ranks[at, j] = (np.cumsum(ties) - (ties + 1) / 2)[inverse] - (at.sum() - 1) / 2
    norm = np.sqrt((ranks**2).sum(0))
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.where(np.outer(norm, norm) > 0, ranks.T @ ranks / np.outer(norm, norm), 0.0)
    return np.asarray(r), np.maximum((ok.astype(float).T @ ok.astype(float)), 4.0)
