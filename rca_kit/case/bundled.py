"""Samples, templates and notebooks that come with the kit: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

from rca_kit.errors import BadInput, did_you_mean

_CHECKOUT = {"samples": "data/samples", "templates": "templates", "notebooks": "notebooks"}


def bundled(kind: str) -> tuple[Path, ...]:
    """Folders that hold what comes with the kit, nearest first.

    Parameters
    ----------
    kind : {"samples", "templates", "notebooks"}

    Examples
    --------
    >>> all(folder.is_dir() for folder in bundled("templates"))
    True
    """
    package = Path(str(files("rca_kit")))
    return tuple(p for p in (package / "_data" / kind, package.parent / _CHECKOUT[kind]) if p.is_dir())


def sample_names() -> list[str]:
    """List the bundled sample incidents.

    Examples
    --------
    >>> sample_names() == sorted(sample_names())
    True
    """
    return sorted({p.parent.name for folder in bundled("samples") for p in folder.glob("*/incident.yaml")})


def sample(slug: str) -> Path:
    """Find the case folder of a bundled sample incident.

    Raises
    ------
    BadInput
        When there is none of that name.

    Examples
    --------
    >>> sample("no-such-incident")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: there is no such sample incident...
    """
    known = sample_names()
    for folder in bundled("samples"):
        if slug in known and (folder / slug / "incident.yaml").is_file():
            return folder / slug
    raise BadInput("there is no such sample incident", found=slug, expected="one of " + ", ".join(known) if known else None,
                   hint=did_you_mean(slug, known))


def practice(slug: str, folder: str | Path = "practice") -> Path:
    """Copy a bundled sample incident to where it can be worked on, and give the copy; one that is there is left as it is.

    Parameters
    ----------
    slug : str
        Name of the sample.
    folder : path
        Where copies are kept, by default beside the notebook.

    Raises
    ------
    BadInput
        When there is no such sample.

    Examples
    --------
    >>> import tempfile
    >>> copy = practice("quiet-day", tempfile.mkdtemp())
    >>> (copy / "incident.yaml").is_file(), (copy / "journal.jsonl").exists()
    (True, False)
    """
    source, target = sample(slug), Path(folder) / slug
    if not (target / "incident.yaml").is_file():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("journal.jsonl", "runs", "notebooks"))
    return target
