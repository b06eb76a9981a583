"""A supplier outside the team changed or failed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rca_kit.training.mechanisms.base import Mechanism, growing, has_vendor_feature, kpi_metric, nullify, plus, quality_metric
from rca_kit.training.plan import Plan
from rca_kit.training.rows import Rows
from rca_kit.training.world import Num, World

UNLOGGED = 0.3  # suppliers tell late or never
LATE = 0.35


def _vendor(p: Plan) -> tuple[str, list[str]]:
    vendor = str(p.pick([v for v in p.world.vendors if any(c.source == v for c in p.world.features)]))
    return vendor, p.features(source=vendor)


def _notice(p: Plan, vendor: str, texts: Sequence[str]) -> None:
    kind = "schema_change" if p.chance(0.25) else "upstream_notice"
    p.guilty(kind, vendor, texts, lead=(0, 30), unlogged=UNLOGGED, late=LATE)


def _subjects(names: list[str]) -> tuple[str, ...]:
    return tuple(f"feature:{n}" for n in names)


def vendor_nulls(p: Plan) -> None:
    """Get nulls from a supplier, in all its columns at once."""
    vendor, names = _vendor(p)
    share = p.between(0.15, 0.9)
    p.scope(50 / share)
    p.on("inputs", nullify(names, share))
    if p.chance(0.5):
        p.metric(vendor, "timeouts", plus(8 * share))
    _notice(
        p,
        vendor,
        [
            f"{vendor}: partial outage",
            f"{vendor} reports degraded responses",
            f"{vendor}: planned maintenance",
            f"{vendor} API v1 is switched off",
        ],
    )
    p.alert(quality_metric(p), f"null_rate:{names[0]}", kpi_metric(p))
    p.say(
        "upstream", f"component:{vendor}", "circuit breaker, fallback values", f"{vendor} answers null", subjects=_subjects(names)
    )


def feed_stopped(p: Plan) -> None:
    """Lose a partner's feed for one segment."""
    vendor, names = _vendor(p)
    p.scope(50, single=1.0)
    p.on("inputs", nullify(names, 0.97))
    p.metric(vendor, "feature_age_s", growing(3600 * max(p.scope_share, 0.2)))
    _notice(
        p,
        vendor,
        [f"{vendor}: delivery for one region suspended", f"{vendor} contract renewal pending", f"{vendor}: file missing"],
    )
    p.alert(f"null_rate:{names[0]}", quality_metric(p))
    p.say(
        "upstream",
        f"component:{vendor}",
        "use the last good file, call the partner",
        f"{vendor} stopped for a segment",
        subjects=_subjects(names),
    )


def vendor_scale(p: Plan) -> None:
    """Get a supplier's numbers on another scale, all columns."""
    vendor, names = _vendor(p)
    names = [n for n in names if isinstance(p.column(n), Num)]
    p.scope(60, single=0.2)
    factor = float(p.pick((100, 0.01, 10, 1.6)))

    def rescale(r: Rows) -> None:
        hit = r.hit()
        for n in names:
            r.served[n] = np.where(hit, np.round(r.served[n] * factor, 5), r.served[n])

    p.on("inputs", rescale)
    _notice(
        p, vendor, [f"{vendor} API v2: amounts in minor units", f"{vendor}: new score version", f"{vendor} moves to percentages"]
    )
    p.alert(quality_metric(p), f"psi:{names[0]}", "score_mean")
    p.say(
        "upstream",
        f"component:{vendor}",
        "convert at the boundary, pin the API version",
        f"{vendor} delivers another unit",
        also=("code",),
        subjects=_subjects(names),
    )


def vendor_update(p: Plan) -> None:
    """Get a supplier's numbers from a new version of theirs: shifted and noisier."""
    vendor, names = _vendor(p)
    names = [n for n in names if isinstance(p.column(n), Num)]
    p.scope(0.3 * p.quality_need(), single=0.2)
    shift = p.pick((-1, 1)) * p.between(0.6, 1.2)
    if p.chance(0.3):
        p.ramp(p.between(3, 10))

    def change(r: Rows) -> None:
        hit = r.hit()
        for n in names:
            c = r.plan.column(n)
            assert isinstance(c, Num)
            x = r.served[n]
            moved = c.value(0.4 * c.standard(x) + 0.9 * r.rng.normal(size=r.n) + shift, r.rng)
            r.served[n] = np.where(hit & ~np.isnan(x), moved, x)

    p.on("inputs", change)
    _notice(
        p, vendor, [f"{vendor}: model refresh", f"{vendor} release notes: improved accuracy", f"{vendor} changed its data source"]
    )
    p.alert(quality_metric(p), f"psi:{names[0]}", "score_mean")
    p.say(
        "upstream",
        f"component:{vendor}",
        "pin the old version, retrain",
        f"{vendor} changed what it delivers",
        subjects=_subjects(names),
    )


def schema_rename(p: Plan) -> None:
    """Get renamed categories and a moved field: known values vanish, new ones come, numbers of the source go missing."""
    cats = [n for n in p.features("cat") if p.weight_of(n) > 0.1 and all(n != s.name for s in p.world.segments)]
    name = cats[0]
    source = p.column(name).source
    vendor = source if source in p.world.vendors else (p.world.vendors[0] if p.world.vendors else "source-db")
    others = p.features("num", source=vendor)[:2]
    p.scope(60, single=0.2)

    def rename(r: Rows) -> None:
        hit = r.hit()
        codes = np.array([r.level(name, f"{i + 1:02d}-{v[:3]}") for i, v in enumerate(list(r.plan.levels[name]))])
        x = r.served[name]
        r.served[name] = np.where(hit & (x >= 0), codes[np.maximum(x, 0)], x)
        for n in others:
            r.served[n] = np.where(hit, np.nan, r.served[n])

    p.on("inputs", rename)
    p.guilty(
        "schema_change",
        vendor,
        [f"{vendor}: code list 2026", f"{vendor}: enum table replaced", f"{vendor} schema v4, fields renamed"],
        lead=(0, 30),
        unlogged=UNLOGGED,
        late=LATE,
    )
    p.alert(quality_metric(p), f"psi:{name}")
    p.say(
        "upstream",
        f"component:{vendor}",
        "map the new codes, contract test",
        f"{vendor} renamed its codes",
        also=("code",),
        subjects=_subjects([name, *others]),
    )


def vendor_slow(p: Plan) -> None:
    """Wait for a slow supplier, time out on some calls."""
    stage = p.pick(
        [s for s in p.world.stages if s.component in p.world.vendors or s.component not in (p.world.server, p.world.store)]
    )
    vendor = stage.component
    factor, errors = p.between(4, 12), p.between(0.01, 0.08)
    p.scope(60, single=0.2)

    def slow(r: Rows) -> None:
        hit = r.hit()
        r.stages[stage.name] = np.where(hit, r.stages[stage.name] * factor * r.rng.gamma(4, 0.25, r.n), r.stages[stage.name])
        r.error = np.where(hit & (r.rng.random(r.n) < errors), 0, r.error)

    p.on("service", slow)
    p.metric(vendor, "timeouts", plus(10))
    _notice(
        p, vendor, [f"{vendor}: elevated response times", f"{vendor} status page: investigating", f"{vendor} moves data centres"]
    )
    p.alert("latency_p95", "error_rate", "latency_p99")
    p.say(
        "upstream",
        f"component:{vendor}",
        "time-out and circuit breaker",
        f"{vendor} is slow",
        also=() if vendor in p.world.vendors else ("infra",),
        subjects=(f"stage:{stage.name}",),
    )


def _has_cat(w: World) -> bool:
    return any(not isinstance(c, Num) and c.feature and not c.segment and c.spread >= 0.3 for c in w.columns)


def _outside_stage(w: World) -> bool:
    return any(s.component in w.vendors for s in w.stages)


def _numbers(w: World) -> bool:
    return has_vendor_feature(w) and all(
        any(c.source == v and isinstance(c, Num) for c in w.features) for v in w.vendors if any(c.source == v for c in w.features)
    )


FAMILY = (
    Mechanism("vendor-nulls", "upstream", vendor_nulls, has_vendor_feature),
    Mechanism("feed-stopped", "upstream", feed_stopped, has_vendor_feature),
    Mechanism("vendor-scale", "upstream", vendor_scale, _numbers),
    Mechanism("vendor-update", "upstream", vendor_update, _numbers),
    Mechanism("schema-rename", "upstream", schema_rename, _has_cat),
    Mechanism("vendor-slow", "upstream", vendor_slow, _outside_stage),
)
