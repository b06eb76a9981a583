"""The scan against brute force over all starts, and how often it speaks when nothing happens."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.stats.step_system import StepSystem
from rca_kit.stats.stepscan import MIN_BOX, in_bursts, nuisance, step_scan, winsorised
from rca_kit.stats.stepshapes import PARTS, gradual_profile, shaped_profile, staged_profile

N = 60


def bounded(seed: int, n: int = N) -> np.ndarray:
    """White noise without outliers, so that little is winsorised."""
    return np.random.default_rng(seed).uniform(-1, 1, n)


def gls_z(y: np.ndarray, column: np.ndarray, design: np.ndarray, errors: np.ndarray, rho: float = 0.0) -> tuple[float, float]:
    """Height and z of one column beside the design, by statsmodels, errors taken as known."""
    ok = np.isfinite(y)
    at = np.flatnonzero(ok)
    cov = np.outer(errors[ok], errors[ok]) * rho ** np.abs(at[:, None] - at[None, :])
    x = np.column_stack([design[ok], column[ok]])
    fitted = sm.GLS(y[ok], x, sigma=cov).fit()
    error = math.sqrt(np.linalg.inv(x.T @ np.linalg.solve(cov, x))[-1, -1])
    return float(fitted.params[-1]), float(fitted.params[-1] / error)


def step(start: int, end: int = N, n: int = N) -> np.ndarray:
    return ((np.arange(n) >= start) & (np.arange(n) < end)).astype(float)


def hinge(start: int, n: int = N) -> np.ndarray:
    return np.maximum(np.arange(n) - start + 1.0, 0.0)


@pytest.mark.parametrize("holes", [False, True])
def test_steps_boxes_and_ramps_equal_brute_force(holes: bool) -> None:
    y = bounded(1) + 0.9 * step(22, 31) + 0.02 * hinge(40)
    errors = np.random.default_rng(5).uniform(0.8, 1.3, N)
    if holes:
        y[[3, 17, 18, 44]] = np.nan
    phase = np.arange(N) % 6
    found = step_scan(y, errors, phase=phase, first=5, last=50)
    assert found.rho == 0.0
    y = winsorised(y, errors, np.isfinite(y))
    design = nuisance(N, phase, None, np.isfinite(y))
    starts = range(5, 51)
    by_start = {s: gls_z(y, step(s), design, errors) for s in starts}
    best = max(by_start, key=lambda s: abs(by_start[s][1]))
    assert found.step is not None
    assert found.box is not None
    assert found.ramp is not None
    assert by_start[found.step.start][1] == pytest.approx(by_start[best][1])
    assert found.step.height == pytest.approx(by_start[best][0])
    assert found.step.z * found.phi == pytest.approx(by_start[best][1])
    assert found.profile[5:51] * found.phi**2 == pytest.approx([z * z for _, z in by_start.values()], abs=1e-8)
    assert not found.profile[:5].any()
    assert not found.profile[51:].any()
    spans = [(i, j) for i in starts for j in range(i + MIN_BOX, min(i + N // 2 + 1, N)) if np.isfinite(y[i:j]).any()]
    height, z = max((gls_z(y, step(i, j), design, errors) for i, j in spans), key=lambda hz: abs(hz[1]))
    assert found.box.height == pytest.approx(height)
    assert found.box.z * found.phi == pytest.approx(z)
    ramps = [(*gls_z(y, hinge(s), design, errors), s) for s in starts]
    slope, z, start = max(ramps, key=lambda r: abs(r[1]))
    assert found.ramp.z * found.phi == pytest.approx(z)
    assert found.ramp.height == pytest.approx(slope * (N - start))


def test_autocorrelated_noise_equals_generalised_least_squares() -> None:
    rng = np.random.default_rng(0)
    y = np.empty(N)
    y[0] = rng.uniform(-1, 1)
    for i in range(1, N):
        y[i] = 0.6 * y[i - 1] + rng.uniform(-0.8, 0.8)
    found = step_scan(y, np.ones(N), first=5, last=50)
    assert found.rho > 0.3
    y, design = winsorised(y, np.ones(N), np.isfinite(y)), np.ones((N, 1))
    expected = [gls_z(y, step(s), design, np.ones(N), found.rho)[1] ** 2 for s in range(5, 51)]
    assert found.profile[5:51] * found.phi**2 == pytest.approx(expected)


def test_the_season_is_fitted_beside_the_change() -> None:
    phase = np.arange(240) % 24
    season = np.sin(phase / 24 * 2 * np.pi)
    found = step_scan(4 * season + 0.1 * bounded(2, 240) + 2 * step(150, 240, 240), 0.1 * np.ones(240), phase=phase)
    assert found.kind == "step"
    assert found.step is not None
    assert found.step.start == 150
    assert found.step.height == pytest.approx(2, abs=0.1)
    assert found.season - found.season.mean() == pytest.approx(4 * (season - season.mean()), abs=0.15)


SHAPES = [("step", step(90, 150, 150)), ("box", step(60, 80, 150)), ("ramp", hinge(70, 150) / 80)]


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_each_shape_is_told_from_the_others(kind: str, shape: np.ndarray, sign: float) -> None:
    y = np.random.default_rng(3).normal(size=150) + 4 * sign * shape
    found = step_scan(y, np.ones(150), first=10)
    assert found.kind == kind
    assert found.log_p < math.log(1e-6)
    assert found.best is not None
    assert np.sign(found.best.height) == sign
    start = int(np.flatnonzero(shape)[0])
    assert abs(found.best.start - start) <= (12 if kind == "ramp" else 2)


@pytest.mark.parametrize("y", [np.full(50, np.nan), np.ones(50), np.arange(5.0)])
def test_nothing_to_scan_is_no_change(y: np.ndarray) -> None:
    found = step_scan(y, np.ones(y.size))
    assert found.best is None
    assert found.log_p == 0.0


def test_only_lone_outliers_are_pulled_in() -> None:
    y = bounded(6, 100)
    lone, lasting = y.copy(), y + 50 * step(60, 63, 100)
    lone[30] += 50
    ok, errors = np.ones(100, bool), np.ones(100)
    assert abs(winsorised(lone, errors, ok)[30]) < 6
    assert (winsorised(lasting, errors, ok)[60:63] > 40).all()


def test_one_wild_bucket_is_an_outlier_not_a_change() -> None:
    y = np.random.default_rng(4).normal(size=100)
    y[60] += 40
    assert step_scan(y, np.ones(100)).log_p > math.log(0.01)


@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3), seed=st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_units_change_nothing(scale: float, shift: float, seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=80) + 2 * step(50, 80, 80)
    a, b = step_scan(y, np.ones(80)), step_scan(scale * y + shift * scale, scale * np.ones(80))
    assert b.kind == a.kind
    assert b.log_p == pytest.approx(a.log_p, rel=1e-4, abs=1e-6)
    assert a.best is not None
    assert b.best is not None
    assert b.best.start == a.best.start
    assert b.best.height == pytest.approx(scale * a.best.height, rel=1e-4)


def quiet(kind: str, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    if kind == "ar":
        for i in range(1, n):
            x[i] = 0.5 * x[i - 1] + math.sqrt(0.75) * x[i]
    if kind == "season":
        x += 5 * np.sin(np.arange(n) / 24 * 2 * np.pi)
    return rng.standard_t(3, size=n) if kind == "t3" else x


# share of quiet series whose corrected p value is below 1 %; heavy tails are only bounded, not calibrated
@pytest.mark.parametrize(("kind", "most"), [("white", 0.05), ("ar", 0.05), ("season", 0.05), ("t3", 0.2)])
def test_quiet_series_stay_quiet(kind: str, most: float) -> None:
    phase = np.arange(168) % 24
    low = [step_scan(quiet(kind, 168, s), np.ones(168), phase=phase, first=14).log_p < math.log(0.01) for s in range(40)]
    assert np.mean(low) <= most


def test_a_step_of_one_and_a_half_sigma_under_a_season_is_found() -> None:
    phase = np.arange(240) % 24
    hits = []
    for s in range(15):
        found = step_scan(quiet("season", 240, s) + 1.5 * step(160, 240, 240), np.ones(240), phase=phase, first=20)
        assert found.step is not None
        hits.append(found.log_p < math.log(1e-3) and abs(found.step.start - 160) <= 4)
    assert np.mean(hits) >= 0.8


def test_gradual_changes_equal_brute_force() -> None:
    y = bounded(7) + 1.5 * np.clip((np.arange(N) - 24) / 12, 0, 1)
    errors = np.random.default_rng(5).uniform(0.8, 1.3, N)
    phase = np.arange(N) % 6
    scan = step_scan(y, errors, phase=phase)
    profile = gradual_profile(y, errors, scan, phase=phase)
    y, design = winsorised(y, errors, np.isfinite(y)), nuisance(N, phase, None, np.isfinite(y))
    for start, end in [(25, 37), (10, 60), (30, 33), (5, 7)]:
        shape = np.clip((np.arange(N) - start + 1) / (end - start), 0, 1)
        z = gls_z(y, shape, design, errors, scan.rho)[1]
        assert profile[start, end] * scan.phi**2 == pytest.approx(max(z, 0) ** 2, abs=1e-8)
    parts = [gls_z(y, p * step(30) + (1 - p) * step(31), design, errors, scan.rho)[1] for p in (1.0, *PARTS)]
    assert profile[30, 31] * scan.phi**2 == pytest.approx(max(*parts, 0.0) ** 2)
    assert not profile[np.tril_indices(N)].any()


def test_two_stages_equal_least_squares_of_two_steps() -> None:
    y = bounded(7) + 2.0 * (np.arange(N) >= 20) + 3.0 * (np.arange(N) >= 40)
    errors = np.random.default_rng(5).uniform(0.8, 1.3, N)
    phase = np.arange(N) % 6
    scan = step_scan(y, errors, phase=phase)
    profile = staged_profile(y, errors, scan, phase=phase)
    y, design = winsorised(y, errors, np.isfinite(y)), nuisance(N, phase, None, np.isfinite(y))
    system = StepSystem.of(y, design, errors, np.isfinite(y), scan.rho)
    for i, j in [(20, 40), (5, 50), (38, 41), (30, 12)]:
        columns = np.column_stack([system.column(np.array([k])) for k in (i, j)])
        heights, *_ = np.linalg.lstsq(columns, system.residual, rcond=None)
        explained = float(((columns @ heights) ** 2).sum()) if i < j and (heights > 0).all() else 0.0
        assert profile[i, j] * scan.phi**2 == pytest.approx(explained, abs=1e-8)


def test_changes_of_a_known_course_equal_brute_force() -> None:
    load = 1.2 + np.sin(np.arange(N) / 3)
    y = bounded(7) + 1.5 * load * (np.arange(N) >= 24)
    errors = np.random.default_rng(5).uniform(0.8, 1.3, N)
    phase = np.arange(N) % 6
    scan = step_scan(y, errors, phase=phase)
    profile = shaped_profile(y, errors, scan, np.array([load, np.ones(N)]), phase=phase)
    y, design = winsorised(y, errors, np.isfinite(y)), nuisance(N, phase, None, np.isfinite(y))
    for start in (5, 24, 40):
        for row, course in enumerate((load, np.ones(N))):
            z = gls_z(y, course * (np.arange(N) >= start), design, errors, scan.rho)[1]
            assert profile[row, start] * scan.phi**2 == pytest.approx(max(z, 0) ** 2, abs=1e-8)


def bursts(seed: int, height: float, since: int = 180, n: int = 240) -> np.ndarray:
    """Noise with a lone outlier here and there, and from a bucket on every third bucket high."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    y[rng.choice(since, 2, replace=False)] += 6.0
    return y + height * ((np.arange(n) >= since) & (np.arange(n) % 3 == 0))


def test_outliers_that_come_in_numbers_since_some_bucket_are_the_change() -> None:
    near, alone = [], []
    for seed in range(20):
        y = bursts(seed, 9.0)
        found = step_scan(y, np.ones(y.size), first=20)
        assert found.raw and found.box is None, "none of the bursts is the change by itself"
        assert found.step is not None
        near.append(abs(found.step.start - 180) <= 4 and found.log_p < math.log(1e-3))
        pulled = winsorised(y, np.ones(y.size), np.isfinite(y))
        alone.append(float(np.ptp(pulled)))
    assert sum(near) >= 16
    assert max(alone) < 9, "by themselves they are pulled in"


def test_lone_outliers_are_pulled_in_wherever_they_lie() -> None:
    kept = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=240)
        y[rng.choice(240, 6, replace=False)] += 8.0
        ok = np.isfinite(y)
        kept += in_bursts(y, np.ones(240), ok, 20, 236)
    assert kept <= 3


def test_a_step_at_the_end_of_what_passed_is_a_step_where_it_tells_as_much() -> None:
    """Little came before what passed: that the level rose at its end is as likely as that it had fallen at its start."""
    rng = np.random.default_rng(21)
    y = rng.normal(size=288) * 0.5
    y[22:219] -= 0.8
    shortly = step_scan(y, np.full(288, 0.5), first=20)
    assert shortly.kind == "step"
    assert shortly.best is not None and abs(shortly.best.start - 219) <= 1
    y[:100] = rng.normal(size=100) * 0.5  # a third of the log at the level of afterwards: it passed
    passed = step_scan(y, np.full(288, 0.5), first=20)
    assert passed.kind == "box"


@pytest.mark.parametrize("rho", [0.0, 0.4])
def test_effects_of_days_are_shrunk_as_by_a_measurement_of_zero(rho: float) -> None:
    """Oracle: generalised least squares with one row more for each effect that is shrunk."""
    rng = np.random.default_rng(21)
    n, usual = 60, np.array([0.7, 1.3])
    y, errors = rng.normal(size=n), rng.uniform(0.5, 1.5, n)
    design = np.column_stack([np.ones(n), np.arange(n) % 3 == 1, np.arange(n) % 3 == 2]).astype(float)
    ok = rng.random(n) < 0.9
    system = StepSystem.of(y, design, errors, ok, rho, usual)
    rows = np.flatnonzero(ok)
    covariance = np.zeros((rows.size + 2, rows.size + 2))
    covariance[2:, 2:] = rho ** np.abs(np.subtract.outer(rows, rows)) * np.outer(errors[rows], errors[rows])
    covariance[:2, :2] = np.diag(usual**2)
    inverse = np.linalg.inv(covariance)
    known = np.vstack([np.hstack([np.zeros((2, 1)), np.eye(2)]), design[rows]])
    for start in (5, 20, 44):
        full = np.column_stack([known, np.concatenate([np.zeros(2), rows >= start])])
        seen = np.concatenate([np.zeros(2), y[rows]])
        spread = np.linalg.inv(full.T @ inverse @ full)
        height = (spread @ full.T @ inverse @ seen)[-1]
        assert system.power[start] / system.gram[start, start] == pytest.approx(height)
        assert system.gram[start, start] == pytest.approx(1 / spread[-1, -1])


def test_what_begins_with_the_second_weekend_did_not_begin_with_the_working_days_between() -> None:
    """A log from Saturday to Saturday: an effect of working days that undoes the change for five days tells it as well."""
    off = np.isin(np.arange(7 * 24 + 12) // 24, [0, 1, 7])
    hour = np.arange(off.size) % 24
    for seed in range(20):
        y = np.random.default_rng(seed).normal(size=off.size) + 0.8 * off
        late = step_scan(y + 6 * (np.arange(off.size) >= 168), np.ones(off.size), phase=hour, day=off.astype(int), first=24)
        assert late.kind == "step" and late.best is not None and abs(late.best.start - 168) <= 1
        early = step_scan(y + 6 * (np.arange(off.size) >= 60), np.ones(off.size), phase=hour, day=off.astype(int), first=24)
        assert early.best is not None and abs(early.best.start - 60) <= 2


def test_a_weekend_as_large_as_any_is_still_no_change() -> None:
    off = np.isin(np.arange(10 * 24) // 24, [2, 3, 9])
    found = [
        step_scan(np.random.default_rng(seed).normal(size=off.size) + 12 * off, np.ones(off.size), phase=np.arange(off.size) % 24,
                  day=off.astype(int), first=24).log_p < np.log(0.01)
        for seed in range(100)]
    assert sum(found) <= 4
