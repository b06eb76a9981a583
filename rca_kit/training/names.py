"""Column names as teams really write them: spaces, dots, capitals, accents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rca_kit.training.plan import Plan

AWKWARD_SHARE = 0.3
LOCAL = {
    "market": "país",
    "city": "ciudad",
    "locale": "Sprache",
    "language": "langue",
    "channel": "Kanal",
    "vehicle": "véhicule",
    "site": "Standort",
    "camera": "cámara",
    "geo": "région",
    "placement": "Platzierung",
    "order_value": "Betrag (EUR)",
    "distance_m": "distância (m)",
    "annual_income": "Jahreseinkommen",
    "requested": "montant demandé",
    "plan": "forfait",
    "store_type": "tipo de tienda",
    "brightness": "Helligkeit",
    "employment": "Beschäftigung",
    "surface": "Gerät",
}


def rename_map(plan: Plan, rng: np.random.Generator) -> dict[str, str]:
    """Map the canonical names of columns to what this case calls them; empty for most cases."""
    style = str(rng.choice(["plain", "spaces", "dots", "camel", "local"], p=[1 - AWKWARD_SHARE, 0.08, 0.08, 0.06, 0.08]))
    out: dict[str, str] = {}
    if style == "plain":
        return out
    names = plan.world.names
    common = [
        names.score,
        names.decision,
        names.label,
        names.latency,
        *(s.name for s in plan.world.stages),
        *(k.name for k in plan.world.kpis),
    ]
    for name in [*(c.name for c in plan.columns), *filter(None, common)]:
        feature = name not in common
        if style == "spaces":
            out[name] = name.replace("_", " ").capitalize()
        elif style == "dots" and feature:
            out[name] = "req." + name.replace("_", ".")
        elif style == "camel":
            head, *tail = name.replace(".", "_").replace(" ", "_").split("_")
            out[name] = head + "".join(p.capitalize() for p in tail)
        elif style == "local" and name in LOCAL:
            out[name] = LOCAL[name]
    return out
