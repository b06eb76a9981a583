"""Pieces of HTML that explorers are put together from. Whatever is not `Markup` already is escaped here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from rca_kit.findings.base import Finding
from rca_kit.views import words
from rca_kit.views.escape import visible

WIDE = 30  # characters from which a field takes the room that is left


def text(value: Any) -> Markup:
    """Escape a value for HTML, with what is invisible made visible.

    Examples
    --------
    >>> str(text("<b>"))
    '&lt;b&gt;'
    """
    return value if isinstance(value, Markup) else Markup("{}").format(visible(value))


def join(parts: Iterable[Any], between: str = "") -> Markup:
    """Escape and join."""
    return text(between).join(text(p) for p in parts)


def tag(element: str, /, *inside: Any, **attributes: Any) -> Markup:
    """Write an element; a trailing or doubled underscore in a name becomes none or a hyphen.

    Examples
    --------
    >>> str(tag("p", "a < b", class_="mute", data_key=None, hidden=True))
    '<p class="mute" hidden>a &lt; b</p>'
    """
    out = Markup("")
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        label = key.rstrip("_").replace("_", "-")
        out += Markup(" {}").format(label) if value is True else Markup(' {}="{}"').format(label, visible(value))
    return Markup("<{0}{1}>{2}</{0}>").format(element, out, join(inside))


def button(label: Any, act: str, arg: Any = "", **attributes: Any) -> Markup:
    """Write a button that sends `act` with `arg`, which may be anything JSON can hold."""
    said = arg if isinstance(arg, str) else json.dumps(arg, ensure_ascii=False)
    key = attributes.pop("data_key", f"{act}:{said}")
    return tag("button", label, type="button", data_act=act, data_arg=said, data_key=key, **attributes)


def field(label: str, name: str, value: Any = "", *, key: str = "", kind: str = "text", **attributes: Any) -> Markup:
    """Write a labelled one-line field."""
    extra = {"size": attributes.pop("size", None), "placeholder": attributes.pop("placeholder", None), **attributes}
    wide = Markup(' class="wide"') if (extra["size"] or 0) >= WIDE else Markup("")
    out = Markup("")
    for k, v in extra.items():
        if v is not None and v is not False:
            out += Markup(' {}="{}"').format(k.rstrip("_").replace("_", "-"), visible(v))
    return Markup('<label{}>{}<input type="{}" name="{}" value="{}" data-key="{}"{}></label>').format(
        wide, label, kind, name, visible(value), key or name, out
    )


def area(label: str, name: str, value: Any = "", *, key: str = "", **attributes: Any) -> Markup:
    """Write a labelled field of several lines."""
    inner = tag("textarea", Markup("\n") + text(value), name=name, data_key=key or name, **attributes)
    return Markup("<label>{}{}</label>").format(label, inner)


def choice(
    label: str,
    name: str,
    options: Sequence[tuple[str, str]],
    chosen: str,
    *,
    key: str = "",
    act: str = "",
    arg: str = "",
    css: str = "",
) -> Markup:
    """Write a labelled list to choose from; `options` are (value, words). With `act` the choice is sent at once."""
    items = join(
        Markup('<option value="{}"{}>{}</option>').format(v, Markup(" selected") if v == chosen else "", visible(said))
        for v, said in options
    )
    inner = tag("select", items, name=name, data_key=key or name, data_act=act or None, data_arg=arg or None)
    return tag("label", label, inner, class_=css or None)


def table(heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], caption: str = "") -> Markup:
    """Write a table; `heads` are (title, class), the first cell of each row is its heading."""
    head = join(tag("th", title, scope="col", class_=css or None) for title, css in heads)
    body = []
    for row in rows:
        first, *rest = (
            tag("th" if i == 0 else "td", cell, scope="row" if i == 0 else None, class_=css or None)
            for i, (cell, (_, css)) in enumerate(zip(row, heads, strict=True))
        )
        body.append(tag("tr", first, *rest))
    return tag(
        "div",
        tag("table", tag("caption", caption) if caption else "", tag("thead", tag("tr", head)), tag("tbody", *body)),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption or heads[0][0],
    )


def pressed(options: Sequence[tuple[str, str]], chosen: str, act: str, label: str) -> Markup:
    """Write a row of buttons of which one is pressed; `options` are (value, words)."""
    return tag(
        "div",
        *(button(said, act, v, aria_pressed="true" if v == chosen else "false") for v, said in options),
        class_="row",
        role="group",
        aria_label=label,
    )


def meter(share: float | None, width: float = 5.0) -> Markup:
    """Draw a share as a short bar with its number."""
    if share is None:
        return text("–")
    length = min(max(abs(share), 0.0), 1.0) * width
    style = f"width:{length:.2f}rem"
    return Markup('<span class="meter{}" style="{}" aria-hidden="true"></span> {}').format(
        " neg" if share < 0 else "", style, words.percent(share)
    )


def note(said: Any, kind: str = "") -> Markup:
    """Write a line that stands out: kind is empty, fail or done."""
    return tag("p", said, class_=f"note {kind}".strip(), role="status")


def number(value: float | None, digits: int = 4) -> str:
    """Write a number as short as it can be read."""
    return "–" if value is None or value != value else f"{value:.{digits}g}"


def finding_table(finding: Finding, most: int = 40) -> Markup:
    """Write the table behind any finding."""
    rows = finding.rows()[:most]
    if not rows:
        return tag("p", finding.says(), class_="mute")
    names = list(rows[0])
    return table([(n.replace("_", " "), "") for n in names], [[_cell(r.get(n)) for n in names] for r in rows])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def hidden(fields: Mapping[str, str]) -> Markup:
    """Write fields that a form sends along."""
    return join(Markup('<input type="hidden" name="{}" value="{}">').format(k, v) for k, v in fields.items())
