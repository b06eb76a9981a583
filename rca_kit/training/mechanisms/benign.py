"""Inputs or the mix move and outcomes hold: drift that hurts nobody."""

from __future__ import annotations

import numpy as np

from rca_kit.training.mechanisms.base import Mechanism, fresh_level, kpi_metric
from rca_kit.training.plan import Extra, Plan
from rca_kit.training.rows import Rows
from rca_kit.training.world import Num, World


def _light(p: Plan) -> list[str]:
    """Features that matter little, so that a shift leaves outcomes alone."""
    return [n for n in p.features("num") if p.weight_of(n) < 0.22]


def _mild_segment(p: Plan) -> tuple[str, str, float]:
    s = sorted(p.world.segments, key=lambda c: c.spread * c.feature)[
        int(p.rng.integers(0, 2)) if len(p.world.segments) > 1 else 0
    ]
    i = int(p.rng.integers(0, len(s.levels)))
    return s.name, s.levels[i], float(s.shares()[i])


def campaign(p: Plan) -> None:
    """Bring more users of one segment, with slightly other inputs; the model serves them as well as before."""
    name, value, share = _mild_segment(p)
    p.scope(400, single=0, pair=0)
    extra = p.between(0.3, 1.0)
    p.where, p.scope_share = [{name: value}], (share + extra) / (1 + extra)
    p.extras.append(Extra(extra, {name: value}, {n: p.pick((-1, 1)) * p.between(0.2, 0.6) for n in _light(p)[:2]}))
    if p.chance(0.3):
        p.ramp(p.between(2, 8))
    p.guilty(
        "campaign",
        "marketing",
        ["spring campaign", "sale started", "TV spot on the evening news", "influencer promotion", "loyalty mailing"],
        lead=(0, 60),
        tell_scope=0.6,
    )
    p.alert(f"psi:{name}", "volume", "score_mean")
    p.say(
        "external",
        "population",
        "no rollback; rolling baseline, campaign calendar in alerts",
        "a campaign moved the mix",
        "benign_shift",
        subjects=("traffic", f"feature:{name}"),
    )


def mix_shift(p: Plan) -> None:
    """Move traffic between segments at equal volume; each is served as before."""
    name, value, share = _mild_segment(p)
    moves = p.between(0.2, 0.45)
    p.scope(400, single=0, pair=0)
    p.where, p.scope_share = [{name: value}], share + moves
    p.on(
        "population",
        lambda r: r.clean.__setitem__(name, np.where(r.rng.random(r.n) < moves * r.dose, r.level(name, value), r.clean[name])),
    )
    p.guilty(
        str(p.pick(("campaign", "calendar", "other"))),
        "marketing",
        ["partner shop moved its users", "regional holiday", "app store feature"],
        lead=(0, 60),
        tell_scope=0.5,
    )
    p.alert(f"psi:{name}", "score_mean")
    p.say(
        "external",
        "population",
        "no action; adapt the drift alert",
        "the mix moved",
        "benign_shift",
        subjects=("traffic", f"feature:{name}"),
    )


def new_level(p: Plan) -> None:
    """Let a new client release spread: a new value, same behaviour."""
    names = [s for s in p.world.segments if not s.feature]
    s = p.pick(names)
    new = fresh_level(p, s)
    p.levels[s.name].append(new)
    p.scope(300, single=0, pair=0)
    p.ramp(p.between(6, 20))
    share = p.between(0.3, 0.7)
    p.where, p.scope_share = [{s.name: new}], share / 2
    code = len(p.levels[s.name]) - 1
    p.on("population", lambda r: r.clean.__setitem__(s.name, np.where(r.rng.random(r.n) < share * r.dose, code, r.clean[s.name])))
    p.guilty("code_deploy", "client", [f"client {new} in the stores", f"{s.name} {new} rolls out"], lead=(0, 60))
    p.alert(f"psi:{s.name}")
    p.say(
        "external",
        "population",
        "no action; include the new value in the baseline",
        "a new value spreads",
        "benign_shift",
        subjects=("traffic", f"feature:{s.name}"),
    )


def input_drift(p: Plan) -> None:
    """Let inputs that matter little move, everywhere or in a segment; outcomes hold."""
    names = _light(p)[: int(p.rng.integers(1, 4))] or p.features("num")[-1:]
    p.scope(300, single=0.3, pair=0)
    shift = {n: p.pick((-1, 1)) * p.between(0.5, 1.2) for n in names}
    if p.chance(0.4):
        p.ramp(p.between(3, 12))

    def drift(r: Rows) -> None:
        hit = r.hit()
        for n in names:
            c = r.plan.column(n)
            assert isinstance(c, Num)
            r.clean[n] = np.where(hit, c.value(c.standard(r.clean[n]) + shift[n], r.rng), r.clean[n])

    p.on("population", drift)
    p.guilty(
        str(p.pick(("calendar", "campaign"))),
        "",
        ["pay day", "warm weekend", "school starts", "seasonal assortment"],
        lead=(0, 90),
        unlogged=0.4,
    )
    p.alert(*(f"psi:{n}" for n in names))
    p.say(
        "external",
        "population",
        "no action; rolling baseline",
        "inputs drift, outcomes hold",
        "benign_shift",
        subjects=("traffic", *(f"feature:{n}" for n in names)),
    )


def simpson(p: Plan) -> None:
    """Move traffic to a segment with a lower level: the overall figure falls while every segment holds."""
    s = max((c for c in p.world.segments if c.feature), key=lambda c: c.spread)
    effect = p.effects[s.name][:, 0]
    order = np.argsort(effect)
    value = s.levels[int(order[0] if p.chance(0.5) else order[-1])]
    extra = p.between(0.8, 1.6)
    p.scope(400, single=0, pair=0)
    share = float(s.shares()[s.levels.index(value)])
    p.where, p.scope_share = [{s.name: value}], (share + extra) / (1 + extra)
    p.extras.append(Extra(extra, {s.name: value}))
    p.guilty(
        "campaign",
        "marketing",
        ["acquisition drive", "free weekend", "cheap traffic bought", "partner link-up"],
        lead=(0, 60),
        tell_scope=0.5,
    )
    p.alert("score_mean", kpi_metric(p), "volume")
    p.say(
        "external",
        "population",
        "no rollback; report by segment",
        "the mix moved, no segment's rate did",
        "benign_shift",
        subjects=("traffic", f"feature:{s.name}"),
    )


def _free_segment(w: World) -> bool:
    return any(not s.feature for s in w.segments)


FAMILY = (
    Mechanism("campaign", "benign_shift", campaign),
    Mechanism("mix-shift", "benign_shift", mix_shift),
    Mechanism("new-level", "benign_shift", new_level, _free_segment),
    Mechanism("input-drift", "benign_shift", input_drift),
    Mechanism("simpson", "benign_shift", simpson, lambda w: any(s.feature and s.spread >= 0.3 for s in w.segments)),
)
