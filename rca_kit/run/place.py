"""Where the files of a run go: made beside the place, moved into it in one step, never over an earlier run."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rca_kit.errors import BadInput


def used(target: Path) -> bool:
    """Tell whether something is there already."""
    return target.exists() and (not target.is_dir() or any(target.iterdir()))


def numbered(target: Path) -> Path:
    """Give the first of ``target``, ``target-2``, ... that is free."""
    number, tried = 2, target
    while used(tried):
        tried = target.with_name(f"{target.name}-{number}")
        number += 1
    return tried


def workplace(target: Path) -> Path:
    """Make the folder that becomes the target: beside it, so that the last move is one rename."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{target.name}.unfinished-", dir=target.parent))
    except OSError as problem:
        raise BadInput(
            "cannot be written",
            file=str(target),
            found=problem.strerror or str(problem),
            hint="name a folder you may write to with --out",
        ) from None


def settle(work: Path, target: Path, *, always_number: bool) -> Path:
    """Move the finished folder into place; another run may have taken the place meanwhile."""
    work.chmod(0o777 & ~_umask())  # mkdtemp makes it private; a report is for others to read
    while True:
        try:
            work.rename(target)
        except OSError:
            if not always_number and not used(target):
                raise
            target = numbered(target)
        else:
            return target


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
