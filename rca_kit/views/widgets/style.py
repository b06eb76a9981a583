"""Style sheet and scripts of the explorers."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from rca_kit.views.report.assets import css as report_css
from rca_kit.views.theme import DARK, FONT, LIGHT, MONO


def asset(name: str) -> str:
    """Read one of our own files."""
    return files("rca_kit.views.widgets").joinpath("static", name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def css() -> str:
    """Give the style sheet with the palette filled in; every rule holds inside `.rk` only.

    Examples
    --------
    >>> "@@" in css()
    False
    """
    text = asset("panel.css")
    filled = {"LIGHT": LIGHT.css(), "DARK": DARK.css(), "FONT": FONT, "MONO": MONO, "PICTURES": _pictures()}
    for name, value in filled.items():
        text = text.replace(f"@@{name}@@", value)
    return text


def _pictures() -> str:
    """Take the rules of the SVG pictures from the report, so that they look the same here."""
    part = re.search(r"^\.pic \.t\{.*?(?=^\.live\{)", report_css(), re.DOTALL | re.MULTILINE)
    assert part is not None
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", part.group())
    return "\n".join(f"{','.join(f'.rk {s.strip()}' for s in names.split(','))}{{{body}}}" for names, body in rules)
