"""Write the sample incidents and their keys: ``python -m rca_kit.training.samples data/samples``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from rca_kit.training.keys import Key
from rca_kit.training.plan import Plan
from rca_kit.training.rows import model_eta, simulate
from rca_kit.training.scenarios import SCENARIOS, Scenario, get_scenario, plan_of
from rca_kit.training.write import roles_of, table, write_case

SHADOW_NOISE = 0.002  # the primary answering twice differs by this much: floating point and feature age


def make_sample(slug: str, out: Path | str, seed: int | None = None, keys: Path | str | None = None) -> tuple[Path, Key]:
    """Write one sample incident as a case folder; its key goes to `keys` when given, never into the folder.

    Examples
    --------
    >>> import tempfile
    >>> folder, key = make_sample("quiet-day", tempfile.mkdtemp())
    >>> key.verdict
    'no_change'
    """
    folder = Path(out) / slug
    key = write_scenario(get_scenario(slug), folder, seed)
    if keys is not None:
        key.save(Path(keys) / f"{slug}.json")
    return folder, key


def write_scenario(
    scenario: Scenario,
    folder: Path,
    seed: int | None = None,
    case_id: str | None = None,
    models: dict[str, Any] | None = None,
) -> Key:
    """Write a scenario's case into a folder and give its key.

    Parameters
    ----------
    scenario : Scenario
    folder : Path
    seed : int, optional
        The scenario's own when not given: the sample itself.
    case_id : str, optional
        Another id than the scenario's, so that a variant cannot be looked up by it.
    models : dict, optional
        What stands under `models:` instead of the scenario's entry.
    """
    plan = plan_of(scenario, seed)
    rows = simulate(plan)
    extra: dict[str, Any] = {}
    if scenario.slos:
        extra["slos"] = scenario.slos
    if "models" in scenario.more:
        extra["models"] = models or scenario.more["models"]
    columns = table(rows).columns
    key = write_case(
        plan,
        folder,
        case_id or scenario.case_id,
        scenario.title,
        scenario.fmt,
        roles_of(plan, columns),
        extra,
        _more_tables(scenario),
        str(scenario.more.get("source", "alert")),
    )
    if scenario.golden:
        golden(plan, scenario.golden).write_parquet(folder / "golden.parquet", compression="zstd")
    if scenario.shadow:
        shadow(plan, scenario.shadow).write_parquet(folder / "shadow.parquet", compression="zstd")
    return key


def _more_tables(s: Scenario) -> dict[str, str]:
    out = {}
    if s.golden:
        out["golden"] = "golden.parquet"
    if s.shadow:
        out["shadow"] = "shadow.parquet"
    return out


def golden(plan: Plan, n: int) -> pl.DataFrame:
    """Take labelled known samples from before the onset: features as they should be, and the label."""
    rows = simulate(plan, 0.0, plan.onset * 0.8, part=9)
    rows.served = rows.clean
    rows.label_lag = np.zeros(rows.n)
    rows.error[:] = -1
    rows.keep = np.sort(rows.rng.permutation(rows.n)[:n])
    frame = table(rows)
    names = plan.world.names
    keep = [c.name for c in plan.columns] + [names.label]
    ids = pl.Series("sample_id", [f"g{i:05d}" for i in range(len(frame))])
    return frame.select(keep).insert_column(0, ids)


def shadow(plan: Plan, n: int) -> pl.DataFrame:
    """Let the primary, the primary again and the candidate answer the same requests from before the onset."""
    rows = simulate(plan, plan.onset * 0.5, plan.onset * 0.99, part=8)
    pick = np.sort(rows.rng.permutation(rows.n)[:n])
    primary, rng = rows.score[pick], rows.rng
    candidate = primary + SHADOW_NOISE * rng.normal(size=len(pick))
    fast = rows.latency[pick] * np.exp(0.05 * rng.normal(size=len(pick)))
    slow = fast + 0.0
    if len(plan.versions) > 1:
        weights = {k: w * rng.choice([-0.2, 0.3, 1.0], size=w.shape) for k, w in plan.model_weights.items()}
        eta = model_eta(plan, rows.n, rows.served, weights)[:, 0]
        candidate = (1 / (1 + np.exp(-(eta + plan.intercept) * plan.attenuate)))[pick]
        slow = fast + 55
    frame = table(rows)[pick.tolist()]
    names = plan.world.names
    return pl.DataFrame(
        {
            "request_id": frame[names.request_id],
            "time": frame[names.time],
            "primary": np.round(primary, 5),
            "candidate": np.round(np.clip(candidate, 0, 1), 5),
            "secondary": np.round(np.clip(primary + SHADOW_NOISE * rng.normal(size=len(pick)), 0, 1), 5),
            "label": frame[names.label],
            "primary_ms": np.round(rows.latency[pick], 1),
            "candidate_ms": np.round(slow, 1),
            **{s.name: frame[s.name] for s in plan.world.segments},
        }
    )


def main(arguments: list[str]) -> None:
    """Write all samples under the first argument, keys beside it in ``keys``."""
    out = Path(arguments[0] if arguments else "data/samples")
    wanted = arguments[1:] or list(SCENARIOS)
    for slug in wanted:
        folder, _ = make_sample(slug, out, keys=out.parent / "keys")
        size = sum(f.stat().st_size for f in folder.iterdir()) / 1e6
        sys.stdout.write(f"{slug:30s} {size:.2f} MB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
