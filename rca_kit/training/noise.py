"""What is innocent in a case: decoy changes, quiet deploys of equal models, harmless drift, roles left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from rca_kit.training.plan import Change, Plan
from rca_kit.training.rows import Rows
from rca_kit.training.world import Num

FEW_ROLES_SHARE = 1 / 3
HARMLESS_SHARE = 2 / 30

# kind, component role, texts; nothing here touches what the rows show
DECOYS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "code_deploy",
        "gateway",
        ("bump TLS library", "new access-log format", "refactor request id middleware", "rename internal metric labels"),
    ),
    (
        "code_deploy",
        "server",
        ("add debug endpoint", "dependency bump, no functional change", "unit test clean-up shipped with release"),
    ),
    ("config_change", "gateway", ("raise log retention to 30 days", "rotate API keys", "add header for tracing")),
    ("config_change", "server", ("log level info -> warning", "enable structured logs")),
    ("flag_change", "web-ui", ("new tooltip for admins", "dark theme to 100%", "hide beta banner")),
    ("experiment", "web-ui", ("button colour test started", "copy test on the help page, 50/50")),
    ("infra_change", "monitoring", ("moved dashboards to the new cluster", "new exporter version", "alert routing changed")),
    ("infra_change", "gateway", ("renewed certificate", "scaled from 6 to 8 replicas ahead of the weekend")),
    ("infra_change", "store", ("kernel patch, rolling, no downtime expected", "added a read replica")),
    ("data_pipeline", "warehouse", ("backfill of the finance mart", "new column in the BI extract", "weekly vacuum")),
    ("data_pipeline", "pipeline", ("moved the job to a new scheduler pool", "added row-count check, warn only")),
    ("schema_change", "warehouse", ("comment fields widened to 500 chars", "added nullable column to orders_archive")),
    (
        "upstream_notice",
        "vendor",
        ("planned maintenance next week announced", "new documentation portal", "price list for next quarter"),
    ),
    ("calendar", "", ("end of quarter", "school holidays begin in two regions", "team offsite")),
    ("campaign", "marketing", ("newsletter to existing customers", "small push campaign, 2% of users")),
    ("other", "", ("on-call handover", "fire drill in the office", "access review finished", "new joiner onboarding")),
)


def component(plan: Plan, role: str) -> str:
    """Name of the component that plays a role in this world."""
    world = plan.world
    if role == "vendor":
        return str(plan.pick(world.vendors)) if world.vendors else "supplier"
    return str(getattr(world, role, role))


def decoys(plan: Plan) -> None:
    """Add 1 to 6 innocent changes, most within a day of the onset."""
    for _ in range(int(plan.rng.integers(1, 7))):
        kind, role, told = DECOYS[int(plan.rng.integers(len(DECOYS)))]
        minutes = float(plan.rng.choice([plan.between(-60, 40), plan.between(-8 * 60, 60), plan.between(-40 * 60, 12 * 60)]))
        minutes = float(np.clip(minutes, -(plan.onset - 1) * 60, (plan.end - plan.onset) * 60))
        scope = ""
        if plan.chance(0.15):
            s = plan.pick(plan.world.segments)
            scope = f"{s.name}={plan.pick(s.levels)}"
        plan.changes.append(Change(minutes, kind, component(plan, role), str(plan.pick(told)), scope))


def quiet_deploy(plan: Plan) -> None:
    """Deploy an equally good model some time before the onset: the version column moves, nothing else does."""
    near = plan.between(plan.onset - min(4.0, 0.3 * plan.onset), plan.onset - 0.75)
    when = near if plan.chance(0.3) else plan.between(0.15 * plan.onset, plan.onset - min(4.0, 0.3 * plan.onset))
    old = f"{plan.world.version}-rc" if plan.chance(0.3) else _previous(plan.world.version)
    plan.versions.insert(0, old)

    def split(r: Rows) -> None:
        r.version = np.where(r.t < when, 0, np.maximum(r.version, 0) + 1)

    plan.hooks["rows"].insert(0, split)
    plan.changes.append(
        Change(
            (when - plan.onset) * 60,
            "model_deploy",
            plan.world.server,
            str(plan.pick(("scheduled weekly refresh", "retrained on last month", "routine model refresh"))),
            "",
            old,
            plan.world.version,
        )
    )


def steady_split(plan: Plan) -> None:
    """Run an equally good challenger on a tenth of the traffic, all the time."""
    challenger = f"{plan.world.version}-challenger"
    plan.versions.append(challenger)
    share = plan.between(0.05, 0.2)

    def split(r: Rows) -> None:
        r.version = np.where(r.rng.random(r.n) < share, len(plan.versions) - 1, r.version)

    plan.hooks["rows"].append(split)


def _previous(version: str) -> str:
    """Count the last number of a version down by one."""
    digits = ""
    head = version
    while head and head[-1].isdigit():
        digits, head = head[-1] + digits, head[:-1]
    return f"{head}{max(int(digits) - 1, 0):0{len(digits)}d}" if digits else version + "-prev"


def harmless_drift(plan: Plan) -> None:
    """Let one unimportant input drift, at the onset or before it, with no effect worth naming on any outcome."""
    names = [n for n in plan.features("num") if plan.weight_of(n) < 0.12]
    if not names:
        return
    name = names[-1]
    when = plan.onset if plan.chance(0.5) else plan.onset * plan.between(0.5, 0.98)
    shift = plan.pick((-1, 1)) * plan.between(0.4, 0.9)

    def drift(r: Rows) -> None:
        c = plan.column(name)
        assert isinstance(c, Num)
        z = r.rng.normal(size=r.n) + shift
        late = (r.t >= when) & ~np.isnan(r.served[name])
        r.served[name] = np.where(late, c.value(z, r.rng), r.served[name])

    plan.on("inputs", drift)
    plan.harmless.append(name)


def choose_roles(plan: Plan, full: dict[str, Any]) -> dict[str, Any]:
    """All roles in two cases of three; only a few, or none, in the rest."""
    if not plan.chance(FEW_ROLES_SHARE):
        return full
    keep = plan.pick(
        (
            (),
            ("time",),
            ("time", "score", "label"),
            ("label", "kpi"),
            ("score", "label", "model_version"),
            ("segments",),
            ("time", "segments", "kpi"),
        )
    )
    return {k: v for k, v in full.items() if k in keep}
