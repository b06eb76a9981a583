"""Role inference on generated incidents that give no roles at all: how often each role is found, and what is mistaken.

python benchmarks/roles.py [number of cases]
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from rca_kit.case.roles import SINGLE_ROLES
from rca_kit.errors import RcaKitError
from rca_kit.sources import open_case
from rca_kit.training import write
from rca_kit.training.incident import make_incident

ROWS = 20_000


def main(cases: int) -> None:
    """Print found / wrong / missed / invented per role, and the mistakes."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    mistakes: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(cases):
            truth: dict[str, Any] = {}

            def none_given(plan: Any, full: dict[str, Any], truth: dict[str, Any] = truth) -> dict[str, Any]:
                truth.update(full, task=plan.world.task)
                return {}

            with mock.patch.object(write, "choose_roles", none_given):
                path, _ = make_incident(70_000 + seed, rows=ROWS, out=folder)
            _strip_task(path)
            try:
                opened = open_case(path)
            except RcaKitError as error:
                mistakes.append(f"{seed} {path.name}: {error}")
                total["opened"] += 1
                continue
            right["opened"] += 1
            total["opened"] += 1
            service = opened.case.incident.service
            found = {**opened.roles.to_dict(), "task": opened.task}
            for role in (*SINGLE_ROLES, "stages", "kpi", "segments", "features", "task"):
                want, got = truth.get(role), found.get(role)
                if isinstance(want, list | dict):
                    want, got = set(want), set(got or ())
                if not want and not got:
                    continue
                total[role] += 1
                if want == got:
                    right[role] += 1
                elif isinstance(want, set) and isinstance(got, set):
                    mistakes.append(f"{seed} {service} {role}: missed {sorted(want - got)} invented {sorted(got - want)}")
                else:
                    mistakes.append(f"{seed} {service} {role}: {got} instead of {want}")
    print("\n".join(mistakes))
    for role, n in total.items():
        print(f"{role:15s} {right[role]:4d} of {n:4d}")


def _strip_task(path: Path) -> None:
    file = path / "incident.yaml"
    data = yaml.safe_load(file.read_text())
    data.pop("task", None)
    data.pop("roles", None)
    file.write_text(yaml.safe_dump(data, allow_unicode=True))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
