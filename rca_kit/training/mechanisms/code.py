"""The step between raw input and model input changed, or the live path got expensive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rca_kit.training.mechanisms.base import Mechanism, is_text, kpi_metric, level, own_stage, plus, quality_metric, times
from rca_kit.training.plan import Plan
from rca_kit.training.rows import Rows
from rca_kit.training.world import Array, Cat, Num, World


def _release(p: Plan, texts: list[str], component: str = "") -> None:
    build = f"{p.rng.integers(1, 9)}.{p.rng.integers(0, 40)}.{p.rng.integers(0, 9)}"
    p.guilty("code_deploy", component or p.world.server, [f"{build}: {t}" if p.chance(0.5) else t for t in texts])


def _platform(p: Plan, need: float, single: float = 0.45) -> None:
    """One client platform, if the world has one, or anything."""
    if p.world.platform and p.chance(0.5):
        p.scope(need, only=(p.world.platform,))
    else:
        p.scope(need, single=single)


def unit_change(p: Plan) -> None:
    """Send a feature in another unit."""
    names = [n for n in p.features("num") if getattr(p.column(n), "shape", "") in ("lognormal", "normal")] or p.features("num")
    name = str(p.pick(names[:4]))
    factor = float(p.pick((1000, 100, 60, 0.01, 0.001)))
    log = p.chance(0.2)
    _platform(p, 40)

    def change(r: Rows) -> None:
        x = r.served[name]
        with np.errstate(invalid="ignore"):
            r.served[name] = np.where(r.hit(), np.round(np.log1p(np.maximum(x, 0)), 4) if log else x * factor, x)

    p.on("inputs", change)
    _release(
        p,
        [
            f"refactor {name} parsing",
            "typed request objects",
            "feature builder: shared conversion helpers",
            f"send {name} in base units",
        ],
    )
    p.alert(quality_metric(p), f"psi:{name}", "score_mean")
    p.say(
        "code", f"feature:{name}", "roll back the release", f"{name} is {'logged twice' if log else f'multiplied by {factor:g}'}"
    )


def encoding(p: Plan) -> None:
    """Permute a category's codes."""
    names = [n for n in p.features("cat") if len(p.levels[n]) > 2]
    name = str(p.pick(names[:3]))
    k = len(p.levels[name])
    order = np.roll(np.arange(k), int(p.rng.integers(1, k)))
    if any(name == s.name for s in p.world.segments):  # a segment column must stay readable: what the model is fed is logged
        others = [n for n in names if all(n != s.name for s in p.world.segments)]
        if others:
            name = others[0]
            order = np.roll(np.arange(len(p.levels[name])), 1)
    p.scope(
        0.2 * p.quality_need(),
        single=0.3,
        only=tuple(s.name for s in p.world.segments if s.name != name) if p.chance(0.3) else (),
    )

    def permute(r: Rows) -> None:
        x = r.served[name]
        r.served[name] = np.where(r.hit() & (x >= 0), order[np.maximum(x, 0)], x)

    p.on("inputs", permute)
    _release(
        p,
        [
            "new encoder artefact",
            "categorical mapping moved into the client library",
            "sorted vocabulary for reproducible builds",
        ],
    )
    p.alert(quality_metric(p), f"psi:{name}")
    p.say("code", f"feature:{name}", "roll back the release", f"the codes of {name} are permuted")


def respelled(p: Plan) -> None:
    """Let our serializer spell a category differently: the model has never seen the new values."""
    names = [n for n in p.features("cat") if p.weight_of(n) > 0.1]
    name = str(p.pick(names[:3]))
    how = p.pick((str.upper, str.title, lambda s: s.replace("_", "-") + "_v2", lambda s: f" {s}"))
    _platform(p, 40, single=0.3)
    if any(name in w for w in p.where):
        p.where, p.scope_share = [], 1.0

    def respell(r: Rows) -> None:
        codes = np.array([r.level(name, how(v)) for v in list(r.plan.levels[name])])
        x = r.served[name]
        r.served[name] = np.where(r.hit() & (x >= 0), codes[np.maximum(x, 0)], x)

    p.on("inputs", respell)
    _release(p, ["enum serialization by display name", "JSON library upgrade", "unify spelling of enums"])
    p.alert(quality_metric(p), f"psi:{name}", "score_mean")
    p.say("code", f"feature:{name}", "roll back the release, map both spellings", f"the values of {name} are spelt differently")


def default_fill(p: Plan) -> None:
    """Fill missing values with zero instead of leaving them missing."""
    names = [n for n in p.features("num") if getattr(p.column(n), "shape", "") in ("lognormal", "normal", "unit")]
    name = str(p.pick(names[:4]))
    share = p.between(0.08, 0.25)
    p.columns = [replace(c, null=share) if c.name == name else c for c in p.columns]
    p.scope(40 / share, single=0.2)
    value = float(p.pick((0, 0, -1)))
    p.on("inputs", lambda r: r.served.__setitem__(name, np.where(r.hit() & np.isnan(r.served[name]), value, r.served[name])))
    _release(p, ["null-safe feature builder", "defaults for optional fields", "remove Optional from the request schema"])
    p.alert(quality_metric(p), f"psi:{name}", f"null_rate:{name}")
    p.say("code", f"feature:{name}", "roll back the release", f"missing {name} is now filled with {value:g}")


def normalisation(p: Plan) -> None:
    """Normalise a feature differently on one platform."""
    name = p.heavy("num")
    p.scope(120, only=(p.world.platform,) if p.world.platform else ())
    shift, stretch = p.pick((-1, 1)) * p.between(0.5, 1.0), p.pick((0.5, 0.6, 1.5))

    def change(r: Rows) -> None:
        c = r.plan.column(name)
        assert isinstance(c, Num)
        x = r.served[name]
        moved = c.value(c.standard(x) * stretch + shift, r.rng)
        r.served[name] = np.where(r.hit() & ~np.isnan(x), moved, x)

    p.on("inputs", change)
    _release(
        p,
        [f"client: new scaler for {name}", "on-device feature preparation", "use running mean for scaling"],
        component=p.world.platform or "",
    )
    p.alert(f"psi:{name}", quality_metric(p), kpi_metric(p))
    p.say("code", f"feature:{name}", "roll back the client change", f"{name} is scaled differently")


FEW_UNITS = 1.5  # logarithm of the middle value up to which a lognormal column is mostly decimals


def _has_fractions(column: Num | Cat) -> bool:
    """Whether much of a column's value is in its decimals."""
    if not isinstance(column, Num) or not column.digits or column.shape not in ("unit", "normal", "lognormal"):
        return False
    return column.shape == "unit" or (column.b <= 1 and (column.shape == "normal" or column.a <= FEW_UNITS))


def int_cast(p: Plan) -> None:
    """Cut a fraction down to a whole number."""
    names = [n for n in p.features("num") if _has_fractions(p.column(n))]
    name = str(p.pick(names[:3]))
    p.scope(60, single=0.3)
    p.on("inputs", lambda r: r.served.__setitem__(name, np.where(r.hit(), np.floor(r.served[name]), r.served[name])))
    _release(p, ["protobuf field types aligned", "smaller wire format", "schema: use int32 where possible"])
    p.alert(quality_metric(p), f"psi:{name}", "score_mean")
    p.say("code", f"feature:{name}", "roll back the release", f"{name} is cast to whole numbers")


def timezone(p: Plan) -> None:
    """Compute the hour of the day in another time zone."""
    name = next(c.name for c in p.columns if isinstance(c, Num) and c.shape == "hour")
    hours = float(p.pick((-8, -6, 5, 7, 9)))
    p.scope(150, single=0.3)
    p.on("inputs", lambda r: r.served.__setitem__(name, np.where(r.hit(), (r.served[name] + hours) % 24, r.served[name])))
    _release(p, ["use the platform clock", "date library upgrade", "drop deprecated time helper"])
    p.alert(f"psi:{name}", quality_metric(p), "score_mean")
    p.say("code", f"feature:{name}", "roll back the release", f"{name} is shifted by {hours:g} hours")


def expensive_call(p: Plan) -> None:
    """Put an expensive call into the live path."""
    stage = own_stage(p)
    factor = p.between(6, 15)
    _platform(p, 40)
    slow_errors = p.between(0.01, 0.05)

    def slow(r: Rows) -> None:
        hit = r.hit()
        r.stages[stage.name] = np.where(hit, r.stages[stage.name] * factor + 40, r.stages[stage.name])
        r.error = np.where(hit & (r.rng.random(r.n) < slow_errors), 0, r.error)

    p.on("service", slow)
    p.metric(stage.component, "cpu_utilization", level(0.9, 0.5 + 0.5 * p.scope_share))
    _release(
        p,
        [
            "validate payload with the strict schema",
            "per-request lookup of the tariff table",
            "richer features for long texts",
            "log full payload for audit",
        ],
        component=stage.component if p.chance(0.6) else "",
    )
    p.alert("latency_p95", "latency_p99", "error_rate")
    p.say(
        "code",
        f"stage:{stage.name}",
        "roll back, or batch and cache the call",
        f"{stage.name} has an expensive call",
        subjects=(f"component:{stage.component}", f"component:{p.world.server}"),
    )


def memory_leak(p: Plan) -> None:
    """Leak memory after a release: sawtooth, restarts, slow spells, failed requests."""
    p.scope(300, single=0, pair=0)
    period = p.between(1.5, 4)

    def phase(t: Array) -> Array:
        return np.maximum(t, 0) / period % 1

    def suffer(r: Rows) -> None:
        hit = r.dose > 0
        f = phase(r.t - r.plan.onset)
        for s in r.plan.world.stages:
            r.stages[s.name] = np.where(hit, r.stages[s.name] * (1 + 2.5 * f**2), r.stages[s.name])
        crash = hit & (f > 0.94) & (r.rng.random(r.n) < 0.5)
        r.error = np.where(crash, len(r.plan.world.errors) - 1, r.error)

    def memory(v: Array, dose: Array, rng: np.random.Generator) -> Array:
        hours = np.cumsum(dose > 0) * 5 / 60
        return v + (dose > 0) * 5000 * phase(hours)

    def restarts(v: Array, dose: Array, rng: np.random.Generator) -> Array:
        f = phase(np.cumsum(dose > 0) * 5 / 60)
        return v + ((dose > 0) & (np.diff(f, prepend=0) < -0.5)) * 2

    p.on("service", suffer)
    p.metric(p.world.server, "memory_mb", memory)
    p.metric(p.world.server, "restarts", restarts)
    _release(p, ["upgrade of the inference library", "in-process cache for lookups", "keep request context for tracing"])
    p.alert("latency_p95", "error_rate")
    p.say("code", f"component:{p.world.server}", "roll back the release", "the release leaks memory", also=("infra",))


def truncation(p: Plan) -> None:
    """Truncate texts after a tokenizer upgrade."""
    p.scope(0.25 * p.quality_need(), single=0.4)
    cut = int(p.rng.integers(20, 60))

    def shorten(r: Rows) -> None:
        hit = r.hit()
        r.texts.keep_chars[hit] = cut
        r.served["prompt_tokens"] = np.where(hit, np.minimum(r.served["prompt_tokens"], 24), r.served["prompt_tokens"])

    def hurt(r: Rows) -> None:
        hit = r.texts.keep_chars < 10_000
        r.label = np.where(hit & (r.rng.random(r.n) < 0.45), 0, r.label)
        r.extra_harm = r.extra_harm + hit * 0.4

    p.on("inputs", shorten)
    p.on("decide", hurt)
    _release(p, ["tokenizer library 0.19 -> 0.20", "faster tokenizer", "shared text limits"])
    p.alert(kpi_metric(p), "accuracy", "psi:prompt_tokens")
    p.say(
        "code",
        f"component:{p.world.server}",
        "roll back the library",
        "texts are truncated",
        subjects=("feature:prompt_tokens", "feature:response"),
    )


def error_path(p: Plan) -> None:
    """Raise on an input that the old code tolerated, in one segment."""
    p.scope(200, single=0.9)
    share = p.between(0.1, 0.5)
    p.on("service", lambda r: setattr(r, "error", np.where(r.hit(share), len(r.plan.world.errors) - 1, r.error)))
    p.metric(p.world.server, "timeouts", times(1.0))
    p.metric(p.world.gateway, "queue_depth", plus(0.2))
    _release(p, ["strict input validation", "remove legacy parser", "null checks removed, handled upstream"])
    p.alert("error_rate", kpi_metric(p))
    p.say("code", f"component:{p.world.server}", "roll back the release", "the new code fails on some requests")


def _has_hour(w: World) -> bool:
    return any(isinstance(c, Num) and c.shape == "hour" for c in w.columns)


def _has_cat(w: World) -> bool:
    return any(isinstance(c, Cat) and c.feature and c.spread >= 0.3 and not c.segment and len(c.levels) > 2 for c in w.columns)


FAMILY = (
    Mechanism("unit-change", "code", unit_change),
    Mechanism("encoding", "code", encoding, _has_cat),
    Mechanism("respelled", "code", respelled, _has_cat),
    Mechanism("default-fill", "code", default_fill),
    Mechanism("normalisation", "code", normalisation),
    Mechanism("int-cast", "code", int_cast),
    Mechanism("timezone", "code", timezone, _has_hour),
    Mechanism("expensive-call", "code", expensive_call),
    Mechanism("memory-leak", "code", memory_leak),
    Mechanism("truncation", "code", truncation, is_text),
    Mechanism("error-path", "code", error_path),
)
