"""Replay: known labelled samples through the current and the previous version of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.replay import Replay as ReplayFinding
from rca_kit.findings.replay import ReplayErrors
from rca_kit.loop.progress import Report
from rca_kit.loop.tables import guess_dimensions, to_polars
from rca_kit.loop.versions.recording import Recording, fingerprint
from rca_kit.loop.versions.replay_answers import Answered, Ids
from rca_kit.loop.versions.replay_verdict import judge_replay
from rca_kit.loop.versions.runner import Run, Take, run_model
from rca_kit.models.answers import Model, name_of
from rca_kit.models.load import load_model
from rca_kit.sources.frames import kind_of


def replay(
    golden: Any,
    current: Any,
    previous: Any,
    label: str = "label",
    id: str = "sample_id",
    features: Sequence[str] | None = None,
    repeats: int = 1,
    *,
    task: str | None = None,
    threshold: float | Mapping[str, float] | None = None,
    margin: float | Mapping[str, float] | None = None,
    decide_by: Sequence[str] | None = None,
    dimensions: Sequence[str] | None = None,
    cluster: str | None = None,
    record: str | Path | None = None,
    progress: Report | bool | None = None,
    served: Any = None,
    chunk: int | None = None,
    seed: int = 0,
) -> ReplayFinding:
    """Run labelled samples through two versions and say whether the current one is worse.

    Parameters
    ----------
    golden : frame or path
        One row per sample: features, label, id. Rows without a label and further rows of the same id are counted, not used.
    current, previous : callable, adapter, or what `rca_kit.models.load_model` takes
        From a frame with the feature columns, in the kind of frame given (Polars for a path), to a 1-D array of scores or class
        names.
    label, id : str
        Columns; without an id column rows are numbered.
    features : sequence of str, optional
        Columns the models are given; all but label, id and cluster when absent.
    repeats : int
        Times each version is asked; above one, its own noise is measured and taken into account.
    task : {"binary", "multiclass", "regression"}, optional
        Told from the labels when absent.
    threshold : float or mapping, optional
        Decision threshold of scores, or one for each of "current" and "previous". 0.5 for probabilities; for other scores the
        cut at which the previous version says yes as often as the labels do.
    margin : float or mapping, optional
        Differences within count as none: of all deciding metrics, or by metric. Absent: 0.005 for shares and areas, 1 % of the
        previous value for losses and errors.
    decide_by : sequence of str, optional
        Metrics that make the verdict; absent: AUC, log loss and accuracy; accuracy for classes; MAE and RMSE for regression.
    dimensions : sequence of str, optional
        Columns to search for segments where the current version is worse; texts, booleans and integers of few values when
        absent.
    cluster : str, optional
        Column whose rows belong together; intervals allow for it.
    record : path, optional
        File to which answers are appended as they arrive. A later run with the same samples and models goes on from there;
        failed samples are tried again.
    progress : bool or callable, optional
        True writes rate and time left to a terminal; a callable is given `Progress` values.
    served : frame or path, optional
        Features as served online for the same ids: offline against online parity is in `.parity`.
    chunk : int, optional
        Samples per call of a model.
    seed : int
        For resampling.

    Returns
    -------
    Replay
        `.verdict` is worse or better when a deciding metric differs beyond chance (Holm, 5 % in all) and beyond its margin, same
        when all intervals lie within their margins, else inconclusive with `.needed_samples`. Samples that a version did not
        answer are in `.errors` and never scored.

    Raises
    ------
    BadInput
        When columns are missing, no label is there, or labels and answers do not fit together.

    Examples
    --------
    >>> import numpy as np, polars as pl
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=4000)
    >>> golden = pl.DataFrame({"sample_id": range(4000), "x": x, "label": rng.random(4000) < 1 / (1 + np.exp(-2 * x))})
    >>> def old(frame): return 1 / (1 + np.exp(-2 * frame["x"].to_numpy()))
    >>> def new(frame): return 1 / (1 + np.exp(-2 * (frame["x"].to_numpy() + 1)))
    >>> replay(golden, current=new, previous=old).verdict
    'worse'
    >>> replay(golden, current=old, previous=old).verdict
    'same'
    """
    if repeats < 1:
        raise BadInput("repeats must be at least 1", found=str(repeats))
    models = {"current": _model(current, "current"), "previous": _model(previous, "previous")}
    samples = _samples(golden, label, id, features, cluster)
    take = _taker(golden, samples)
    runs: dict[str, Run] = {}
    mark = ""
    if record:  # only a recording needs it
        mark = fingerprint(samples.hashes(), samples.features, [name_of(models[v], v) for v in models])
    with Recording(Path(record) if record is not None else None, mark) as recording:
        for version in ("previous", "current"):
            runs[version] = run_model(
                models[version],
                take,
                samples.ids,
                version=version,
                repeats=repeats,
                recording=recording,
                chunk=chunk,
                progress=progress,
            )
    names = list(dimensions) if dimensions is not None else guess_dimensions(samples.frame, [label, id, cluster or ""])
    answered = Answered(
        samples.frame,
        samples.ids,
        label,
        id,
        runs["previous"].answers,
        runs["current"].answers,
        tuple(samples.features),
        tuple(names),
        cluster,
    )
    return judge_replay(
        answered,
        models,
        take,
        _errors(samples, runs),
        task=task,
        threshold=threshold,
        margin=margin,
        decide_by=decide_by,
        served=served,
        seed=seed,
    )


@dataclass(frozen=True)
class Samples:
    """Labelled samples, each id once; `places` are their rows in the golden set."""

    frame: pl.DataFrame
    places: Any
    ids: Ids
    features: list[str]
    unlabelled: int
    duplicates: int

    def hashes(self) -> bytes:
        """One number per sample, of its id and its features."""
        named = self.frame.select(self.features)
        if self.ids.column is not None:
            named = named.with_columns(self.ids.column.alias("\0id"))
        return named.hash_rows(seed=0).to_numpy().tobytes()


def _model(given: Any, version: str) -> Model:
    if isinstance(given, (str, dict)):
        return load_model(given)
    if callable(given):
        model: Model = given
        return model
    if hasattr(given, "predict"):
        from rca_kit.models.python import as_model

        return as_model(given, version)
    raise BadInput(
        f"the {version} version is no model",
        found=type(given).__name__,
        expected="a callable from frame to scores, an object with predict, or an entry as in incident.yaml",
    )


def _samples(golden: Any, label: str, id: str, features: Sequence[str] | None, cluster: str | None) -> Samples:
    frame = to_polars(golden, name="the golden set")
    for name in (label, *(features or ()), *([cluster] if cluster else [])):
        if name not in frame.columns:
            raise BadInput(
                "the golden set has no such column",
                column=name,
                found=", ".join(frame.columns),
                hint=did_you_mean(name, frame.columns),
            )
    rows = frame.height
    known = frame[label].is_not_null() & (frame[label].is_not_nan() if frame[label].dtype.is_float() else True)
    places = np.arange(rows)
    if not known.all():
        places, frame = places[known.to_numpy()], frame.filter(known)
    labelled = frame.height
    if not labelled:
        raise BadInput("the golden set has no labelled row", column=label, found=f"{rows} rows")
    if id in frame.columns:
        first = frame[id].is_first_distinct() | frame[id].is_null()
        if not first.all():
            places, frame = places[first.to_numpy()], frame.filter(first)
    ids = Ids(frame.height, frame[id] if id in frame.columns else None)
    chosen = list(features) if features is not None else [c for c in frame.columns if c not in (label, id, cluster)]
    if not chosen:
        raise BadInput("the golden set has no feature column", found=", ".join(frame.columns))
    return Samples(frame, places, ids, chosen, rows - labelled, labelled - frame.height)


def _taker(golden: Any, samples: Samples) -> Take:
    """Give models the kind of frame the user gave; pandas frames are cut from the original, its dtypes untouched."""
    kind = kind_of(golden)
    if kind.package == "pandas":
        native = nw.to_native(golden, pass_through=True)
        names = [str(c) for c in native.columns]
        at = [names.index(f) for f in samples.features]
        table = native.iloc[samples.places, at]
        return lambda rows: table.iloc[_slice(rows)]
    frame = samples.frame.select(samples.features)
    if kind.package == "pyarrow":
        return lambda rows: kind.give_back(frame[_slice(rows)])
    return lambda rows: frame[_slice(rows)]


def _slice(rows: Any) -> Any:
    """Give neighbouring rows as a slice, which copies nothing."""
    whole = len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all()
    return slice(int(rows[0]), int(rows[-1]) + 1) if whole else rows


def _errors(samples: Samples, runs: Mapping[str, Run]) -> ReplayErrors:
    reasons = [
        (version, reason, count)
        for version in ("current", "previous")
        for reason, count in Counter(runs[version].errors.values()).most_common(10)
    ]
    examples = [
        (version, samples.ids[row], reason)
        for version in ("current", "previous")
        for row, reason in sorted(runs[version].errors.items())[:20]
    ]
    return ReplayErrors(
        len(runs["current"].errors),
        len(runs["previous"].errors),
        tuple(sorted(reasons, key=lambda r: (-r[2], r[0], r[1]))),
        tuple(examples),
        samples.unlabelled,
        samples.duplicates,
    )
