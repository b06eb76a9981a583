"""The world moved, our system did not: some of it hurts, some of it is harmless."""

from __future__ import annotations

import numpy as np

from rca_kit.training.mechanisms.base import Mechanism, is_text, kpi_metric, level, plus, quality_metric
from rca_kit.training.plan import Extra, Plan
from rca_kit.training.rows import Rows
from rca_kit.training.world import Num, World

CALENDAR_UNLOGGED = 0.2


def concept_drift(p: Plan) -> None:
    """Change the relation between inputs and truth, as after a holiday: inputs move a little, labels a lot."""
    p.scope(p.quality_need(), single=.3)
    if p.chance(.4):
        p.ramp(p.between(4, 14))
    turned = [n for n in p.features("num")[:4]]
    signs = {n: p.between(-.9, -.1) for n in turned}
    moved = p.heavy("num")
    shift = p.pick((-1, 1)) * p.between(.3, .6)

    def population(r: Rows) -> None:
        c = r.plan.column(moved)
        assert isinstance(c, Num)
        r.moved = r.hit()
        r.clean[moved] = np.where(r.moved, c.value(c.standard(r.clean[moved]) + shift, r.rng), r.clean[moved])

    def truth(r: Rows) -> None:
        for n in turned:
            c = r.plan.column(n)
            assert isinstance(c, Num)
            part = c.standard(r.clean[n])[:, None] * r.plan.weights[n] * r.plan.scale
            r.eta = r.eta + r.moved[:, None] * (signs[n] - 1) * part

    p.on("population", population)
    p.on("truth", truth)
    p.guilty("calendar", "", ["public holiday", "start of the holidays", "national strike", "big match on Saturday", "new law in force"], lead=(0, 60),
             unlogged=CALENDAR_UNLOGGED)
    p.alert(quality_metric(p), kpi_metric(p))
    p.say("external", "population", "route part to a robust fallback, retrain on recent data", "behaviour changed",
          subjects=(f"feature:{moved}", *(f"feature:{n}" for n in turned)))


def attack(p: Plan) -> None:
    """Flood one segment with requests the model has not learnt: new population, volume, misses."""
    p.scope(.3 * p.quality_need(), single=1.0)
    while len(p.where) == 0 or len(p.where[0]) != 1:
        s = p.pick([s for s in p.world.segments if s.feature or True])
        p.where = [{s.name: str(p.pick(s.levels))}]
    (name, value), = p.where[0].items()
    share = p.between(.25, .7)
    odd = p.features("num")[:3]
    # the flood looks harmless to the model: its inputs say the opposite of its labels
    shift = {n: -float(np.sign(p.weights[n][0])) * p.between(.5, 1.0) for n in odd}
    p.extras.append(Extra(share, {name: str(value)}, shift))
    p.scope_share = share / (1 + share)
    p.on("truth", lambda r: setattr(r, "eta", r.eta + (r.extra >= 0)[:, None] * 3.2 * (1 if r.plan.world.task != "multiclass" else
                                                                                    np.eye(r.eta.shape[1])[1] * 1.4)))
    p.guilty("other", "security", ["reports of scripted sign-ups", "partner reports bot traffic", "spike seen by the SOC"], lead=(0, 5), late=.7,
             unlogged=.5)
    p.alert("volume", quality_metric(p), kpi_metric(p))
    p.say("external", "traffic", "throttle and block the segment's flood", "an attack floods one segment", subjects=("population",))


def new_population(p: Plan) -> None:
    """Open a market the model has not seen: a new category, in which it is often wrong."""
    s = p.pick([s for s in p.world.segments if len(s.levels) >= 3])
    new = str(p.pick(("NL-launch", "partner_z", "beta", "Oslo", "v-next")))
    p.scope(.4 * p.quality_need(), single=0, pair=0)
    share = p.between(.15, .4)
    p.where, p.scope_share = [{s.name: new}], share / (1 + share)
    p.levels[s.name].append(new)
    numeric = p.features("num")[:4]
    p.extras.append(Extra(share, {s.name: new}, {n: p.between(-.8, .8) for n in numeric}))
    flips = {n: p.between(-1, 0) for n in numeric}

    def truth(r: Rows) -> None:
        for n in numeric:
            c = r.plan.column(n)
            assert isinstance(c, Num)
            part = c.standard(r.clean[n])[:, None] * r.plan.weights[n] * r.plan.scale
            r.eta = r.eta + (r.extra >= 0)[:, None] * (flips[n] - 1) * part

    p.on("truth", truth)
    p.guilty("campaign", "marketing", [f"launch of {new}", "new market opened", f"partner {new} goes live"], lead=(0, 90), tell_scope=.5)
    p.alert(quality_metric(p), "volume", kpi_metric(p))
    p.say("external", "population", "rules or fallback for the newcomers, label and retrain", "a population the model has never seen",
          subjects=("traffic", f"feature:{s.name}"))


def overload(p: Plan) -> None:
    """Get more traffic than the service can bear."""
    p.scope(60, single=0, pair=0)
    s = p.pick(p.world.segments)
    value = str(p.pick(s.levels))
    share = p.between(.8, 1.6)
    p.extras.append(Extra(share, {s.name: value}))

    def slow(r: Rows) -> None:
        for st in r.plan.world.stages:
            r.stages[st.name] = r.stages[st.name] * (1 + r.dose * r.rng.gamma(4, .35, r.n))
        r.error = np.where(r.rng.random(r.n) < .03 * r.dose, 0, r.error)

    p.on("service", slow)
    p.metric(p.world.server, "cpu_utilization", level(.96))
    p.metric(p.world.gateway, "queue_depth", plus(35))
    p.metric(p.world.server, "timeouts", plus(5))
    p.guilty("campaign", "marketing", ["TV spot", "flash sale", "featured in the app store", "push to all users"], lead=(0, 20))
    p.alert("latency_p95", "error_rate", "volume")
    p.say("external", "traffic", "scale out, throttle the surge", "more traffic than capacity", also=("infra",), subjects=("population", f"component:{p.world.server}"))


def prompt_injection(p: Plan) -> None:
    """Get injected prompts that make the assistant misbehave."""
    p.scope(.2 * p.quality_need(), single=.6, pair=0)
    share = p.between(.15, .4)

    def mark(r: Rows) -> None:
        r.texts.injected = r.hit(share)
        r.clean["prompt_tokens"] = np.where(r.texts.injected, np.round(r.clean["prompt_tokens"] * 2.5), r.clean["prompt_tokens"])

    def harm(r: Rows) -> None:
        r.texts.toxic = r.texts.injected & (r.rng.random(r.n) < .6)
        r.label = np.where(r.texts.toxic & (r.rng.random(r.n) < .9), 0, r.label)
        r.extra_harm = r.extra_harm + r.texts.injected * .6

    p.on("population", mark)
    p.on("decide", harm)
    p.guilty("other", "security", ["jailbreak prompts shared on a forum", "abuse report from a customer"], late=.7, unlogged=.5)
    p.alert(kpi_metric(p), quality_metric(p))
    p.say("external", "population", "stricter filter, block the family of prompts", "injected prompts", subjects=("traffic", "feature:prompt", "feature:prompt_tokens"))


# ---- harmless: inputs or mix move, outcomes hold

def _light(p: Plan) -> list[str]:
    """Features that matter little, so that a shift leaves outcomes alone."""
    return [n for n in p.features("num") if p.weight_of(n) < .22]


def _mild_segment(p: Plan) -> tuple[str, str, float]:
    s = sorted(p.world.segments, key=lambda c: c.spread * c.feature)[int(p.rng.integers(0, 2)) if len(p.world.segments) > 1 else 0]
    i = int(p.rng.integers(0, len(s.levels)))
    return s.name, s.levels[i], float(s.shares()[i])


def campaign(p: Plan) -> None:
    """Bring more users of one segment, with slightly other inputs; the model serves them as well as before."""
    name, value, share = _mild_segment(p)
    p.scope(400, single=0, pair=0)
    extra = p.between(.3, 1.0)
    p.where, p.scope_share = [{name: value}], (share + extra) / (1 + extra)
    p.extras.append(Extra(extra, {name: value}, {n: p.pick((-1, 1)) * p.between(.2, .6) for n in _light(p)[:2]}))
    if p.chance(.3):
        p.ramp(p.between(2, 8))
    p.guilty("campaign", "marketing", ["spring campaign", "sale started", "TV spot on the evening news", "influencer promotion", "loyalty mailing"],
             lead=(0, 60), tell_scope=.6)
    p.alert(f"psi:{name}", "volume", "score_mean")
    p.say("external", "population", "no rollback; rolling baseline, campaign calendar in alerts", "a campaign moved the mix", "benign_shift",
          subjects=("traffic", f"feature:{name}"))


def mix_shift(p: Plan) -> None:
    """Move traffic between segments at equal volume; each is served as before."""
    name, value, share = _mild_segment(p)
    moves = p.between(.2, .45)
    p.scope(400, single=0, pair=0)
    p.where, p.scope_share = [{name: value}], share + moves
    p.on("population", lambda r: r.clean.__setitem__(name, np.where(r.rng.random(r.n) < moves * r.dose, r.level(name, value), r.clean[name])))
    p.guilty(str(p.pick(("campaign", "calendar", "other"))), "marketing", ["partner shop moved its users", "regional holiday", "app store feature"],
             lead=(0, 60), tell_scope=.5)
    p.alert(f"psi:{name}", "score_mean")
    p.say("external", "population", "no action; adapt the drift alert", "the mix moved", "benign_shift", subjects=("traffic", f"feature:{name}"))


def new_level(p: Plan) -> None:
    """Let a new client release spread: a new value, same behaviour."""
    names = [s for s in p.world.segments if not s.feature]
    s = p.pick(names)
    new = str(p.pick(("9.0.0", "next", "2026.1")))
    p.levels[s.name].append(new)
    p.scope(300, single=0, pair=0)
    p.ramp(p.between(6, 20))
    share = p.between(.3, .7)
    p.where, p.scope_share = [{s.name: new}], share / 2
    code = len(p.levels[s.name]) - 1
    p.on("population", lambda r: r.clean.__setitem__(s.name, np.where(r.rng.random(r.n) < share * r.dose, code, r.clean[s.name])))
    p.guilty("code_deploy", "client", [f"client {new} in the stores", f"{s.name} {new} rolls out"], lead=(0, 60))
    p.alert(f"psi:{s.name}")
    p.say("external", "population", "no action; include the new value in the baseline", "a new value spreads", "benign_shift",
          subjects=("traffic", f"feature:{s.name}"))


def input_drift(p: Plan) -> None:
    """Let inputs that matter little move, everywhere or in a segment; outcomes hold."""
    names = _light(p)[: int(p.rng.integers(1, 4))] or p.features("num")[-1:]
    p.scope(300, single=.3, pair=0)
    shift = {n: p.pick((-1, 1)) * p.between(.5, 1.2) for n in names}
    if p.chance(.4):
        p.ramp(p.between(3, 12))

    def drift(r: Rows) -> None:
        hit = r.hit()
        for n in names:
            c = r.plan.column(n)
            assert isinstance(c, Num)
            r.clean[n] = np.where(hit, c.value(c.standard(r.clean[n]) + shift[n], r.rng), r.clean[n])

    p.on("population", drift)
    p.guilty(str(p.pick(("calendar", "campaign"))), "", ["pay day", "warm weekend", "school starts", "seasonal assortment"], lead=(0, 90), unlogged=.4)
    p.alert(*(f"psi:{n}" for n in names))
    p.say("external", "population", "no action; rolling baseline", "inputs drift, outcomes hold", "benign_shift",
          subjects=("traffic", *(f"feature:{n}" for n in names)))


def simpson(p: Plan) -> None:
    """Move traffic to a segment with a lower level: the overall figure falls while every segment holds."""
    s = max((c for c in p.world.segments if c.feature), key=lambda c: c.spread)
    effect = p.effects[s.name][:, 0]
    order = np.argsort(effect)
    value = s.levels[int(order[0] if p.chance(.5) else order[-1])]
    extra = p.between(.8, 1.6)
    p.scope(400, single=0, pair=0)
    share = float(s.shares()[s.levels.index(value)])
    p.where, p.scope_share = [{s.name: value}], (share + extra) / (1 + extra)
    p.extras.append(Extra(extra, {s.name: value}))
    p.guilty("campaign", "marketing", ["acquisition drive", "free weekend", "cheap traffic bought", "partner link-up"], lead=(0, 60), tell_scope=.5)
    p.alert("score_mean", kpi_metric(p), "volume")
    p.say("external", "population", "no rollback; report by segment", "the mix moved, no segment's rate did", "benign_shift",
          subjects=("traffic", f"feature:{s.name}"))


def _free_segment(w: World) -> bool:
    return any(not s.feature for s in w.segments)


FAMILY = (
    Mechanism("concept-drift", "external", concept_drift), Mechanism("attack", "external", attack, lambda w: w.task in ("binary", "text", "multiclass")),
    Mechanism("new-population", "external", new_population), Mechanism("overload", "external", overload),
    Mechanism("prompt-injection", "external", prompt_injection, is_text),
    Mechanism("campaign", "benign_shift", campaign), Mechanism("mix-shift", "benign_shift", mix_shift),
    Mechanism("new-level", "benign_shift", new_level, _free_segment), Mechanism("input-drift", "benign_shift", input_drift),
    Mechanism("simpson", "benign_shift", simpson, lambda w: any(s.feature and s.spread >= .3 for s in w.segments)),
)
