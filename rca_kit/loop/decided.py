"""What people decided, put into the findings of steps 3, 5 and 7, each marked with who said it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import narwhals as nw

from rca_kit.case.decisions import Decisions, Ruling
from rca_kit.errors import BadInput
from rca_kit.findings.samples import Samples
from rca_kit.findings.scope import Scope, Segment
from rca_kit.findings.settlement import Action, CheckItem, Message, Settlement, Severity, Why
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.s3_scope.conditions import where_expression
from rca_kit.loop.s3_scope.search import Badness, badness_of


def declared(prepared: Prepared, picture: Picture, metric: str, found: Scope) -> Scope:
    """Give the scope that a person declared, with its numbers; conditions on columns that are not there are left out."""
    decisions = prepared.decisions
    by = f"set by {decisions.scope_author or 'a person'}"
    searched = "; or ".join(str(s) for s in found.segments) or "all traffic"
    note = f"The scope was {by}; the search had found: {searched}."
    if not decisions.scope:
        return replace(found, is_global=True, segments=(), because=f"All traffic, {by}.", notes=(*found.notes, note))
    bad = badness_of(picture, metric, dict(prepared.frame.collect_schema()))
    segments = tuple(s for w in decisions.scope if (s := segment_facts(prepared.frame, picture, bad, w)) is not None)
    if not segments:
        return found
    return replace(found, is_global=False, segments=segments, because="", notes=(*found.notes, note))


def segment_facts(frame: nw.LazyFrame[Any], picture: Picture, bad: Badness | None, where: Mapping[str, Any]) -> Segment | None:
    """Count one segment before and after; None when its conditions fit no column."""
    schema = dict(frame.collect_schema())
    if not where or any(name not in schema for name in where):
        return None
    time = nw.col(picture.aggregates.plan.columns.time)
    before, after = picture.windows
    row = bad.row.cast(nw.Float64) if bad else nw.lit(1.0)
    try:
        inside = where_expression(where, schema)
    except BadInput:
        return None
    table = (
        frame.filter(((time >= before.start) & (time < before.end)) | ((time >= after.start) & (time < after.end)))
        .select((time >= after.start).cast(nw.Int64).alias("rk_side"), inside.cast(nw.Int64).alias("rk_in"), row.alias("rk_x"))
        .filter(~nw.col("rk_x").is_null())
        .group_by("rk_side", "rk_in")
        .agg(nw.len().alias("rk_n"), nw.col("rk_x").sum())
        .collect(backend="polars")
        .to_native()
    )
    sums = {(int(s), int(i or 0)): (float(n), float(x)) for s, i, n, x in table.select("rk_side", "rk_in", "rk_n", "rk_x").rows()}
    (n0, x0), (n1, x1) = (sums.get((side, 1), (0.0, 0.0)) for side in (0, 1))
    all0, all1 = ([sum(v) for v in zip(*(sums.get((side, i), (0.0, 0.0)) for i in (0, 1)), strict=True)] for side in (0, 1))
    if bad is None:
        return Segment(dict(where), n1 / all1[0] if all1[0] else None, n_before=int(n0), n_after=int(n1))
    rates = [x / n if n else None for x, n in ((x0, n0), (x1, n1))]
    whole = x1 - (rates[0] or 0.0) * n1, all1[1] - (all0[1] / all0[0] if all0[0] else 0.0) * all1[0]
    return Segment(
        where=dict(where),
        share_of_traffic=n1 / all1[0] if all1[0] else None,
        before=rates[0],
        after=rates[1],
        share_of_impact=whole[0] / whole[1] if whole[1] else None,
        n_before=int(n0),
        n_after=int(n1),
    )


def tagged(samples: Samples, decisions: Decisions) -> Samples:
    """Put the tags of people on the bad rows they belong to."""
    if not decisions.tags:
        return samples
    return replace(
        samples, pairs=tuple(replace(p, tag=decisions.tags[p.key].value) if p.key in decisions.tags else p for p in samples.pairs)
    )


def decided(drafted: Settlement, decisions: Decisions) -> Settlement:
    """Put severity, 5 Whys, actions, checklist states and messages of people over the drafts."""
    out = drafted
    if decisions.severity is not None:
        said = decisions.severity
        why = f"set to {said.value}{_by(said)}{f': {said.reason}' if said.reason else ''}"
        out = replace(out, severity=Severity(said.value, (why, *out.severity.because)))
    if decisions.whys is not None:
        out = replace(out, whys=tuple(Why(*w) for w in decisions.whys))
    if decisions.actions:
        out = replace(out, actions=actions(out.actions, decisions))
    if decisions.checks:
        out = replace(out, checklist=tuple(_checked(item, decisions) for item in out.checklist))
    if decisions.messages:
        messages = tuple(Message(a, m.value, m.author) for a, m in sorted(decisions.messages.items()))
        out = replace(out, messages=messages)
    return out


def actions(drafts: tuple[Action, ...], decisions: Decisions) -> tuple[Action, ...]:
    """Give the drafts as people changed them, less what they dropped, and then what they added."""
    own = decisions.actions
    kept = [_action(d.text, d, decisions) for d in drafts if not (d.text in own and own[d.text].removed)]
    added = [
        Action(a.text, a.kind or "fix", a.owner, a.due, a.success_metric)
        for a in own.values()
        if not a.removed and a.ident not in {d.text for d in drafts} and a.text.strip()
    ]
    return (*kept, *added)


def _action(ident: str, draft: Action, decisions: Decisions) -> Action:
    own = decisions.actions.get(ident)
    if own is None:
        return draft
    return Action(own.text or draft.text, own.kind or draft.kind, own.owner, own.due, own.success_metric or draft.success_metric)


def _checked(item: CheckItem, decisions: Decisions) -> CheckItem:
    said = decisions.checks.get((item.list_name, item.text))
    if said is None:
        return item
    words = f"{said.reason}{_by(said)}" if said.reason else f"marked{_by(said)}"
    return replace(item, state=said.value, evidence=words)


def _by(said: Ruling) -> str:
    return f" by {said.author}" if said.author else ""
