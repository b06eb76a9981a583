"""Aggregates in a file: the sums, the plan they were taken under, some rows, and what opening the log had found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from rca_kit.aggregates.cube import Cube
from rca_kit.aggregates.grid import WIDTHS_S, TimeGrid
from rca_kit.aggregates.kept import Kept
from rca_kit.aggregates.plan import Columns, FeaturePlan, Plan
from rca_kit.aggregates.regrid import regrid
from rca_kit.aggregates.scan import Aggregates
from rca_kit.errors import BadInput
from rca_kit.sources.archive import Archive, read_archive, write_archive

LIKE = "sum both under one plan: rca-kit aggregate CASE --like FIRST"


@dataclass(frozen=True)
class Saved:
    """Aggregates with rows kept of the same log; `log` holds rows, first, last, roles, positive, task, columns, warnings, files.

    `name` is what a message calls them.
    """

    aggregates: Aggregates
    kept: Kept
    log: dict[str, Any]
    name: str = "the aggregates"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file; see `Saved.load`."""
        cubes = self.aggregates.cubes
        header = {
            "plan": asdict(self.aggregates.plan),
            "log": self.log,
            "cubes": [[name, list(cube.keys)] for name, cube in cubes.items()],
            "time": self.kept.time,
        }
        tables = {f"cube-{i:04d}": cube.frame for i, cube in enumerate(cubes.values())}
        limits = pl.DataFrame({"limit": self.kept.limits})
        return write_archive(path, header, {**tables, "limits": limits, "rows": self.kept.frame})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Saved:
        """Read a file of aggregates.

        Raises
        ------
        BadInput
            When it is none, or damaged.
        """
        return cls.of(read_archive(path), Path(path).name)

    @classmethod
    def of(cls, archive: Archive, name: str) -> Saved:
        """Make aggregates of what a file held."""
        h, tables = archive.header, archive.tables
        try:
            plan = _plan(h["plan"])
            cubes = {n: Cube(tuple(keys), tables[f"cube-{i:04d}"]) for i, (n, keys) in enumerate(h["cubes"])}
            kept = Kept(tables["rows"], tables["limits"]["limit"].to_numpy(), h["time"], plan.grid)
            return cls(Aggregates(plan, cubes), kept, h["log"], name)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput("these aggregates are incomplete", file=name, found=str(error)[:100],
                           hint="write them again: rca-kit aggregate CASE --out FILE") from None

    def on(self, grid: TimeGrid) -> Saved:
        """Lay sums and rows on a coarser grid."""
        if grid == self.aggregates.plan.grid:
            return self
        return replace(self, aggregates=regrid(self.aggregates, grid), kept=self.kept.on(grid))

    def merge(self, other: Saved) -> Saved:
        """Add the sums of other rows: of other days, or of another region.

        Sums are exact up to the rounding of float sums, in any order. The grid is the one a log of the whole span gets.

        Raises
        ------
        BadInput
            When they were summed under different plans, for other roles or at other bin edges.
        """
        _check(self, other)
        log = _merged_log(self.log, other.log)
        grid = common_grid(log["first"], log["last"], self.aggregates.plan.grid, other.aggregates.plan.grid)
        if grid is None:
            raise BadInput("these aggregates lie on grids that share no buckets", file=other.name,
                           found=f"{other.aggregates.plan.grid.width_s} s", expected=f"{self.aggregates.plan.grid.width_s} s")
        a, b = self.on(grid), other.on(grid)
        return Saved(a.aggregates.merge(b.aggregates), a.kept.merge(b.kept), log, f"{self.name} + {other.name}")


def common_grid(first: datetime, last: datetime, *parts: TimeGrid) -> TimeGrid | None:
    """The grid of a log of this span or, where the parts' buckets do not fit it, the next one that they fit."""
    wanted = TimeGrid.over(first, last)
    for fine in (w for w in WIDTHS_S if w >= wanted.width_s and all(w % p.width_s == 0 for p in parts)):
        for wide in (w for w in WIDTHS_S if w >= max(wanted.coarse_s, fine) and w % fine == 0):
            if all(wide % p.coarse_s == 0 for p in parts):
                return TimeGrid.of_widths(first, last, fine, wide)
    return None


def _check(a: Saved, b: Saved) -> None:
    one, two = a.aggregates.plan, b.aggregates.plan
    if one.columns != two.columns:
        mine, yours = asdict(one.columns), asdict(two.columns)
        odd = next(k for k in mine if mine[k] != yours[k])
        raise BadInput(f"these aggregates cannot be merged: {odd} differs", file=b.name, found=str(yours[odd])[:200],
                       expected=f"{str(mine[odd])[:200]}, as in {a.name}", hint=LIKE)
    for x, y in zip((*one.segments, *one.features), (*two.segments, *two.features), strict=True):
        if (x.column, x.numeric, x.edges, x.keep) != (y.column, y.numeric, y.edges, y.keep):
            raise BadInput("these aggregates cannot be merged: the bins or kept values of a column differ", file=b.name,
                           column=x.column, hint=LIKE)
    kinds = ("score_edges", "score_is_probability", "binary_kpis", "label_kind", "decision_kind", "cut")
    odd = next((k for k in kinds if getattr(one, k) != getattr(two, k)), "")
    if odd:
        raise BadInput(f"these aggregates cannot be merged: {odd.replace('_', ' ')} differs", file=b.name, hint=LIKE)
    if sorted(a.kept.frame.columns) != sorted(b.kept.frame.columns):
        raise BadInput("these aggregates cannot be merged: they hold rows of different columns", file=b.name, hint=LIKE)


def _merged_log(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    total, others = a["rows"] + b["rows"], {c["name"]: c for c in b["columns"]}  # columns without a role may come and go
    return {
        **a,
        "rows": total,
        "first": min(a["first"], b["first"]),
        "last": max(a["last"], b["last"]),
        "warnings": list(dict.fromkeys([*a["warnings"], *b["warnings"]])),
        "files": [*a["files"], *b["files"]],
        "columns": [_merged_column(x, others[x["name"]], a["rows"] / total) if x["name"] in others else x for x in a["columns"]],
    }


def _merged_column(x: Mapping[str, Any], y: Mapping[str, Any], share: float) -> dict[str, Any]:
    def ends(pick: Any, key: str) -> Any:
        known = [v for v in (x[key], y[key]) if v is not None]
        return pick(known) if known else None

    values = sorted({*x["values"], *y["values"]}, key=lambda v: (str(type(v)), v)) if x["values"] and y["values"] else []
    return {**x, "n_unique": max(x["n_unique"], y["n_unique"], len(values)), "values": values,
            "null_rate": share * x["null_rate"] + (1 - share) * y["null_rate"], "min": ends(min, "min"), "max": ends(max, "max")}


def _plan(d: Mapping[str, Any]) -> Plan:
    c = d["columns"]
    lists = {k: tuple(c[k]) for k in ("stages", "segments", "features")}
    return Plan(
        columns=Columns(**{**c, **lists}),
        grid=TimeGrid(**d["grid"]),
        score_edges=tuple(d["score_edges"]),
        features=tuple(_feature(f) for f in d["features"]),
        segments=tuple(_feature(f) for f in d["segments"]),
        score_is_probability=d["score_is_probability"],
        binary_kpis=tuple(d["binary_kpis"]),
        label_kind=d["label_kind"],
        decision_kind=d["decision_kind"],
        cut=tuple(d["cut"]) if d.get("cut") else None,
    )


def _feature(d: Mapping[str, Any]) -> FeaturePlan:
    keep = tuple(d["keep"]) if d["keep"] is not None else None
    return FeaturePlan(d["column"], d["numeric"], tuple(d["edges"]), keep, dict(d["values"]))
