"""Scenarios that a trainer brings: a Python file with `SCENARIO`, or a YAML file that names a world and a mechanism."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rca_kit.case.yamlio import load_yaml
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.training.incident import make_plan
from rca_kit.training.keys import Key
from rca_kit.training.mechanisms import MECHANISMS
from rca_kit.training.samples import write_scenario
from rca_kit.training.scenarios import SCENARIOS, Scenario, get_scenario
from rca_kit.training.worlds import WORLDS
from rca_kit.training.write import write_case

SUFFIXES = (".py", ".yaml", ".yml")


class Recipe(BaseModel):
    """A scenario without code: a world, a mechanism of the generator, and how the session is announced."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slug: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=1)
    world: str
    mechanism: str
    topic: str = ""
    difficulty: Literal[1, 2, 3] = 2
    minutes: int = Field(default=45, ge=5, le=240)
    rows: int | None = Field(default=None, ge=2_000, le=1_000_000)


Told = Scenario | Recipe


def is_file(name: str) -> bool:
    """Whether a scenario is named by a file rather than by its slug.

    Examples
    --------
    >>> is_file("quiet-day"), is_file("./mine.yaml")
    (False, True)
    """
    return name.endswith(SUFFIXES)


def get_told(name: str) -> Told:
    """Find a scenario by slug, or read it from a file.

    Parameters
    ----------
    name : str
        A slug of `rca-kit train list`; or the path of a ``.yaml`` file with world and mechanism; or of a ``.py`` file that
        defines `SCENARIO`. A Python file is run: name only one whose author you trust.

    Raises
    ------
    BadInput
        When there is none, or the file does not hold a scenario.
    """
    if not is_file(name):
        if name not in SCENARIOS:
            raise BadInput(
                "there is no such training incident",
                found=name,
                expected="a slug of `rca-kit train list`, or a file",
                hint=did_you_mean(name, SCENARIOS),
            )
        return get_scenario(name)
    path = Path(name)
    if not path.is_file():
        raise BadInput("there is no such scenario file", file=name)
    return _from_python(path) if path.suffix == ".py" else _from_yaml(path)


def write_told(told: Told, folder: Path, seed: int, case_id: str, models: dict[str, Any] | None = None) -> Key:
    """Write the case of a scenario and give its key; the same seed gives the same bytes."""
    if isinstance(told, Scenario):
        return write_scenario(told, folder, seed, case_id, models)
    plan = make_plan(seed, told.mechanism, told.world, told.rows)
    return write_case(plan, folder, case_id, told.title)


def _from_yaml(path: Path) -> Recipe:
    data = load_yaml(path)
    try:
        found = Recipe.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        hint = did_you_mean(place, Recipe.model_fields) if first["type"] == "extra_forbidden" else None
        raise BadInput(
            f"{place}: {first['msg']}",
            file=str(path),
            found=str(first.get("input"))[:80],
            expected="a scenario with " + ", ".join(Recipe.model_fields),
            hint=hint,
        ) from None
    for name, value, known in (("world", found.world, WORLDS), ("mechanism", found.mechanism, MECHANISMS)):
        if value not in known:
            raise BadInput(
                f"there is no {name} `{value}`",
                file=str(path),
                expected="one of " + ", ".join(known),
                hint=did_you_mean(value, known),
            )
    if not MECHANISMS[found.mechanism].fits(WORLDS[found.world]):
        fits = [n for n, w in WORLDS.items() if MECHANISMS[found.mechanism].fits(w)]
        raise BadInput(
            f"mechanism `{found.mechanism}` does not fit world `{found.world}`",
            file=str(path),
            expected="one of the worlds " + ", ".join(fits),
        )
    return found


def _from_python(path: Path) -> Scenario:
    spec = importlib.util.spec_from_file_location(f"rca_kit_own_{path.stem.replace('-', '_')}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        raise BadInput("the scenario file cannot be run", file=str(path), found=f"{type(problem).__name__}: {problem}") from None
    found = getattr(module, "SCENARIO", None)
    if not isinstance(found, Scenario):
        raise BadInput(
            "the file holds no scenario",
            file=str(path),
            found=f"SCENARIO is {type(found).__name__}",
            expected="SCENARIO = Scenario(...); see docs/training.md",
        )
    return found
