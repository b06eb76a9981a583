"""Find a template, read its parameters, and refuse what does not fit before anything runs."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rca_kit.case.bundled import bundled
from rca_kit.errors import BadInput, did_you_mean

TYPES: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict, "None": None}
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a template: what it may be (as written, like ``str | None``) and what it is when not given."""

    name: str
    annotation: str
    default: Any
    help: str = ""


def template_folders() -> tuple[Path, ...]:
    """Where templates lie: inside the installed package, or beside it in a checkout."""
    return bundled("templates")


def template_names() -> list[str]:
    """List the templates by name.

    Examples
    --------
    >>> "7s_investigation" in template_names()
    True
    """
    return sorted({p.stem for folder in template_folders() for p in folder.glob("*.ipynb")})


def find_template(name: str | Path) -> Path:
    """Find a template by name, or take a path to a notebook of one's own.

    Raises
    ------
    BadInput
        When there is none.

    Examples
    --------
    >>> find_template("7s_investigation").name
    '7s_investigation.ipynb'
    """
    own = Path(name)
    if own.suffix == ".ipynb" and own.is_file():
        return own
    for folder in template_folders():
        path = folder / f"{name}.ipynb"
        if path.parent == folder and path.is_file():
            return path
    known = template_names()
    raise BadInput(
        "there is no such template",
        found=str(name),
        expected="one of " + ", ".join(known) + ", or a path to a notebook",
        hint=did_you_mean(str(name), known),
    )


def read_parameters(template: Path) -> dict[str, Parameter]:
    """Read the parameters from the cell tagged `parameters`.

    Parameters
    ----------
    template : Path
        A notebook. Its parameters cell holds lines like ``engine: str = "polars"  # which engine scans the tables``.

    Returns
    -------
    dict
        In the order of the cell.

    Raises
    ------
    BadInput
        When the notebook cannot be read, or the cell is missing.

    Examples
    --------
    >>> read_parameters(find_template("7s_investigation"))["engine"].default
    'polars'
    """
    try:
        cells = json.loads(template.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise BadInput("is not a notebook that can be read", file=str(template), found=str(problem)) from None
    tagged = [c for c in cells if "parameters" in c.get("metadata", {}).get("tags", ())]
    if not tagged:
        raise BadInput("has no cell tagged `parameters`", file=str(template), hint="tag the cell that sets the defaults")
    source = "".join(tagged[0]["source"])
    lines = source.splitlines()
    out: dict[str, Parameter] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            name, annotation = node.target.id, ast.unparse(node.annotation)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, annotation = node.targets[0].id, ""
        else:
            continue
        assert node.value is not None
        default = ast.literal_eval(node.value)
        comment = lines[(node.end_lineno or node.lineno) - 1].partition("#")[2].strip()
        out[name] = Parameter(name, annotation or type(default).__name__, default, comment)
    return out


def check_parameters(template: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check given values against a template's parameters.

    Texts are read as numbers or truth values where the template wants those: they may come from a command line.

    Parameters
    ----------
    template : Path
        The notebook.
    given : mapping
        Name -> value.

    Returns
    -------
    dict
        The given values, in the right types.

    Raises
    ------
    BadInput
        For a name the template does not have, or a value of the wrong type.

    Examples
    --------
    >>> check_parameters(find_template("7s_investigation"), {"static": "true"})
    {'static': True}
    """
    known = read_parameters(template)
    out = {}
    for name, value in given.items():
        if name not in known:
            raise BadInput(
                f"template `{template.stem}` has no parameter `{name}`",
                expected="one of " + ", ".join(known),
                hint=did_you_mean(name, known),
            )
        out[name] = _fit(template.stem, known[name], value)
    return out


def _fit(template: str, parameter: Parameter, value: Any) -> Any:
    wanted = _types(parameter.annotation)
    if wanted is None:
        return value
    for kind in wanted:
        fitted = _as(kind, value)
        if fitted is not _NO:
            return fitted
    raise BadInput(
        f"parameter `{parameter.name}` of template `{template}` has the wrong type",
        found=f"{value!r} ({type(value).__name__})",
        expected=parameter.annotation,
    )


_NO = object()


def _as(kind: Any, value: Any) -> Any:
    if kind is None:
        return None if value is None or value in ("None", "null") else _NO
    if kind is bool:
        return value if isinstance(value, bool) else _TRUTH.get(value.lower(), _NO) if isinstance(value, str) else _NO
    if kind in (int, float) and not isinstance(value, bool):
        if isinstance(value, kind) or (kind is float and isinstance(value, int)):
            return kind(value)
        try:
            return kind(value) if isinstance(value, str) else _NO
        except ValueError:
            return _NO
    return value if isinstance(value, kind) and not (kind is int and isinstance(value, bool)) else _NO


def _types(annotation: str) -> list[Any] | None:
    """Turn an annotation into types, None first and str last so that texts are not taken before numbers; None when unknown."""
    out: list[Any] = []
    for part in annotation.split("|"):
        base = part.strip().partition("[")[0]
        if base not in TYPES:
            return None
        out.append(TYPES[base])
    return sorted(out, key=lambda t: (t is str, t is not None))
