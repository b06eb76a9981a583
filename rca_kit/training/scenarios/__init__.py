"""The twenty told incidents of the samples."""

from __future__ import annotations

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.training.scenarios import fraud, language, ranking, serving
from rca_kit.training.scenarios.base import CANON_SEED, Scenario, plan_of

SCENARIOS: dict[str, Scenario] = {s.slug: s for family in (fraud, ranking, serving, language) for s in family.SCENARIOS}


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
