"""A scenario of one's own in one file: a world, a mechanism, and the key. Start it with `rca-kit train start` and this file."""

from rca_kit.training.mechanisms.base import growing, stale
from rca_kit.training.scenarios.base import Scenario, change
from rca_kit.training.world import Cat, Kpi, Names, Num, Stage, World

LOCKERS = World(
    name="lockers",
    service="locker-assignment",
    task="binary",
    columns=(
        Cat("city", ("Oslo", "Bergen", "Turku"), (0.5, 0.3, 0.2), 0.2, segment=True),
        Cat("size", ("S", "M", "L"), (0.5, 0.35, 0.15), 0.3, segment=True),
        Num("fill_share", "unit", 0.2, 0.8, 1.1, "store", 0.002),
        Num("pickups_7d", "count", 1.4, 0.6, 0.6),
        Num("distance_m", "lognormal", 6.0, 0.5, -0.4),
    ),
    names=Names(decision="assigned", label="picked_up_in_time"),
    stages=(Stage("lookup_ms", 12, "locker-store"), Stage("score_ms", 8, "locker-model")),
    kpis=(Kpi("returned", "lower", 0.06, 0.4),),
    server="locker-model",
    store="locker-store",
    pipeline="fill-job",
    base=0.4,
    signal=1.7,
)


def stale_fill(p):
    """The job that writes the fill levels of Bergen stops: old values are served, nothing fails."""
    p.where, p.scope_share = [{"city": "Bergen"}], 0.3
    p.uses_labels = True
    p.on("inputs", stale("fill_share", 0.95))  # the mechanism: break one step, everything after it follows
    p.metric("fill-job", "feature_age_s", growing(3600))
    change(p, -60 * 8, "campaign", "marketing", "autumn newsletter")
    change(p, -5, "data_pipeline", "fill-job", "load job of Bergen failed, will be retried", "city=Bergen", guilty=True)
    change(p, 40, "code_deploy", "web-ui", "new map tiles")
    p.alert("auc")
    p.say(  # the key
        "data",
        "feature:fill_share",
        "rerun the job; alert on the age of fill levels",
        "the job that writes the fill levels of Bergen stopped, and old ones are served",
        subjects=("component:fill-job",),
    )


SCENARIO = Scenario(
    "parcel-lockers",
    "OWN-1",
    "Parcels come back unopened",
    "more returns than usual",
    LOCKERS,
    stale_fill,
    topic="freshness",
    difficulty=2,
    minutes=45,
    rows=60_000,
    after_hours=16,
    tolerance=60,
    slos={"auc": {"min": 0.75}},
)
