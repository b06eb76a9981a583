"""A plain document: headings, words, lists, tables, check lists; the same as Markdown and as one sealed HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rca_kit.views.escape import markdown as md
from rca_kit.views.escape import visible
from rca_kit.views.report import assets


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list; numbered when the order matters."""

    items: tuple[str, ...]
    numbered: bool = False


@dataclass(frozen=True)
class Boxes:
    """A list to tick off: (text, done)."""

    items: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Grid:
    """A table; all cells are text."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    label: str = "Table"


Block = Words | Points | Boxes | Grid


@dataclass(frozen=True)
class Part:
    """A section."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A document with a title, what it is in one line, and its sections.

    Examples
    --------
    >>> page = Page("Runbook", "What to do", (Part("First", (Words("Look at <the> chart"), Points(("a", "b"), numbered=True))),))
    >>> print(page.to_markdown())
    # Runbook
    <BLANKLINE>
    What to do
    <BLANKLINE>
    ## First
    <BLANKLINE>
    Look at &lt;the> chart
    <BLANKLINE>
    1. a
    2. b
    <BLANKLINE>
    >>> page.to_html().startswith("<!doctype html>")
    True
    """

    title: str
    lead: str
    parts: tuple[Part, ...]

    def to_markdown(self) -> str:
        """Give Markdown in which everything that came from data is escaped."""
        out = [f"# {md(self.title)}", "", md(self.lead), ""]
        for part in self.parts:
            out += [f"## {md(part.title)}", ""]
            for block in part.blocks:
                out += [*_markdown(block), ""]
        return "\n".join(out).rstrip("\n") + "\n"

    def to_html(self) -> str:
        """Give one HTML file under the same policy as the report: no script at all, no host asked."""
        return (
            _environment()
            .get_template("page.html.j2")
            .render(
                page=self,
                page_title=self.title,
                css=Markup(assets.css()),  # noqa: S704 - our own file
                kind_of=_kind,
                policy=Markup(assets.policy((assets.css(),), (), live=False)),  # noqa: S704 - hashes only
            )
        )

    def _repr_html_(self) -> str:
        return _environment().get_template("page_body.html.j2").render(page=self, kind_of=_kind)


def _kind(block: Block) -> str:
    return type(block).__name__


def _markdown(block: Block) -> list[str]:
    if isinstance(block, Words):
        return [md(block.text)]
    if isinstance(block, Points):
        return [f"{f'{i}.' if block.numbered else '-'} {md(item)}" for i, item in enumerate(block.items, 1)] or ["(nothing yet)"]
    if isinstance(block, Boxes):
        return [f"- [{'x' if done else ' '}] {md(item)}" for item, done in block.items] or ["(nothing yet)"]
    if not block.rows:
        return ["(nothing yet)"]
    rows: list[Sequence[str]] = [block.heads, ["---"] * len(block.heads)]
    return ["| " + " | ".join(md(c) if i != 1 else c for c in row) + " |" for i, row in enumerate([*rows, *block.rows])]


@lru_cache(maxsize=1)
def _environment() -> Environment:
    def finalize(value: Any) -> Any:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    return Environment(
        loader=PackageLoader("rca_kit.views.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
