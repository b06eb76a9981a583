"""Replay, shadow compare and canary as a document: the answer first, then every table behind it."""

from __future__ import annotations

from typing import Any

from rca_kit.findings.base import Finding, plain
from rca_kit.views.documents.page import Block, Grid, Page, Part, Words

MOST_ROWS = 200  # of a table; the JSON beside it has them all


def gate_page(title: str, lead: str, **findings: Finding) -> Page:
    """Write findings as a document, one section each, named by their keywords.

    Examples
    --------
    >>> from rca_kit.findings.replay import GoldenHealth, HealthCheck
    >>> from rca_kit.findings.shadow import NamedRows
    >>> health = GoldenHealth(NamedRows([HealthCheck("size", "weak", "40 samples")]))
    >>> print(gate_page("Golden set", "Can it carry a verdict?", health=health).parts[0].blocks[0].text)
    40 samples.
    """
    return Page(title, lead, tuple(Part(name.replace("_", " ").capitalize(), _blocks(f)) for name, f in findings.items()))


def _blocks(finding: Finding) -> tuple[Block, ...]:
    rows = finding.rows()
    blocks: list[Block] = [Words(finding.says())]
    if rows:
        heads = tuple(rows[0])
        blocks.append(Grid(heads, tuple(tuple(_cell(r.get(h)) for h in heads) for r in rows[:MOST_ROWS]),
                           type(finding).__name__))
    if len(rows) > MOST_ROWS:
        blocks.append(Words(f"The first {MOST_ROWS} of {len(rows):,} rows."))
    return tuple(blocks)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(plain(value))
