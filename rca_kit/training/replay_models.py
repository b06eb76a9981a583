"""The models behind two samples, so that their golden sets can be replayed: loaders without arguments, for `models:`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np

from rca_kit.training.drill_file import DrillFile
from rca_kit.training.plan import Plan
from rca_kit.training.rows import model_eta
from rca_kit.training.scenarios import get_scenario, plan_of
from rca_kit.training.world import Array, Cat

Scorer = Callable[[Any], Array]
LOST_ON_ANDROID = 0.46  # the share of Android reads that miss under the new key, as in the sample's log
LOST_ANYWHERE = 0.18  # the same over all traffic, when the frame does not say which client a row is from
MISSING_PENALTY = 3.4  # how much safer v3 takes a row whose device type is missing, in logits


def _scores(plan: Plan, frame: Any, broken: bool) -> Array:
    table = nw.from_native(frame, eager_only=True)
    columns: dict[str, Any] = {}
    for c in plan.columns:
        if c.name not in table.columns:
            columns[c.name] = np.full(len(table), -1) if isinstance(c, Cat) else np.full(len(table), np.nan)
            continue
        values = table[c.name].to_list()
        if isinstance(c, Cat):
            codes = {v: i for i, v in enumerate(plan.levels[c.name])}
            columns[c.name] = np.array([codes.get(v, -1) for v in values])
        else:
            columns[c.name] = np.array([np.nan if v is None else v for v in values], float)
    if broken:
        columns["device_type"] = np.where(_misses(columns, plan), -1, columns["device_type"])
    eta = model_eta(plan, len(table), columns, plan.model_weights)[:, 0]
    if broken:
        eta = eta - MISSING_PENALTY * (columns["device_type"] < 0)
    return np.asarray(1 / (1 + np.exp(-(eta + plan.intercept) * plan.attenuate)), float)


def _misses(columns: dict[str, Any], plan: Plan) -> Array:
    """Which reads miss: fixed by the row's own values, so that a replay gives the same answers each time."""
    dice = np.modf(np.abs(np.nan_to_num(columns["amount"])) * 7.7131 + np.nan_to_num(columns["distance_km"]) * 3.137)[0]
    share = np.full(len(dice), LOST_ANYWHERE)
    if (columns["os"] >= 0).any():
        share = np.where(columns["os"] == plan.levels["os"].index("android"), LOST_ON_ANDROID, 0.0)
    return np.asarray(dice < share)


def fraud_old_key(seed: int | None = None) -> Scorer:
    """Load the fraud model of `auc-drop-null-feature` as it reads device types by the old key.

    Examples
    --------
    >>> import polars as pl
    >>> fraud_old_key()(pl.DataFrame({"amount": [10.0, 900.0]})).shape
    (2,)
    """
    plan = plan_of(get_scenario("auc-drop-null-feature"), seed)
    return lambda frame: _scores(plan, frame, broken=False)


def fraud_new_key(seed: int | None = None) -> Scorer:
    """Load the same model as it reads device types by the new key: some reads miss."""
    plan = plan_of(get_scenario("auc-drop-null-feature"), seed)
    return lambda frame: _scores(plan, frame, broken=True)


def sign_up(seed: int | None = None) -> Scorer:
    """Load the model of `threshold-change`; it is the same before and after."""
    plan = plan_of(get_scenario("threshold-change"), seed)
    return lambda frame: _scores(plan, frame, broken=False)


def of_drill(folder: Path, which: str) -> Scorer:
    """Load a model version of a training session: the scenario's own loader, for the session's variant.

    Parameters
    ----------
    folder : Path
        The session.
    which : {"current", "previous"}
    """
    drill = DrillFile.load(folder)
    _, _, name = get_scenario(drill.scenario).more["models"][which]["python"].partition(":")
    loader: Callable[[int], Scorer] = globals()[name]
    return loader(drill.seed)
