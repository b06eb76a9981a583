"""The told incidents: each module here with a tuple `SCENARIOS` adds its own, so that a new one is one new file."""

from __future__ import annotations

import importlib
import pkgutil

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.training.scenarios.base import CANON_SEED, Scenario, plan_of

ORDER = ("fraud", "ranking", "feeds", "serving", "language")  # as the twenty were told; newcomers follow by name


def _collect() -> dict[str, Scenario]:
    found = [m.name for m in pkgutil.iter_modules(__path__)]
    names = [*ORDER, *sorted(n for n in found if n not in ORDER)]
    modules = [importlib.import_module(f"{__name__}.{n}") for n in names]
    return {s.slug: s for m in modules for s in getattr(m, "SCENARIOS", ())}


SCENARIOS: dict[str, Scenario] = _collect()


def get_scenario(slug: str) -> Scenario:
    """Find a scenario by its slug.

    Examples
    --------
    >>> get_scenario("quiet-day").case_id
    'INC-2061'
    """
    if slug not in SCENARIOS:
        raise BadInput(f"no sample `{slug}`", expected=", ".join(sorted(SCENARIOS)), hint=did_you_mean(slug, SCENARIOS))
    return SCENARIOS[slug]


__all__ = ["CANON_SEED", "SCENARIOS", "Scenario", "get_scenario", "plan_of"]
