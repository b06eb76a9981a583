"""Make one incident: pick a mechanism and a world, plan it, write the case folder, give the key."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.training import noise
from rca_kit.training.keys import Key
from rca_kit.training.mechanisms import MECHANISMS, Mechanism
from rca_kit.training.plan import Plan
from rca_kit.training.world import World
from rca_kit.training.worlds import WORLDS, get_world
from rca_kit.training.write import write_case

QUIET_DEPLOY_SHARE = 0.18
STEADY_SPLIT_SHARE = 0.08
SMALL_ROWS = 30_000  # small logs come as text files as well, as small services write them


def list_mechanisms(category: str | None = None) -> tuple[str, ...]:
    """Names of the mechanisms, of one category (or verdict) if given.

    Examples
    --------
    >>> "threshold" in list_mechanisms("config")
    True
    """
    return tuple(n for n, m in MECHANISMS.items() if category in (None, m.category))


def draw_mechanism(rng: np.random.Generator) -> Mechanism:
    """Draw a mechanism: 70 % incidents spread over the categories, 12 % benign shifts, 18 % quiet cases."""
    kind = str(rng.choice(["incident", "benign_shift", "no_change"], p=[0.7, 0.12, 0.18]))
    if kind == "incident":
        kind = str(rng.choice(["data", "model", "code", "infra", "config", "upstream", "external"]))
    names = list_mechanisms(kind)
    return MECHANISMS[names[int(rng.integers(len(names)))]]


def make_plan(seed: int, mechanism: str | None = None, world: str | World | None = None, rows: int | None = None) -> Plan:
    """Plan an incident; see `make_incident`."""
    rng = np.random.default_rng([seed, 2041])
    if mechanism is not None and mechanism not in MECHANISMS:
        raise BadInput(
            f"no mechanism `{mechanism}`", expected="one of list_mechanisms()", hint=did_you_mean(mechanism, MECHANISMS)
        )
    chosen = MECHANISMS[mechanism] if mechanism else draw_mechanism(rng)
    if world is None:
        fits = [w for w in WORLDS.values() if chosen.fits(w)]
        place = fits[int(rng.integers(len(fits)))]
    else:
        place = get_world(world) if isinstance(world, str) else world
        if not chosen.fits(place):
            raise BadInput(
                f"mechanism `{chosen.name}` does not fit world `{place.name}`", hint="leave out `world` to get one that fits"
            )
    plan = Plan(place, seed, rng, rows, chosen.name)
    chosen.fill(plan)
    plan.settle_times()
    if plan.answer.verdict == "incident" and plan.chance(noise.HARMLESS_SHARE):
        noise.harmless_drift(plan)
    if len(plan.versions) == 1 and plan.chance(QUIET_DEPLOY_SHARE):
        noise.quiet_deploy(plan)
    elif len(plan.versions) == 1 and plan.chance(STEADY_SPLIT_SHARE):
        noise.steady_split(plan)
    noise.decoys(plan)
    return plan


def make_incident(
    seed: int,
    mechanism: str | None = None,
    world: str | World | None = None,
    rows: int | None = None,
    out: Path | str | None = None,
) -> tuple[Path, Key]:
    """Write the incident of a seed as a case folder and give the folder and its key.

    Parameters
    ----------
    seed : int
        The same seed and arguments give the same incident.
    mechanism : str, optional
        One of `list_mechanisms()`; drawn when absent.
    world : str or World, optional
        One of `worlds.WORLDS`; drawn among those that fit the mechanism when absent.
    rows : int, optional
        About how many requests, up to 100 million (written in parts); drawn, mostly 25,000 to 150,000, when absent.
    out : path, optional
        Parent of the case folder; ``.benchdata/incidents`` when absent.

    Raises
    ------
    BadInput
        Unknown mechanism or world, or two that do not fit each other.

    Examples
    --------
    >>> import tempfile
    >>> folder, key = make_incident(3, "threshold", rows=5000, out=tempfile.mkdtemp())
    >>> (folder / "incident.yaml").exists(), key.category
    (True, 'config')
    """
    plan = make_plan(seed, mechanism, world, rows)
    case_id = f"GEN-{seed}"
    folder = Path(out or ".benchdata/incidents") / case_id
    fmt = str(plan.rng.choice(["csv", "jsonl", "csv.gz"])) if plan.n < SMALL_ROWS and plan.chance(0.4) else "parquet"
    return folder, write_case(plan, folder, case_id, fmt=fmt)
