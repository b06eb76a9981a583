"""Replay and shadow compare of a case folder, with exit codes that a deployment gate can act on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import narwhals as nw

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.base import Window
from rca_kit.findings.replay import GoldenHealth, Replay
from rca_kit.findings.shadow import Shadow
from rca_kit.loop.progress import Report
from rca_kit.loop.reading.sampling import sample_rows
from rca_kit.loop.versions.golden_health import golden_health
from rca_kit.loop.versions.replay import replay
from rca_kit.loop.versions.shadow import compare_shadow
from rca_kit.loop.versions.triggers import TriggerHistory, evaluate_trigger
from rca_kit.loop.versions.watch import Watch, watch_shadow
from rca_kit.models.load import load_model
from rca_kit.sources.collect import collect
from rca_kit.sources.open import OpenCase, open_case

PASS, FAIL, UNDECIDED = 0, 1, 3
EXIT_CODES = {"same": PASS, "better": PASS, "equivalent": PASS, "worse": FAIL, "different": FAIL, "inconclusive": UNDECIDED}
TRAFFIC_ROWS = 50_000  # rows of current traffic a golden set is held against
RECORDS = "replay"  # folder beside incident.yaml with the recorded answers


def replay_case(
    folder: str | Path, *, record: bool = True, progress: Report | bool | None = True, trusted: bool = False
) -> tuple[Replay, int]:
    """Replay the golden set of a case through its `current` and `previous` model.

    Parameters
    ----------
    folder : path
        The case folder, with `golden` under `tables` and both models under `models`.
    record : bool
        Whether answers are appended to ``replay/answers.jsonl`` in the case folder, so that a run that was interrupted, or in
        which samples failed, goes on. After a whole run the file becomes ``replay/last.jsonl`` and the next one starts afresh: a
        gate must not pass on the answers of an earlier deployment.
    progress : bool or callable
        True shows rate and time left on a terminal.
    trusted : bool
        Whether pickled models may be opened although the case does not say `trusted: true`.

    Returns
    -------
    tuple of Replay and int
        0 same or better, 1 worse, 3 inconclusive.

    Raises
    ------
    BadInput
        When the case has no golden set or lacks a model.
    """
    opened = open_case(folder)
    entries = opened.case.incident.models
    _require(opened.golden is not None, opened, "golden", "a golden set: labelled known samples")
    for version in ("current", "previous"):
        _require(version in entries, opened, f"models: {version}", "what replay can run", did_you_mean(version, entries))
    return replay_opened(opened, record=record, progress=progress, trusted=trusted)


def replay_opened(
    opened: OpenCase, *, record: bool = False, progress: Report | bool | None = None, trusted: bool = False
) -> tuple[Replay, int]:
    """Replay a case that is open already; see `replay_case`."""
    import polars as pl

    home = opened.case.folder
    models = {v: load_model(opened.case.incident.models[v], trusted, home) for v in ("current", "previous")}
    assert opened.golden is not None
    golden: pl.DataFrame = collect(opened.golden)
    roles, names = opened.roles, golden.columns
    label = _first((roles.label, "label"), names)
    if label is None:
        raise BadInput("the golden set has no label column", found=", ".join(names), expected=roles.label or "label")
    sample_id = _first(("sample_id", roles.request_id, "request_id", "id"), names) or "sample_id"
    features = [f for f in roles.features if f in names] or None
    positive = opened.positive.get("label")
    if positive is not None and golden[label].dtype == pl.String:
        golden = golden.with_columns((pl.col(label) == str(positive)).cast(pl.Int8).alias(label))
    segments = [s for s in roles.segments if s in names]
    task = opened.task if opened.task in ("binary", "multiclass", "regression") else None
    found = replay(
        golden,
        models["current"],
        models["previous"],
        label,
        sample_id,
        features,
        task=task,
        dimensions=segments or None,
        record=home / RECORDS / "answers.jsonl" if record else None,
        progress=progress,
    )
    if record and not found.errors:
        (home / RECORDS / "answers.jsonl").replace(home / RECORDS / "last.jsonl")
    return found, EXIT_CODES[found.verdict]


def shadow_case(folder: str | Path) -> tuple[Shadow, int]:
    """Compare the two versions in the shadow table of a case.

    Parameters
    ----------
    folder : path
        The case folder, with `shadow` under `tables`.

    Returns
    -------
    tuple of Shadow and int
        0 equivalent, 1 different, 3 inconclusive.

    Raises
    ------
    BadInput
        When the case has no shadow table.
    """
    opened = open_case(folder)
    _require(opened.shadow is not None, opened, "shadow", "the same requests answered by two models")
    return shadow_opened(opened)


def shadow_opened(opened: OpenCase) -> tuple[Shadow, int]:
    """Compare the shadow answers of a case that is open already; see `shadow_case`."""
    assert opened.shadow is not None
    names = opened.shadow.collect_schema().names()
    label = _first(("label", opened.roles.label), names)
    segments = [s for s in opened.roles.segments if s in names]
    ids = _first(("request_id", opened.roles.request_id), names) or "request_id"
    found = compare_shadow(opened.shadow, label=label or False, id=ids, dimensions=segments or None)
    return found, EXIT_CODES[found.verdict]


def health_case(folder: str | Path) -> GoldenHealth:
    """Check the golden set of a case against its current traffic.

    Raises
    ------
    BadInput
        When the case has no golden set.
    """
    opened = open_case(folder)
    _require(opened.golden is not None, opened, "golden", "a golden set: labelled known samples")
    assert opened.golden is not None
    golden = collect(opened.golden)
    roles, names = opened.roles, golden.columns
    label = _first((roles.label, "label"), names) or "label"
    features = [f for f in roles.features if f in names]
    dimensions = [s for s in roles.segments if s in names]
    wanted = [c for c in dict.fromkeys([*features, *dimensions]) if c in opened.predictions.collect_schema().names()]
    traffic = None
    if wanted:
        start, end = opened.time_range
        late = Window(end - (end - start) / 4, end)  # what traffic is like now
        traffic = sample_rows(opened.predictions, roles.time, late, wanted, TRAFFIC_ROWS, opened.row_count / 4)
    return golden_health(
        golden,
        label,
        _first(("sample_id", roles.request_id, "id"), names) or "sample_id",
        features or None,
        dimensions or None,
        traffic,
        label_time=_first((roles.label_time,), names),
    )


def watch_case(folder: str | Path, every: int = 100) -> Watch:
    """Watch the shadow table of a case in order of time; see `rca_kit.loop.versions.watch.watch_shadow`."""
    opened = open_case(folder)
    _require(opened.shadow is not None, opened, "shadow", "the same requests answered by two models")
    assert opened.shadow is not None
    names = opened.shadow.collect_schema().names()
    return watch_shadow(
        opened.shadow,
        secondary="secondary" if "secondary" in names else None,
        every=every,
        id=_first(("request_id", opened.roles.request_id), names) or "request_id",
    )


def _first(wanted: tuple[str | None, ...], names: list[str]) -> str | None:
    return next((w for w in wanted if w is not None and w in names), None)


def _require(there: bool, opened: OpenCase, what: str, expected: str, hint: str | None = None) -> None:
    if not there:
        models: Mapping[str, Any] = opened.case.incident.models
        found = ", ".join(models) if what.startswith("models") else None
        raise BadInput(
            f"the case has no `{what}`",
            file=str(opened.case.folder / "incident.yaml"),
            found=found or "nothing",
            expected=expected,
            hint=hint,
        )


def canary_case(
    folder: str | Path,
    rule: str = "precision < -5% or p99 +50 ms for 5 min",
    *,
    primary: str = "",
    candidate: str = "",
    bucket_seconds: float = 60.0,
    window_seconds: float | None = None,
) -> TriggerHistory:
    """Run a rollback trigger over the request log of a case, to see whether and when it would have stopped the rollout.

    Parameters
    ----------
    folder : path
        The case folder; its log needs a model version.
    rule : str
        See `rca_kit.loop.versions.triggers`.
    primary, candidate : str, optional
        The two versions; when absent, the newest to appear is the candidate and the most frequent other one the primary.
    bucket_seconds, window_seconds
        As for `evaluate_trigger`.

    Raises
    ------
    BadInput
        When the log has no version column, fewer than two versions, or lacks what the rule needs.
    """
    import polars as pl

    opened = open_case(folder)
    roles = opened.roles
    _require(roles.model_version is not None, opened, "roles: model_version", "a column that tells the versions apart")
    version = str(roles.model_version)
    grouped = opened.predictions.filter(~nw.col(version).is_null()).group_by(version)
    counted = grouped.agg(nw.len().alias("_rows"), nw.col(roles.time).min().alias("_first"))
    seen: pl.DataFrame = collect(counted).sort(["_first", version], descending=[True, False])
    seen = seen.with_columns(pl.col(version).cast(pl.String).alias("_name"))
    if seen.height < 2:
        raise BadInput("the log holds fewer than two versions", column=version, found=", ".join(seen["_name"]))
    new = candidate or seen["_name"][0]
    others = seen.filter(pl.col("_name") != new).sort(["_rows", "_name"], descending=[True, False])
    old = primary or others["_name"][0]
    for given in (new, old):
        if given not in seen["_name"]:
            raise BadInput("the log has no such version", column=version, found=given, expected=", ".join(seen["_name"]))
    # before the candidate's first request there is nothing to compare
    start = seen.filter(pl.col("_name") == new)["_first"][0]
    columns = (roles.time, version, roles.score, roles.decision, roles.label, roles.error, roles.latency_ms)
    both = seen.filter(pl.col("_name").is_in([new, old]))[version].to_list()
    part = opened.predictions.filter(nw.col(roles.time) >= nw.lit(start), nw.col(version).is_in(both))
    part = part.select([c for c in dict.fromkeys(columns) if c is not None])
    log: pl.DataFrame = collect(part).with_columns(pl.col(version).cast(pl.String))
    for role, column in (("decision", roles.decision), ("label", roles.label)):
        yes = opened.positive.get(role)
        if column is not None and yes is not None and not log.schema[column].is_numeric():
            log = log.with_columns((pl.col(column).cast(pl.String) == str(yes)).cast(pl.Int8).alias(column))
    return evaluate_trigger(
        rule,
        log,
        version=version,
        primary=old,
        candidate=new,
        time=roles.time,
        score=roles.score,
        decision=roles.decision,
        label=roles.label,
        error=roles.error,
        latency=roles.latency_ms,
        bucket_seconds=bucket_seconds,
        window_seconds=window_seconds,
    )
