"""The names of metrics, as incident.yaml may use them."""

from __future__ import annotations

from rca_kit.errors import did_you_mean

QUALITY_METRICS = (
    "auc", "average_precision", "accuracy", "precision", "recall", "f1", "log_loss", "calibration_error", "mae", "rmse", "bias",
)
PLAIN_METRICS = (
    *QUALITY_METRICS, "positive_rate", "score_mean", "error_rate", "latency_p50", "latency_p95", "latency_p99", "volume",
)
PREFIXED_METRICS = ("null_rate", "kpi", "psi", "freshness")


def metric_problem(name: str) -> str | None:
    """Say what is wrong with a metric's name, or None when it is one of the format's.

    Examples
    --------
    >>> metric_problem("auc"), metric_problem("null_rate:device type")
    (None, None)
    >>> metric_problem("acuracy")
    '`acuracy` is not a metric: did you mean `accuracy`?'
    """
    if name in PLAIN_METRICS:
        return None
    prefix, colon, rest = name.partition(":")
    if colon and prefix in PREFIXED_METRICS:
        return None if rest.strip() else f"`{name}` lacks what comes after the colon, as in `{prefix}:name`"
    if prefix in PREFIXED_METRICS:
        return f"`{name}` needs a name, as in `{prefix}:name`"
    hint = did_you_mean(name, [*PLAIN_METRICS, *(p + ":" for p in PREFIXED_METRICS)])
    known = "known are " + ", ".join([*PLAIN_METRICS, *(f"{p}:<name>" for p in PREFIXED_METRICS)])
    return f"`{name}` is not a metric: {hint or known}"
