"""When two findings are the same: everything equal, floats within 1e-9."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

TOLERANCE = 1e-9


def differences(found: Any, expected: Any, path: str = "") -> Iterator[str]:
    """Name each place where two findings differ."""
    if isinstance(found, dict) and isinstance(expected, dict):
        if list(found) != list(expected):
            yield f"{path}: keys {list(found)} instead of {list(expected)}"
        for key in found.keys() & expected.keys():
            yield from differences(found[key], expected[key], f"{path}.{key}")
    elif isinstance(found, list) and isinstance(expected, list):
        if len(found) != len(expected):
            yield f"{path}: {len(found)} entries instead of {len(expected)}"
        for i, (a, b) in enumerate(zip(found, expected, strict=False)):
            yield from differences(a, b, f"{path}[{i}]")
    elif isinstance(found, float) and isinstance(expected, float):
        if not math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield f"{path}: {found!r} instead of {expected!r}"
    elif found != expected or type(found) is not type(expected):
        yield f"{path}: {found!r} instead of {expected!r}"
