"""Old and new model on old and new data: which of the two carries the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rca_kit.errors import BadInput
from rca_kit.findings.replay import FourWay
from rca_kit.findings.shadow import Effect
from rca_kit.loop.s6_simulate.whatif import MIN_ROWS, Rows, measure, rows_of
from rca_kit.loop.tables import to_polars
from rca_kit.loop.versions.effects import from_mean
from rca_kit.loop.versions.labelled import default_margin
from rca_kit.models.answers import call
from rca_kit.sources.frames import kind_of
from rca_kit.stats.paired import PairedMean, two_sided
from rca_kit.stats.rowmetrics import LOWER_IS_BETTER, RowMetric

LARGE_SHARE = 0.25  # of the total: an effect smaller than this is not what carries the loss


def four_way(
    old_model: Callable[[Any], Any],
    new_model: Callable[[Any], Any],
    old_data: Any,
    new_data: Any,
    label: str = "label",
    features: Sequence[str] | None = None,
    metric: str = "auc",
    threshold: float | None = None,
    margin: float | Mapping[str, float] | None = None,
) -> FourWay:
    """Score both data with both models and split the change into model, data and their interaction.

    Parameters
    ----------
    old_model, new_model : callable
        From a frame of features to scores.
    old_data, new_data : frame or path
        Labelled rows of both times.
    label : str
        Column with 0/1, or the value in regression.
    features : sequence of str, optional
        Columns the models are given; all but the label when absent.
    metric : str
        auc, average_precision, log_loss, calibration_error, score_mean, mae, rmse, bias; with a threshold also accuracy,
        precision, recall, f1, positive_rate.
    threshold : float, optional
        Decision threshold.
    margin : float, optional
        Differences up to this count as none; the defaults of `replay` when absent.

    Returns
    -------
    FourWay
        `verdict` is model, data, both, interaction or none. The model's effect is the mean of its effects on both data, the
        data's likewise (Shapley shares of the two); the interaction is how much the new model suffers more from the new data.

    Examples
    --------
    >>> import polars as pl
    >>> rng = np.random.default_rng(0)
    >>> def data():
    ...     x = rng.normal(size=3000)
    ...     return pl.DataFrame({"x": x, "label": (rng.random(3000) < 1 / (1 + np.exp(-2 * x))) * 1})
    >>> def good(f): return f["x"].to_numpy()
    >>> def bad(f): return f["x"].to_numpy() + 3 * np.sin(1e3 * f["x"].to_numpy())
    >>> four_way(good, bad, data(), data()).verdict
    'model'
    """
    cells: dict[tuple[str, str], RowMetric] = {}
    sizes = {}
    for when, data in (("old", old_data), ("new", new_data)):
        kind = kind_of(data)
        frame = to_polars(data, name=f"the {when} data")
        if label not in frame.columns:
            raise BadInput(f"the {when} data have no such column", column=label, found=", ".join(frame.columns))
        names = list(features) if features is not None else [c for c in frame.columns if c != label]
        rows = rows_of(frame, None, None, label, {})
        given = kind.give_back(frame.select(names)) if kind.package in ("pandas", "pyarrow") else frame.select(names)
        sizes[when] = frame.height
        for which, model in (("old", old_model), ("new", new_model)):
            values = call(model, given, frame.height).values
            if values.dtype == object:
                raise BadInput(f"the {which} model must give numbers here", found="texts")
            cells[which, when] = _measured(metric, rows, values, threshold, which, when)
    return _split(metric, cells, sizes, margin)


def _measured(metric: str, rows: Rows, score: Any, threshold: float | None, which: str, when: str) -> RowMetric:
    decision = rows.decision if threshold is None else np.where(np.isnan(score), np.nan, (score >= threshold).astype(np.float64))
    found = measure(metric, rows.having(score=score, decision=decision))
    if found is None:
        raise BadInput(
            f"{metric} of the {which} model on the {when} data cannot be computed",
            expected=f"at least {MIN_ROWS} labelled and answered rows of both classes",
            hint="a decision metric needs `threshold`" if threshold is None else None,
        )
    return found


def _split(
    metric: str, cells: Mapping[tuple[str, str], RowMetric], sizes: Mapping[str, int], margin: float | Mapping[str, float] | None
) -> FourWay:
    def effect(name: str, signs: Mapping[tuple[str, str], float]) -> Effect:
        """Linear combination of the four cells; cells of the same data are correlated row by row."""
        value = sum(w * cells[c].value for c, w in signs.items())
        variance = 0.0
        for when in ("old", "new"):
            rows = [w * cells[c].influence for c, w in signs.items() if c[1] == when]
            if rows:
                variance += float(np.var(np.sum(rows, axis=0))) / sizes[when]
        se = float(np.sqrt(variance))
        mean = PairedMean(
            value, se, (value - 1.96 * se, value + 1.96 * se), two_sided(value, se, np.inf), min(sizes.values()), np.inf
        )
        return from_mean(name, mean, default_margin(metric, cells["old", "old"].value, margin))

    oo, on, no, nn = ("old", "old"), ("old", "new"), ("new", "old"), ("new", "new")
    model = effect("model", {no: 0.5, oo: -0.5, nn: 0.5, on: -0.5})
    data = effect("data", {on: 0.5, oo: -0.5, nn: 0.5, no: -0.5})
    interaction = effect("interaction", {nn: 1.0, on: -1.0, no: -1.0, oo: 1.0})
    total = effect("total", {nn: 1.0, oo: -1.0})
    lower = metric in LOWER_IS_BETTER

    def carries(e: Effect) -> bool:
        return e.state == "different" and e.estimate / total.estimate >= LARGE_SHARE if total.estimate else False

    on_old = effect("model on old data", {no: 1.0, oo: -1.0})
    on_new = effect("model on new data", {nn: 1.0, on: -1.0})
    old_fell = effect("data with old model", {on: 1.0, oo: -1.0})
    if total.state != "different":
        verdict = "none"
    elif carries(interaction) and not carries(on_old) and not carries(old_fell):
        verdict = "interaction"
    elif carries(model) and carries(data):
        verdict = "both"
    else:
        verdict = "model" if carries(model) else "data" if carries(data) else "none"
    words = {
        "none": "no difference beyond chance and margin",
        "model": "the model carries it: on the same data the new one differs",
        "data": "the data carry it: both models change with them",
        "both": "model and data each carry a part",
        "interaction": "only the new model on the new data differs: something that only this model reads has changed",
    }
    because = (
        f"{metric} {cells[oo].value:.4g} -> {cells[nn].value:.4g}: {words[verdict]}; model {model.estimate:+.4g}, "
        f"data {data.estimate:+.4g}, interaction {interaction.estimate:+.4g}, new model on the new data "
        f"{on_new.estimate:+.4g}; {'lower' if lower else 'higher'} is better."
    )
    shown = tuple(
        (m, d, cells[m, d].value, _interval(cells[m, d], sizes[d]), sizes[d]) for m in ("old", "new") for d in ("old", "new")
    )
    return FourWay(metric, verdict, because, shown, model, data, interaction, total)


def _interval(cell: RowMetric, n: int) -> tuple[float, float]:
    half = 1.96 * float(np.std(cell.influence)) / np.sqrt(n)
    return (float(cell.value - half), float(cell.value + half))
