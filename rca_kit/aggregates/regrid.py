"""Sums on a coarser grid: buckets are aligned to the epoch, so those of a finer grid add up to those of a coarser one."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from rca_kit.aggregates.cube import BUCKET, Cube
from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.scan import Aggregates


def fits(fine: TimeGrid, wide: TimeGrid) -> bool:
    """Whether buckets of one grid are made of whole buckets of the other."""
    return wide.width_s % fine.width_s == 0 and wide.coarse_s % fine.coarse_s == 0


def regrid(a: Aggregates, grid: TimeGrid) -> Aggregates:
    """Lay sums on another grid, exactly.

    Raises
    ------
    ValueError
        When its buckets are not made of whole ones; see `fits`.
    """
    here = a.plan.grid
    if grid == here:
        return a
    if not fits(here, grid):
        raise ValueError("the grid's buckets do not hold whole buckets")
    fine = _moved(a.cubes["time"], here, grid, coarse=False)
    cubes = {n: fine if n == "time" else _moved(c, here, grid, coarse=True) for n, c in a.cubes.items()}
    return Aggregates(replace(a.plan, grid=grid), cubes)


def _moved(cube: Cube, here: TimeGrid, grid: TimeGrid, *, coarse: bool) -> Cube:
    old, new = (here.coarse_s, grid.coarse_s) if coarse else (here.width_s, grid.width_s)
    seconds = pl.col(BUCKET) * old + int((here.origin - grid.origin).total_seconds())
    frame = cube.frame.with_columns((seconds // new).alias(BUCKET))
    return Cube.of(cube.keys, frame.group_by(list(cube.keys), maintain_order=True).agg(pl.all().sum()))
