"""Try the generated parity test on the case: features as computed offline beside those of the log, by request."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.base import Window
from rca_kit.loop.guardrails import parity
from rca_kit.loop.guardrails.schema import DAY, Batch, batches, share_limit
from rca_kit.loop.tables import to_polars
from rca_kit.sources.collect import collect

OFFLINE_ROWS = 200_000  # requests compared at most, spread over the file
NOTHING = "no offline values were given (`--offline FILE`); run it against the training pipeline's output"


def write_parity(
    opened: Any, features: list[str], windows: tuple[Window, Window], onset: datetime, offline: Any
) -> tuple[str, dict[str, Any]]:
    """Write the test and try it.

    Parameters
    ----------
    opened : OpenCase
    features : list of str
        The most suspicious first.
    windows, onset
        Healthy time is before the onset; the incident is the second window.
    offline : path, table or None
        The request id and the features as computed offline. From healthy requests it is learnt how much the two sides differ
        anyway; without it the usual limit stands and nothing can be tried.

    Returns
    -------
    tuple of str and dict
        The file, and what came of the trial.

    Raises
    ------
    BadInput
        When `offline` lacks the request id or holds none of the features.
    """
    case, key = opened.case.incident.id, opened.roles.request_id
    if offline is None:
        return parity.render(case, key, features), {"not_applicable": NOTHING}
    store = to_polars(offline, name="offline")
    if key not in store.columns:
        raise BadInput(
            "the offline values lack the request id",
            file=str(offline) if isinstance(offline, str) else "offline",
            column=key,
            found=", ".join(store.columns),
            hint=did_you_mean(key, store.columns),
        )
    both = [f for f in features if f in store.columns]
    if not both:
        raise BadInput(
            "the offline values hold none of the features",
            file="offline",
            found=", ".join(store.columns),
            expected=", ".join(features),
        )
    before, after = windows
    store = store.select(key, *both).drop_nulls(key).unique(key, keep="first", maintain_order=True)
    store = store.gather_every(max(1, -(-store.height // OFFLINE_ROWS)))
    served = _served(opened, store[key], both, (Window(before.start, min(before.end, onset)), after))
    healthy, ill = (served.filter(pl.col("rk_after") == k).drop("rk_after") for k in (0, 1))
    if min(healthy.height, ill.height) < parity.MIN_PAIRS:
        found = f"the offline values know {healthy.height} requests before and {ill.height} since the onset, too few to try it"
        return parity.render(case, key, both), {"not_applicable": found}
    length = max(timedelta(minutes=10), min(after.end - after.start, DAY))
    cut = [
        b
        for b in batches(healthy, opened.roles.time, before.start, min(before.end, onset), length)
        if b.rows.height >= parity.MIN_PAIRS
    ]
    source = parity.render(case, key, both, _limits(store, cut, case, key, both))
    test = _load(source)
    said = test["problems"](store, ill)
    failing = [b.start for b in cut if test["problems"](store, b.rows)]
    return source, {
        "fires_on_incident": bool(said),
        "says": said[:10],
        "requests": ill.height,
        "passes_on_healthy_days": not failing,
        "healthy_batches": len(cut),
        "held_out": _held_out(store, cut, case, key, both),
    }


def _served(opened: Any, ids: pl.Series, features: list[str], windows: tuple[Window, Window]) -> pl.DataFrame:
    """Fetch the requests that the offline values know, each once, marked by window."""
    time, key = opened.roles.time, opened.roles.request_id
    inside = [(nw.col(time) >= nw.lit(w.start)) & (nw.col(time) < nw.lit(w.end)) for w in windows]
    known = nw.col(key).cast(nw.String).is_in(ids.cast(pl.String).to_list())
    rows = opened.predictions.filter((inside[0] | inside[1]) & known).select(
        *[nw.col(c) for c in dict.fromkeys((time, key, *features))],
        nw.when(inside[1]).then(nw.lit(1)).otherwise(nw.lit(0)).alias("rk_after"),
    )
    log: pl.DataFrame = collect(rows)
    return log.sort(time, key).unique(key, keep="first", maintain_order=True)


def _limits(store: pl.DataFrame, cut: list[Batch], case: str, key: str, features: list[str]) -> dict[str, tuple[float, float]]:
    """Learn from healthy batches how much both sides differ anyway: nulls of a slow lookup, updates that came late."""
    test = _load(parity.render(case, key, features))
    pairs = [test["match"](store, b.rows) for b in cut]
    return {
        f: (
            share_limit([test["nulls_apart"](p, f)[0] for p in pairs], cut, parity.MAX_MISMATCH),
            share_limit([test["values_apart"](p, f)[0] for p in pairs], cut, parity.MAX_MISMATCH),
        )
        for f in features
    }


def _held_out(store: pl.DataFrame, cut: list[Batch], case: str, key: str, features: list[str]) -> dict[str, Any]:
    """Learn from the first two thirds of the batches, try on the rest."""
    split = cut[0].start + (max(b.end for b in cut) - cut[0].start) * 2 / 3
    taught, later = [b for b in cut if b.end <= split], [b for b in cut if b.start >= split]
    if not taught or not later:
        return {"not_applicable": "too little healthy time to learn from a part of it"}
    test = _load(parity.render(case, key, features, _limits(store, taught, case, key, features)))
    failing = [b.start for b in later if test["problems"](store, b.rows)]
    return {"batches": len(later), "failing": len(failing)}


def _load(source: str) -> dict[str, Any]:
    """Load the comparison of the generated file without its pytest part, so that the kit runs without pytest."""
    plain = source.replace("import pytest\n", "").partition("\ndef read(")[0]
    space: dict[str, Any] = {"__name__": "test_feature_parity"}
    exec(compile(plain, "test_feature_parity.py", "exec", dont_inherit=True), space)  # noqa: S102  (our own template, data are literals)
    return space
