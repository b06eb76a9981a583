"""A canary's configuration: how much traffic, which gates, which rollback triggers."""

from __future__ import annotations

from typing import Any

import yaml

from rca_kit.loop.s7_settle.facts import Facts
from rca_kit.loop.s7_settle.proposals import CANARY_SHARE, canary_rule
from rca_kit.loop.versions.triggers import parse_trigger

MIN_MINUTES = 60  # an hour: shorter canaries miss what caches and warm-up hide
MIN_REQUESTS = 1000


def canary_config(facts: Facts) -> dict[str, Any]:
    """Give the configuration as data; its triggers are readable by `triggers.evaluate_trigger`."""
    trigger = str(parse_trigger(canary_rule(facts)))
    segments = [dict(s.where) for s in facts.scope.segments]
    return {
        "service": facts.case.service or facts.case.case_id,
        "from_incident": facts.case.case_id,
        "traffic": {"share": CANARY_SHARE, "min_minutes": MIN_MINUTES, "min_requests": MIN_REQUESTS},
        "watch": {"metrics": _metrics(facts), "segments": segments},
        "triggers": [{"rule": trigger, "action": "rollback"}],
        "gates": [
            {"command": "rca-kit replay CASE", "pass": [0], "stop": [1], "wait": [3]},
            {"command": "rca-kit shadow CASE", "pass": [0], "stop": [1], "wait": [3]},
        ],
    }


def render(config: dict[str, Any]) -> str:
    """Write the YAML file."""
    head = (
        "# Canary of the next release, written by rca-kit. Triggers compare the candidate with the version in service,\n"
        "# minute by minute; gates are commands with exit codes: 0 go on, 1 stop, 3 wait for more requests.\n"
    )
    return head + yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120)


def _metrics(facts: Facts) -> list[str]:
    worse = [m for m, r in facts.readings().items() if r.moved and r.worse]
    return list(dict.fromkeys([facts.metric, *facts.slos, *worse]))[:8]
