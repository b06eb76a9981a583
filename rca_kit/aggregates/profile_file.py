"""A profile as one file: a zip of plain arrays with a JSON header. Nothing in it is executed when it is read."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from rca_kit.aggregates.profile import ColumnProfile, TableProfile
from rca_kit.aggregates.profile_grid import BlockPlan, NumberGrid
from rca_kit.aggregates.profile_parts import Distinct
from rca_kit.errors import BadInput

FORMAT = "rca-kit profile 1"
PLAIN = ("name", "kind", "dtype", "total", "squares", "finite", "minimum", "maximum", "nan", "infinite", "repeats",
         "falls", "pairs")


def save_profile(profile: TableProfile, path: str | os.PathLike[str]) -> Path:
    """Write a profile; the file is written beside and renamed, so an earlier one is never damaged."""
    target = Path(path)
    arrays: dict[str, Any] = {"block_rows": profile.block_rows}
    columns = []
    for i, c in enumerate(profile.columns):
        arrays[f"counts{i}"], arrays[f"missing{i}"] = _narrow(c.counts), c.missing
        about: dict[str, Any] = {k: getattr(c, k) for k in PLAIN}
        about["grid"] = asdict(c.grid) if c.grid else None
        about["labels"] = list(c.labels) if c.labels is not None else None
        if c.distinct is not None:
            arrays[f"hashes{i}"], arrays[f"hash_rows{i}"] = c.distinct.hashes, c.distinct.rows
            about["bound"], about["repeating"] = str(c.distinct.bound), c.distinct.repeating
        columns.append(about)
    header = {"format": FORMAT, "rows": profile.rows, "blocks": asdict(profile.blocks), "first_time": profile.first_time,
              "last_time": profile.last_time, "columns": columns}
    arrays["header"] = np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), np.uint8)
    beside = target.with_name(target.name + ".part")
    try:
        with beside.open("wb") as out:
            np.savez_compressed(out, **arrays)
        beside.replace(target)
    except OSError as error:
        raise BadInput("cannot write the profile", file=target.name, found=error.strerror or str(error)) from None
    return target


def load_profile(path: str | os.PathLike[str]) -> TableProfile:
    """Read a profile that `save_profile` wrote.

    Raises
    ------
    BadInput
        When the file is missing, broken, or no profile.
    """
    source = Path(path)
    try:
        with source.open("rb") as file, np.load(file, allow_pickle=False) as data:
            header = json.loads(bytes(data["header"]).decode())
            if header.get("format") != FORMAT:
                raise BadInput("this profile has another format", file=source.name, found=str(header.get("format")),
                               expected=FORMAT)
            columns = tuple(_column(i, c, data) for i, c in enumerate(header["columns"]))
            return TableProfile(columns, header["rows"], BlockPlan(**header["blocks"]), data["block_rows"], header["first_time"],
                                header["last_time"])
    except FileNotFoundError:
        raise BadInput("there is no such file", file=source.name) from None
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise BadInput("this is no profile", file=source.name, found=(str(error).splitlines() or ["nothing"])[0][:100],
                       hint="write one with rca_kit.profile(table).save(path)") from None


def is_profile(path: str | os.PathLike[str]) -> bool:
    """Whether the file is a saved profile, by its content."""
    source = Path(path)
    try:
        with zipfile.ZipFile(source) as z:
            return "header.npy" in z.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _column(i: int, about: dict[str, Any], data: Any) -> ColumnProfile:
    sketch = None
    if "bound" in about:
        sketch = Distinct(int(about["bound"]), data[f"hashes{i}"], data[f"hash_rows{i}"], about["repeating"])
    grid = NumberGrid(**about["grid"]) if about["grid"] else None
    labels = tuple(about["labels"]) if about["labels"] is not None else None
    return ColumnProfile(counts=data[f"counts{i}"].astype(np.int64), missing=data[f"missing{i}"], grid=grid, labels=labels,
                         distinct=sketch, **{k: about[k] for k in PLAIN})


def _narrow(counts: Any) -> Any:
    return counts.astype(np.int32) if counts.max(initial=0) < 2**31 else counts
