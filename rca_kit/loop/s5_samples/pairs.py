"""Put each bad row beside its nearest healthy twin, mark what differs, and write both down with personal data masked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.rows import error_flag
from rca_kit.case.roles import Roles
from rca_kit.findings.samples import SamplePair
from rca_kit.findings.scope import Segment
from rca_kit.findings.suspects import Suspect
from rca_kit.loop.s5_samples.badness import Loss, Signature, evaluate
from rca_kit.loop.s5_samples.redaction import REDACTED, display, redact_row, redact_text
from rca_kit.loop.s5_samples.rows import INSIDE, WINDOW, Sampled
from rca_kit.loop.s5_samples.twins import Field, differs, gower, make_fields, nearest

ENOUGH_TWINS = 20
MAX_TEXT = 300  # characters of a prompt or answer that are shown
MOST_CLASSES = 20  # more distinct labels are numbers
LABEL_WEIGHT = 3.0  # the twin of a missed fraud is a fraud that was caught, where there is one nearby
SEGMENT_WEIGHT = 2.0  # "same segment" matters more than any single other feature


@dataclass(frozen=True)
class Bad:
    """The bad rows chosen, why they are bad, and the columns this speaks of."""

    frame: pl.DataFrame
    says: str
    columns: tuple[str, ...]


def pair(
    bad: Bad,
    sampled: Sampled,
    roles: Roles,
    segments: tuple[Segment, ...],
    hidden: set[str],
    loss: Loss | None,
    signature: Signature | None,
    suspect: Suspect | None,
) -> tuple[SamplePair, ...]:
    """Find the twins and write the pairs; values of hidden columns never leave this function."""
    pool = _pool(sampled, roles, loss, signature)
    frame = sampled.frame
    about = {signature.column} if signature else set()
    if suspect and suspect.subject.startswith(("feature:", "stage:")):
        about.add(suspect.subject.partition(":")[2])
    own = [c for c in frame.columns if not c.startswith("rk_")]
    skip = {*hidden, *about, roles.time, roles.request_id, roles.model_version, *(set(roles.outcomes) - {roles.label})}
    compared = [c for c in own if c not in skip and c != roles.label_time and not _is_id(frame[c], roles)]
    weights = {c: SEGMENT_WEIGHT for s in segments for c in s.where}
    if roles.label:
        weights[roles.label] = LABEL_WEIGHT
    fields = make_fields(pool if pool.height else frame, compared, weights)
    shown = [c for c in own if ":" not in c or c in (*roles.features, *roles.segments)]
    scales = {f.column: f for f in make_fields(frame.filter(pl.col(WINDOW) == 0) if pool.height else frame, shown)}
    rows = bad.frame.to_dicts()
    if pool.height:
        hours = (_hours(bad.frame[roles.time]), _hours(pool[roles.time]))
        index, distance = nearest(gower(bad.frame, pool, fields, hours))
        twins = [pool.row(int(i), named=True) for i in index]
    else:
        twins, distance = [], np.zeros(0)
    spared = [c for c in (roles.request_id, roles.model_version) if c]
    out = []
    for i, row in enumerate(rows):
        twin = twins[i] if twins else None
        why = _why(row, loss, signature, hidden) or masked(bad.says, bad.columns, hidden)
        different = _differing(row, twin, scales, roles, [*about, *bad.columns]) if twin else ()
        beside = _show(twin, shown, hidden, spared) if twin else None
        out.append(SamplePair(_show(row, shown, hidden, spared), beside, different, why, float(distance[i]) if twin else None))
    return tuple(out)


def _pool(sampled: Sampled, roles: Roles, loss: Loss | None, signature: Signature | None) -> pl.DataFrame:
    """Healthy rows: before, in the segment, good by loss and mark; wider only when there are too few."""
    frame = sampled.frame
    good = pl.Series([True] * frame.height)
    if roles.error in frame.columns and roles.error:
        good = evaluate(error_flag(roles.error, dict(nw.from_native(frame).schema)[roles.error]) == 0, frame)
    if loss is not None:
        right = evaluate(loss.value <= loss.threshold, frame).fill_null(value=False)
        if loss.threshold > 0 and loss.name.startswith(("its score", "the estimate")):
            # a twin should be clearly right for its label, not just not among the worst
            before = pl.when(pl.col(WINDOW) == 0).then(pl.col("rk_loss"))
            label = loss.columns[-1]
            middle = before.median().over(label) if frame[label].n_unique() <= MOST_CLASSES else before.median()
            valued = frame.with_columns(rk_loss=evaluate(loss.value, frame).cast(pl.Float64))
            right = valued.select((pl.col("rk_loss") <= middle).fill_null(value=False))["rk_loss"]
        good = good & right
    if signature is not None:
        good = good & ~evaluate(signature.test, frame).fill_null(value=False)
    healthy = frame.filter(good)
    for w, i in ((0, 1), (0, 0), (1, 1), (1, 0)):
        part = healthy.filter((pl.col(WINDOW) == w) & (pl.col(INSIDE) == i))
        if part.height >= ENOUGH_TWINS:
            return part
    return healthy.filter(pl.col(WINDOW) == 0)


def _is_id(column: pl.Series, roles: Roles) -> bool:
    return column.name == roles.request_id or (column.dtype == pl.String and column.n_unique() > max(50, len(column) // 2))


def _hours(times: pl.Series) -> NDArray[np.float64]:
    seconds = times.dt.epoch("s").to_numpy().astype(float)
    return np.asarray(seconds % 86400 / 3600, dtype=float)


def _differing(
    row: dict[str, Any], twin: dict[str, Any], scales: dict[str, Field], roles: Roles, first: list[str]
) -> tuple[str, ...]:
    skipped = (roles.time, roles.request_id, roles.label_time)
    names = [c for c, f in scales.items() if c not in skipped and differs(row.get(c), twin.get(c), f.scale)]
    return tuple(dict.fromkeys([*(c for c in first if c in names), *names]))


def _why(row: dict[str, Any], loss: Loss | None, signature: Signature | None, hidden: set[str]) -> str:
    parts = []
    if loss is not None and not set(loss.columns) & hidden:
        held = ", ".join(f"{c} {'missing' if row.get(c) is None else display(row[c])}" for c in loss.columns)
        parts.append(f"{loss.name} ({held})")
    if signature is not None and (loss is None or {signature.column} != set(loss.columns)):
        parts.append(masked(signature.says, (signature.column,), hidden))
    return redact_text("; ".join(parts))


def _show(row: dict[str, Any], shown: list[str], hidden: set[str], spared: list[str]) -> dict[str, str | None]:
    out = redact_row({c: row.get(c) for c in shown}, hidden, spared)
    return {c: v if v is None or len(v) <= MAX_TEXT else v[:MAX_TEXT] + " ..." for c, v in out.items()}


def masked(text: str, columns: tuple[str, ...], hidden: set[str]) -> str:
    """Withhold a sentence that would spell out a hidden column's value."""
    return f"a mark in {', '.join(c for c in columns if c in hidden)}, {REDACTED}" if set(columns) & hidden else redact_text(text)
