"""The page's style, script, plotly and its Content-Security-Policy, all sealed by hashes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from rca_kit.errors import MissingExtra
from rca_kit.views.theme import DARK, FONT, LIGHT, MONO

# plotly makes one empty <style> element and fills it rule by rule; only the empty text needs to be allowed
_EMPTY_STYLE = ""


@lru_cache(maxsize=1)
def css() -> str:
    """Give the style sheet with the palette filled in."""
    text = _asset("report.css")
    for name, value in (("LIGHT", LIGHT.css()), ("DARK", DARK.css()), ("FONT", FONT), ("MONO", MONO)):
        text = text.replace(f"@@{name}@@", value)
    return text


@lru_cache(maxsize=1)
def script() -> str:
    """Give the small script that makes the charts interactive."""
    return _asset("report.js")


def _asset(name: str) -> str:
    return files("rca_kit.views.report").joinpath("templates", name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def plotly_source() -> bytes:
    """Read plotly.js from the installed plotly package, without importing it."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise MissingExtra.of("plotly", "plotly")
    return (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes()


@lru_cache(maxsize=1)
def plotly_packed() -> str:
    """Give plotly.js compressed, as text that can stand in a page; the same bytes at every call."""
    return base64.b64encode(gzip.compress(plotly_source(), compresslevel=9, mtime=0)).decode("ascii")


def sha256(text: str | bytes) -> str:
    """Give the hash of an inline script or style as a Content-Security-Policy writes it.

    Examples
    --------
    >>> sha256("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    raw = text.encode() if isinstance(text, str) else text
    return f"'sha256-{base64.b64encode(hashlib.sha256(raw).digest()).decode('ascii')}'"


def policy(styles: tuple[str, ...], scripts: tuple[str | bytes, ...], *, live: bool) -> str:
    """Write the page's policy: nothing but these very styles and scripts, and no host at all.

    Parameters
    ----------
    styles, scripts : tuple
        The exact text of each inline element.
    live : bool
        Whether plotly is in the page.

    Examples
    --------
    >>> "unsafe" in policy(("a{}",), (), live=False)
    False
    """
    style = [sha256(s) for s in (*styles, *((_EMPTY_STYLE,) if live else ()))]
    code = [sha256(s) for s in scripts] or ["'none'"]
    return (
        f"default-src 'none'; script-src {' '.join(code)}; style-src {' '.join(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
