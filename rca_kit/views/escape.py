"""What comes from data stays text wherever it is shown: Markdown, CSV, JSON inside HTML, plotly labels.

HTML itself is escaped by jinja2's autoescape, which is on in every template.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

# Only what Markdown would act on is escaped, so that the raw text stays pleasant: `_` inside a word and `-` inside a line are not
_MARKDOWN = re.compile(r"([\\`*\[\]|$]|(?<![^\W_])_|_(?![^\W_])|~~|#(?=\w)|^(?:[-+>=#]|\d+[.)](?=\s|$)))")
_HTML = re.compile(r"<(?![\s\d=])")  # before a blank, a digit or = it starts no HTML
_FORMULA = ("=", "+", "-", "@", "\t", "＝", "＋", "－", "＠")  # the last four: full-width forms that spreadsheets fold
# Bidirectional overrides and other invisible controls can make text read as something it is not.
_INVISIBLE = re.compile("[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def visible(text: Any) -> str:
    """Replace control and direction-changing characters by their code, so that nothing hides in a text.

    Examples
    --------
    >>> visible("pay" + chr(0x202E) + "exe")
    'pay<U+202E>exe'
    """
    return _INVISIBLE.sub(lambda m: f"<U+{ord(m.group()):04X}>", unicodedata.normalize("NFC", str(text)))


def markdown(text: Any) -> str:
    r"""Escape a text so that Markdown shows it as it is, on one line.

    Examples
    --------
    >>> markdown("a|b *c* <img src=x> < 0.8")
    'a\\|b \\*c\\* &lt;img src=x> < 0.8'
    """
    one_line = " ".join(visible(text).split())
    escaped = _MARKDOWN.sub(lambda m: "".join("\\" + c if not c.isdigit() else c for c in m.group()), one_line)
    escaped = re.sub(r"&(?=#?\w+;)", "&amp;", escaped)
    return _dull_links(_HTML.sub("&lt;", escaped).replace("@", "&#64;"))  # @ would ping people


def _dull_links(text: str) -> str:
    """Keep chat systems from making links of what a data value says."""
    return re.sub(r"(?i)\b(https?|ftp|javascript|data):", r"\1&#58;", text)


def csv_cell(value: Any) -> str:
    """Write a value as a CSV cell that no spreadsheet takes for a formula; numbers stay numbers.

    Examples
    --------
    >>> csv_cell("=cmd()"), csv_cell(-1.5), csv_cell("-1.5"), csv_cell(None)
    ("'=cmd()", '-1.5', '-1.5', '')
    """
    if value is None:
        return ""
    text = str(value)
    if isinstance(value, (int, float)) or _is_number(text):
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # Python's csv module leaves a lone return unquoted
    return "'" + text if text.lstrip(" \n\ufeff").startswith(_FORMULA) else text


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", text) is not None


def to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows, all with the same keys, as CSV text with escaped cells (headers too).

    Examples
    --------
    >>> print(to_csv([{"a": "=1+1", "b": 2}]), end="")
    a,b
    '=1+1,2
    """
    rows = list(rows)
    if not rows:
        return ""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([csv_cell(k) for k in rows[0]])
    for row in rows:
        writer.writerow([csv_cell(row.get(k)) for k in rows[0]])
    return out.getvalue()


_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def json_for_script(value: Any) -> str:
    r"""Write JSON that can stand inside a ``<script>`` element: no text in it can end the element or open a comment.

    Examples
    --------
    >>> json_for_script({"a": "</script>"})
    '{"a":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = _INVISIBLE.sub(lambda m: f"\\u{ord(m.group()):04x}", text)
    return "".join(_SCRIPT.get(c, c) for c in text) if any(c in text for c in _SCRIPT) else text


def plotly_text(text: Any, limit: int = 60) -> str:
    """Escape a text for plotly, which reads a few HTML tags in labels; long texts are cut.

    Examples
    --------
    >>> plotly_text("<b>x</b>")
    '&lt;b&gt;x&lt;/b&gt;'
    """
    shown = visible(text)
    shown = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    # $...$ would make plotly look for MathJax
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;").replace("%{", "%&#123;")
