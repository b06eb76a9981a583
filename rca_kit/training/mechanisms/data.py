"""Values that went wrong on the way in, with no code, config or supplier change behind it."""

from __future__ import annotations

import numpy as np

from rca_kit.training.mechanisms.base import (
    Mechanism,
    anywhere,
    growing,
    has_store_feature,
    kpi_metric,
    nullify,
    quality_metric,
    stale,
)
from rca_kit.training.plan import Plan
from rca_kit.training.rows import Rows
from rca_kit.training.world import Num, World

JOB_TEXTS = (
    "{job} rerun after failed task",
    "{job}: nightly run finished with warnings",
    "moved {job} to the new worker pool",
    "partial backfill of {feature}",
    "{job} late, only 3 of 5 partitions written",
)


def _job(p: Plan, feature: str, **more: float) -> None:
    w = p.world
    p.guilty("data_pipeline", w.pipeline, [t.format(job=w.pipeline, feature=feature) for t in JOB_TEXTS], lead=(0, 12), **more)  # type: ignore[arg-type]


def nulls_job(p: Plan) -> None:
    """Lose a share of a feature in a pipeline job."""
    name = p.heavy(source="store") if p.chance(0.7) else p.heavy()
    share = p.between(0.12, 0.7)
    p.scope(60 / share)
    if p.chance(0.2):
        p.ramp(p.between(2, 8))
    p.on("inputs", nullify([name], share))
    _job(p, name)
    p.alert(quality_metric(p), f"null_rate:{name}", "score_mean")
    p.say(
        "data",
        f"feature:{name}",
        "rerun the job and backfill",
        f"{p.world.pipeline} lost {share:.0%} of {name}",
        subjects=(f"component:{p.world.pipeline}",),
    )


def stale_feature(p: Plan) -> None:
    """Serve features that are no longer refreshed: plausible values of another day."""
    names = p.features(source="store")[:3]
    p.scope(0.4 * p.quality_need(), single=0.25)
    for n in names:
        p.on("inputs", stale(n, 1.0))
    p.metric(p.world.pipeline, "feature_age_s", growing(3600))
    _job(p, names[0])
    p.alert(quality_metric(p), kpi_metric(p), f"freshness:{p.world.pipeline}")
    p.say(
        "data",
        f"component:{p.world.pipeline}",
        "restart the refresh job, backfill",
        "features are no longer refreshed",
        subjects=tuple(f"feature:{n}" for n in names),
    )


def frozen_feature(p: Plan) -> None:
    """Serve one frozen value."""
    name = p.heavy("num")
    p.scope(60)

    def freeze(r: Rows) -> None:
        c = r.plan.column(name)
        assert isinstance(c, Num)
        value = float(c.value(np.array([0.3]), np.random.default_rng(1))[0])
        r.served[name] = np.where(r.hit(0.97), value, r.served[name])

    p.on("inputs", freeze)
    _job(p, name)
    p.alert(quality_metric(p), f"psi:{name}", "score_mean")
    p.say(
        "data",
        f"feature:{name}",
        "restart the refresh, backfill",
        f"{name} is frozen at one value",
        subjects=(f"component:{p.world.pipeline}",),
    )


def garbage(p: Plan) -> None:
    """Put sentinel or impossible values into a numeric feature."""
    name = p.heavy("num")
    share = p.between(0.08, 0.4)
    value = float(p.pick((-999, -1, 9999, 99999, 0)))
    p.scope(60 / share)
    p.on("inputs", lambda r: r.served.__setitem__(name, np.where(r.hit(share), value, r.served[name])))
    _job(p, name)
    p.alert(quality_metric(p), f"psi:{name}", "score_mean")
    p.say(
        "data",
        f"feature:{name}",
        "quarantine the batch and rerun the job",
        f"{share:.0%} of {name} became {value:g}",
        subjects=(f"component:{p.world.pipeline}",),
    )


def late_batch(p: Plan) -> None:
    """Let a batch that did not run make features older hour by hour: a slow decline."""
    names = p.features(source="store")[:2]
    p.scope(0.6 * p.quality_need(), single=0, pair=0)
    p.ramp(p.between(6, 18))
    for n in names:
        p.on("inputs", stale(n, 1.0))
    p.metric(p.world.pipeline, "feature_age_s", growing(3600))
    _job(p, names[0])
    p.alert(quality_metric(p), kpi_metric(p), f"freshness:{p.world.pipeline}")
    p.say(
        "data",
        f"component:{p.world.pipeline}",
        "run the batch, then backfill",
        "the batch did not run and features age",
        subjects=tuple(f"feature:{n}" for n in names),
    )


def labels_flipped(p: Plan) -> None:
    """Get wrong labels from the label pipeline; scores and outcomes are as before."""
    share = p.between(0.25, 0.45)
    p.scope(0.5 * p.quality_need(), single=0.3)

    def flip(r: Rows) -> None:
        wrong = r.hit(share)
        if r.plan.world.task == "regression":
            r.label = np.where(wrong, np.round(r.label * 60, 1) if r.plan.seed % 2 else r.label / 2, r.label)
        elif r.plan.world.classes:
            r.label = np.where(wrong, (r.label + 1) % len(r.plan.world.classes), r.label)
        else:
            r.label = np.where(wrong, 1 - r.label, r.label)

    p.on("labels", flip)
    p.guilty(
        "data_pipeline",
        p.world.labeler,
        [
            f"{p.world.labeler}: join on new id",
            f"{p.world.labeler} reprocessed with fixed mapping",
            "label export restarted after disk full",
        ],
        lead=(0, 15),
    )
    p.alert(quality_metric(p), "log_loss" if p.world.task == "binary" else quality_metric(p))
    p.say(
        "data",
        "label",
        "stop the label job, relabel",
        f"{share:.0%} of the labels are wrong",
        subjects=(f"component:{p.world.labeler}",),
    )


def labels_lost(p: Plan) -> None:
    """Lose labels for good, far beyond their usual delay."""
    share = p.between(0.4, 0.9)
    p.scope(150 / share)
    p.uses_labels = True
    p.on("labels", lambda r: setattr(r, "label_lag", np.where(r.hit(share), np.inf, r.label_lag)))
    p.guilty(
        "data_pipeline",
        p.world.labeler,
        [f"{p.world.labeler}: new partition layout", "label join moved to hourly", "consumer group renamed"],
        lead=(0, 15),
    )
    name = p.world.names.label
    p.alert(f"null_rate:{name}", quality_metric(p))
    p.say(
        "data",
        "label",
        "replay the label stream",
        f"{share:.0%} of the labels never arrive",
        subjects=(f"component:{p.world.labeler}",),
    )


def duplicates(p: Plan) -> None:
    """Write rows twice."""
    share = p.between(0.15, 0.5)
    p.scope(80 / share, single=0.4)

    def double(r: Rows) -> None:
        r.keep = np.sort(np.concatenate([r.keep, np.flatnonzero(r.hit(share))]))

    p.on("rows", double)
    p.guilty(
        "data_pipeline",
        "event-log",
        ["log shipper: at-least-once delivery", "consumer offset reset after crash", "second sink enabled for migration"],
    )
    p.alert("volume", kpi_metric(p))
    p.say(
        "data",
        "traffic",
        "drop duplicates by request id, fix the consumer",
        f"{share:.0%} of the rows are written twice",
        subjects=("component:event-log",),
    )


def lost_rows(p: Plan) -> None:
    """Lose rows of the log while the service answers as usual."""
    share = p.between(0.45, 0.9)
    p.scope(80 / share, single=0.8)

    def lose(r: Rows) -> None:
        r.keep = np.setdiff1d(r.keep, np.flatnonzero(r.hit(share)))

    p.on("rows", lose)
    p.guilty(
        "data_pipeline",
        "event-log",
        ["log shipper upgraded", "new topic for one region", "sampling rule cleaned up", "disk of a collector replaced"],
    )
    p.alert("volume", kpi_metric(p))
    p.say(
        "data",
        "traffic",
        "replay the log from the service's own buffer",
        f"{share:.0%} of the rows are lost",
        subjects=("component:event-log",),
    )


def _ranks(w: World) -> bool:
    return anywhere(w) and has_store_feature(w)


FAMILY = (
    Mechanism("nulls-job", "data", nulls_job),
    Mechanism("stale-feature", "data", stale_feature, _ranks),
    Mechanism("frozen-feature", "data", frozen_feature),
    Mechanism("garbage", "data", garbage),
    Mechanism("late-batch", "data", late_batch, _ranks),
    Mechanism("labels-flipped", "data", labels_flipped),
    Mechanism("labels-lost", "data", labels_lost),
    Mechanism("duplicates", "data", duplicates),
    Mechanism("lost-rows", "data", lost_rows),
)
