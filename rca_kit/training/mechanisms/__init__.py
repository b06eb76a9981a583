"""What can go wrong, one small file per family. A mechanism fills a plan: scope, hooks, guilty change, answer."""

from __future__ import annotations

from rca_kit.training.mechanisms import benign, code, config, data, external, infra, model, quiet, upstream
from rca_kit.training.mechanisms.base import Mechanism

MECHANISMS: dict[str, Mechanism] = {
    m.name: m for family in (data, model, code, infra, config, upstream, external, benign, quiet) for m in family.FAMILY
}

__all__ = ["MECHANISMS", "Mechanism"]
