"""A step at each bucket of one series, tested all at once: the algebra below the scan for steps, boxes and ramps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StepSystem:
    """Generalised least squares of a step at each bucket, the season projected out.

    Scaled by the errors and freed of AR(1), the step at measured bucket j is `enter[j]` there, `stay[t]` at each t after it and
    zero before. Inner products of two steps, or of a step with anything, are hence sums from the end, and no matrix of steps is
    ever made.

    Attributes
    ----------
    at : int array, shape (n,)
        The first measured bucket from each on, as a row; the number of rows where there is none.
    enter, stay : array, shape (rows,)
        Rows are those of what is shrunk, if anything is, and the measured buckets.
    basis : array, shape (rows, k)
        Orthonormal basis of what is not a change.
    onto : array, shape (n, k)
        Products of each step with the basis.
    residual : array, shape (rows,)
        The values without what the basis explains.
    gram : array, shape (n, n)
    power : array, shape (n,)
        Products of the projected steps with each other, and with the residual.
    """

    at: NDArray[np.intp]
    enter: Floats
    stay: Floats
    basis: Floats
    onto: Floats
    residual: Floats
    gram: Floats
    power: Floats

    @classmethod
    def of(
        cls, values: Floats, design: Floats, errors: Floats, ok: NDArray[np.bool_], rho: float, usual: Floats | None = None
    ) -> StepSystem:
        """Scale by the errors, then remove AR(1) between neighbours; rows that were not measured are dropped.

        `usual` of shape (k,) are sizes that the coefficients of the design's last k columns have as a rule: each is shrunk
        towards zero, as by a measurement of zero with this error.
        """
        rows = np.flatnonzero(ok)
        weight = 1.0 / errors[rows]
        y, z, enter, stay = values[rows] * weight, design[rows] * weight[:, None], weight, weight
        if rho > 0:
            power = rho ** np.diff(rows)
            scale = np.sqrt(1 - power**2)
            y, stay = (np.concatenate([a[:1], (a[1:] - power * a[:-1]) / scale]) for a in (y, weight))
            z = np.concatenate([z[:1], (z[1:] - power[:, None] * z[:-1]) / scale[:, None]])
            enter = np.concatenate([weight[:1], weight[1:] / scale])
        if usual is not None and (k := usual.size):
            shrunk = np.hstack([np.zeros((k, z.shape[1] - k)), np.diag(1 / usual)])
            z, none = np.concatenate([shrunk, z]), np.zeros(k)
            y, enter, stay = (np.concatenate([none, a]) for a in (y, enter, stay))
        basis, _ = np.linalg.qr(z)
        residual = y - basis @ (basis.T @ y)
        at = np.searchsorted(rows, np.arange(values.size)) + y.size - rows.size

        def product(a: Floats) -> Floats:
            """Of each step with the columns of a."""
            e, s = (enter, stay) if a.ndim == 1 else (enter[:, None], stay[:, None])
            sums = np.cumsum((s * a)[::-1], axis=0)[::-1]
            sums += (e - s) * a
            return np.concatenate([sums, np.zeros_like(sums[:1])])[at]

        onto = product(basis)
        own = np.append(np.cumsum((stay**2)[::-1])[::-1] - stay**2, 0.0)
        other = own + np.append(stay * enter, 0.0)
        gram = np.where(_later(at.size), other[at], other[at][:, None])
        if rho > 0:
            own += np.append(enter**2, 0.0)
            same = at[:, None] == at[None, :]
            gram[same] = np.broadcast_to(own[at], gram.shape)[same]
        gram -= onto @ onto.T
        return cls(at, enter, stay, basis, onto, residual, gram, product(residual))

    def column(self, starts: NDArray[np.intp]) -> Floats:
        """Sum of the projected steps at these buckets."""
        count = np.bincount(self.at[starts], minlength=self.enter.size + 1)[:-1].astype(float)
        whole = (np.cumsum(count) - count) * self.stay + count * self.enter
        return np.asarray(whole - self.basis @ self.onto[starts].sum(0))


@lru_cache(maxsize=4)
def _later(n: int) -> NDArray[np.bool_]:
    """Where the second of two steps is the later one."""
    return np.triu(np.ones((n, n), bool))
