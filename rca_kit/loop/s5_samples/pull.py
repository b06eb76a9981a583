"""Step 5, Samples: bad rows beside their nearest healthy twins, and short rules that tell bad from good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.case.roles import Roles
from rca_kit.findings.base import Window
from rca_kit.findings.samples import Rule, Samples
from rca_kit.findings.scope import Scope, Segment, describe_where
from rca_kit.findings.suspects import Suspects
from rca_kit.loop.s5_samples.badness import Loss, Signature, evaluate, loss_for, signature_of
from rca_kit.loop.s5_samples.pairs import Bad, masked, pair
from rca_kit.loop.s5_samples.redaction import find_leaks, personal_columns
from rca_kit.loop.s5_samples.rows import HASH, INSIDE, MAX_BAD, WEIGHT, WINDOW, Sampled, fetch, mark
from rca_kit.loop.s5_samples.rules import find_rules
from rca_kit.sources.collect import collect

MAX_COLUMNS = 40  # a person compares no more; the suspects' own columns come first
ENOUGH_BAD = 50  # below this in the sample, bad rows are asked for once more by themselves
TEXT_LENGTH = 25  # mean length above which a column with many distinct values is free text
MAX_EXTRA_TEXTS = 4
MOVED = ("population", "traffic", "routing")  # suspects that change who comes, not what a row holds


def pull_samples(
    predictions: nw.LazyFrame[Any],
    roles: Roles,
    positive: dict[str, Any],
    task: str,
    windows: tuple[Window, Window] | None,
    scope: Scope,
    suspects: Suspects,
    redact: tuple[str, ...] = (),
    n_pairs: int = 8,
    seed: int = 0,
    metric: str = "",
) -> Samples:
    """Pull bad rows, the nearest healthy twin of each, and rules that separate bad from good.

    Parameters
    ----------
    predictions : narwhals LazyFrame
        The request log; the time column is UTC. At most about 20k rows are fetched, by a filter that the engine runs.
    roles : Roles
    positive : dict
        The positive value of label, decision and KPI columns.
    task : str
        binary, multiclass, regression, ranking or text.
    windows : pair of Window
        Before and after the onset.
    scope, suspects : Scope, Suspects
        Steps 3 and 4: which segments, and what mark the first suspect leaves.
    redact : tuple of str
        Columns that are masked whole; columns and stretches of text that look personal are masked as well.
    n_pairs : int
        Bad rows to show.
    seed : int
        Chooses the sample; equal seeds give equal rows.
    metric : str, optional
        The metric that fell; `scope.metric` when left out.

    Returns
    -------
    Samples
        With `not_applicable` when there is nothing to pull.
    """
    metric = metric or scope.metric
    if suspects.verdict == "no_change":
        return _none("nothing changed, so no row is worse than before")
    if windows is None:
        return _none("no onset was found, so before and after cannot be told apart")
    if metric == "volume" and not suspects.items:
        return _none("requests that never arrived leave no rows")
    # lists, structs and bytes (embeddings, images) tell a reader nothing and compare with nothing
    schema = {c: t for c, t in predictions.collect_schema().items() if not t.is_nested() and t not in (nw.Binary, nw.Object)}
    columns = _columns(roles, schema, suspects, scope, task)
    log = _guarded(predictions, schema)
    sampled = fetch(log, roles, windows, scope.segments, columns, seed)
    segments = scope.segments
    if segments and not sampled.counts["after_in"]:
        segments = ()
        sampled = fetch(log, roles, windows, segments, columns, seed)
    if not sampled.counts["after_in"]:
        return _none("the log holds no rows after the onset")
    loss = loss_for(metric, roles, positive, task, sampled.frame)
    suspect = suspects.items[0] if suspects.items else None
    signature = signature_of(suspect, metric, roles, sampled.frame)
    sampled = _more_bad(sampled, log, roles, windows, segments, columns, seed, loss, signature)
    frame, derived = _with_measures(sampled.frame, columns, roles, redact)
    sampled = replace(sampled, frame=frame)
    hidden = _hidden(frame, columns, roles, redact)
    rules, typical = _rules(sampled, roles, loss, signature, hidden, derived, seed)
    # rows of a benign shift are not bad, only new; in an incident without a mark any row would be shown for nothing
    new = suspects.verdict == "benign_shift" or metric.startswith("psi:") or (suspect is not None and suspect.subject in MOVED)
    bad = _choose(sampled, loss, signature, typical and new, n_pairs, hidden)
    if bad is None:
        return _none(f"no single row shows {metric or 'the change'}: it has no loss per row, and the suspect leaves no mark")
    pairs = pair(bad, sampled, roles, segments, hidden, loss, signature, suspect)
    where = "; or ".join(describe_where(s.where) for s in segments) or "all traffic"
    shown = tuple(c for c in columns if c in frame.columns)
    scoped = tuple(c for s in segments for c in s.where)
    because = f"{masked(bad.says, bad.columns, hidden)}, from {masked(where, scoped, hidden)}"
    return Samples(pairs, rules, shown, tuple(c for c in shown if c in hidden), because, population=sampled.counts["after_in"])


def _none(because: str) -> Samples:
    return Samples((), (), (), (), "", not_applicable=because)


def _columns(roles: Roles, schema: dict[str, Any], suspects: Suspects, scope: Scope, task: str) -> list[str]:
    named = [s.subject.partition(":")[2] for s in suspects.items[:3]]
    scoped = [c for s in scope.segments for c in s.where]
    kpis = list(roles.kpi)
    head = [roles.time, roles.request_id, roles.model_version, *scoped, *named]
    outcome = [roles.score, roles.decision, roles.label, roles.error, roles.latency_ms, *kpis, *roles.stages]
    texts = []
    if task == "text":
        known = set(roles.outcomes) | {roles.time, roles.request_id, roles.label_time}
        texts = [c for c, t in schema.items() if t == nw.String and c not in known][:MAX_EXTRA_TEXTS]
    first = [c for c in dict.fromkeys([*head, *outcome]) if c and c in schema]
    rest = [c for c in dict.fromkeys([*texts, *roles.segments, *roles.features]) if c in schema and c not in first]
    return first + rest[: max(MAX_COLUMNS - len(first), 0)]


def _guarded(predictions: nw.LazyFrame[Any], schema: dict[str, Any]) -> nw.LazyFrame[Any]:
    """Read NaN as missing in all float columns, so that engines agree on what compares with what."""
    floats = [c for c, t in schema.items() if t.is_float()]
    if not floats:
        return predictions
    return predictions.with_columns(*[nw.when(~nw.col(c).is_nan()).then(nw.col(c)).alias(c) for c in floats])


def _bad_test(loss: Loss | None, signature: Signature | None) -> nw.Expr | None:
    tests = [t for t in (loss.value > loss.threshold if loss else None, signature.test if signature else None) if t is not None]
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else tests[0] & tests[1]


def _more_bad(
    sampled: Sampled,
    log: nw.LazyFrame[Any],
    roles: Roles,
    windows: tuple[Window, Window],
    segments: tuple[Segment, ...],
    columns: list[str],
    seed: int,
    loss: Loss | None,
    signature: Signature | None,
) -> Sampled:
    """Ask for bad rows alone when a bounded sample caught few: one more scan, one more filter."""
    test = _bad_test(loss, signature)
    if test is None or not sampled.bounded:
        return sampled
    affected = sampled.frame.filter((pl.col(WINDOW) == 1) & (pl.col(INSIDE) == 1))
    n_bad = int(evaluate(test, affected).fill_null(value=False).sum())
    if n_bad >= ENOUGH_BAD or sampled.counts["after_in"] <= affected.height:
        return sampled
    marked = mark(log, roles, windows, segments, seed, dict(log.collect_schema()))
    wanted = [nw.col(c) for c in dict.fromkeys(columns)] + [nw.col(c) for c in (WINDOW, INSIDE, HASH)]
    chosen = marked.filter((nw.col(WINDOW) == 1) & (nw.col(INSIDE) == 1)).filter(test).select(*wanted).head(MAX_BAD)
    # these rows are for showing only: weight 0 keeps them out of every share
    extra = collect(chosen).with_columns(pl.lit(0.0).alias(WEIGHT)).sort(roles.time, HASH)
    taken = pl.concat([sampled.frame, extra.select(sampled.frame.columns)], how="vertical_relaxed")
    return replace(sampled, frame=taken.unique(subset=[*dict.fromkeys(columns), HASH], keep="first", maintain_order=True))


def _with_measures(
    frame: pl.DataFrame, columns: list[str], roles: Roles, redact: tuple[str, ...]
) -> tuple[pl.DataFrame, list[str]]:
    """Add measures of free-text columns, for twins and rules; their names are `<column>:<measure>`."""
    out: dict[str, pl.Series] = {}
    for name in columns:
        if name not in redact and name not in (roles.request_id, roles.error) and _is_text(frame[name]):
            from rca_kit.loop.s5_samples.text_detectors import fitting_measures, text_measures

            fitting = fitting_measures(name)
            for measure, values in text_measures(frame[name]).items():
                if measure not in fitting:
                    continue
                key = f"{name}:{measure}"
                if values.dtype == object:
                    out[key] = pl.Series(key, values.tolist(), dtype=pl.String)
                else:
                    out[key] = pl.Series(key, values, dtype=pl.Float64).fill_nan(None)
    return frame.with_columns(*out.values()), list(out)


def _is_text(column: pl.Series) -> bool:
    if column.dtype != pl.String or column.null_count() == len(column):
        return False
    mean = column.str.len_chars().mean()
    spaced = column.drop_nulls().head(200).str.contains(r"\S\s+\S").mean()
    return float(mean or 0) >= TEXT_LENGTH and float(spaced or 0) > 0.5  # type: ignore[arg-type]


def _hidden(frame: pl.DataFrame, columns: list[str], roles: Roles, redact: tuple[str, ...]) -> set[str]:
    exempt = [c for c in (roles.time, roles.request_id, roles.model_version, roles.label_time) if c]
    guessed = personal_columns({c: frame[c].head(200).to_list() for c in columns}, exempt)
    ids = [roles.request_id] if roles.request_id and _opens_doors(frame[roles.request_id]) else []
    return {*redact, *guessed, *ids}


def _opens_doors(ids: pl.Series) -> bool:
    """Whether request ids are e-mail addresses, cards or IBANs; that they look random is their nature."""
    seen = [leak.kind for v in ids.drop_nulls().head(50).cast(pl.String).to_list() for leak in find_leaks(v)]
    return any(kind in ("e-mail", "IBAN", "card") for kind in seen)


def _rules(
    sampled: Sampled,
    roles: Roles,
    loss: Loss | None,
    signature: Signature | None,
    hidden: set[str],
    derived: list[str],
    seed: int,
) -> tuple[tuple[Rule, ...], bool]:
    """Rules among the rows after the onset; without a bad mark, rules that tell rows after from rows before."""
    frame = sampled.frame.filter(pl.col(WEIGHT) > 0)
    banned = {*hidden, roles.time, roles.request_id, *roles.outcomes, *(loss.columns if loss else ())}
    version = [roles.model_version] if roles.model_version else []
    named = dict.fromkeys([*roles.segments, *roles.features, *version, *derived])
    usable = [c for c in named if c in frame.columns and c not in banned]
    after = frame.filter(pl.col(WINDOW) == 1)
    if loss is not None:
        value = evaluate(loss.value, after).cast(pl.Float64)
        after, value = after.filter(value.is_not_null()), value.drop_nulls()
        bad = (value > loss.threshold).to_numpy()
        return find_rules(after, bad, after[WEIGHT].to_numpy(), usable, seed), False
    if signature is not None:
        bad = evaluate(signature.test, after).fill_null(value=False).to_numpy()
        return find_rules(after, bad, after[WEIGHT].to_numpy(), [c for c in usable if c != signature.column], seed), False
    # nothing bad on a row: what is new about the rows after
    bad = (frame[WINDOW] == 1).to_numpy()
    # a new version is not news about the traffic, nor is the hour: compare with the same hours
    inputs = [c for c in usable if c not in version]
    hour = frame[roles.time].dt.hour()
    alike = bad | hour.is_in(hour.filter(pl.Series(bad)).unique().to_list()).to_numpy()
    same = frame.filter(pl.Series(alike))
    return find_rules(same, bad[alike], same[WEIGHT].to_numpy(), inputs, seed), True


def _choose(
    sampled: Sampled, loss: Loss | None, signature: Signature | None, typical: bool, n_pairs: int, hidden: set[str]
) -> Bad | None:
    """Pick the worst rows: by loss and mark together, else by mark, else by loss, else rows of the segment that grew."""
    affected = sampled.frame.filter((pl.col(WINDOW) == 1) & (pl.col(INSIDE) == 1))
    n = affected.height
    value = evaluate(loss.value, affected).cast(pl.Float64).fill_null(-np.inf) if loss else pl.Series([0.0] * n)
    over = (value > loss.threshold) if loss else pl.Series([True] * n)
    marked = evaluate(signature.test, affected).fill_null(value=False) if signature else pl.Series([True] * n)
    ways: list[tuple[pl.Series, str, tuple[str, ...]]] = []
    if loss and signature:
        both = loss.name if set(loss.columns) == {signature.column} else f"{loss.name}, and {signature.says}"
        ways.append((over & marked, both, (*loss.columns, signature.column)))
    if signature:
        ways.append((marked, signature.says, (signature.column,)))
    if loss:
        ways.append((over, loss.name, loss.columns))
    if typical and sampled.counts["before_in"] + sampled.counts["before_out"]:
        ways.append((pl.Series([True] * n), "typical of the traffic after the onset", ()))
    for picked, says, columns in ways:
        rows = affected.with_columns(rk_loss=value).filter(picked)
        if rows.height >= min(3, n_pairs) or (rows.height and picked is ways[-1][0]):
            alike = [c for c in affected.columns if c not in (HASH, WEIGHT) and c not in hidden and _repeats(affected[c])]
            ordered = rows.sort(["rk_loss", HASH], descending=[True, False], maintain_order=True)
            varied = ordered.unique(subset=alike, keep="first", maintain_order=True) if alike else ordered
            few = varied if varied.height >= n_pairs else ordered
            return Bad(few.head(n_pairs), says, columns)
    return None


def _repeats(column: pl.Series) -> bool:
    return column.n_unique() <= max(2, len(column) // 4)
