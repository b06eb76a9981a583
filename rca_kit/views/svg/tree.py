"""Who is affected: segments as a tree, each with its value before and after, its share of traffic and of the impact."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from rca_kit.findings.scope import Scope, Segment
from rca_kit.views import words
from rca_kit.views.svg.canvas import Canvas, fit

WIDTH, ROW = 860.0, 40.0
BAR = 150.0
MOST_ROWS = 16


@dataclass
class _Node:
    label: str
    segment: Segment | None = None
    found: bool = False
    children: dict[str, _Node] = field(default_factory=dict)


def _build(scope: Scope) -> _Node:
    root = _Node("all traffic")
    singles = {words.segment_text(s.where): s for s in scope.singles if len(s.where) == 1}
    for segment in (*scope.segments, *sorted(scope.singles, key=lambda s: -(s.share_of_impact or 0))[:6]):
        node = root
        for name, condition in segment.where.items():
            label = words.segment_text({name: condition})
            node = node.children.setdefault(label, _Node(label, singles.get(label) if node is root else None))
        if node is not root:
            node.segment = segment if node.segment is None or segment in scope.segments else node.segment
            node.found = node.found or segment in scope.segments
    return root


def _flatten(node: _Node, depth: int, out: list[tuple[int, _Node]]) -> list[tuple[int, _Node]]:
    out.append((depth, node))
    for child in node.children.values():
        _flatten(child, depth + 1, out)
    return out


def scope_tree(scope: Scope, ident: str) -> Markup:
    """Draw the segments found and the nearest others looked at.

    Parameters
    ----------
    scope : Scope
        Step 3's finding.
    ident : str
        Unique in the page.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> "device = android" in scope_tree(example().scope, "s1")
    True
    """
    rows = _flatten(_build(scope), 0, [])[:MOST_ROWS]
    canvas = Canvas(WIDTH, 34 + ROW * len(rows), "Who is affected", scope.says(), ident)
    traffic_x, impact_x = WIDTH - 2 * BAR - 110, WIDTH - BAR - 46
    canvas.text(traffic_x, 18, "share of traffic", "t small mute")
    canvas.text(impact_x, 18, "share of the change", "t small mute")
    for i, (depth, node) in enumerate(rows):
        y = 34 + ROW * i
        x = 8 + 26 * depth
        if depth:
            canvas.line(x - 16, y - 5, x - 16, y + 8, "axis")
            canvas.line(x - 16, y + 8, x - 4, y + 8, "axis")
        room = traffic_x - x - 20
        canvas.text(x, y + 12, fit(("● " if node.found else "") + node.label, room, 14), "t strong bad-t" if node.found else "t")
        segment = node.segment
        if depth == 0:
            canvas.text(x, y + 28, "all of it is affected alike" if scope.is_global else "", "t small mute")
            _bar(canvas, traffic_x, y, 1.0, "bar")
            _bar(canvas, impact_x, y, 1.0, "bar")
        elif segment is not None:
            canvas.text(x, y + 28, fit(_moved(segment, scope.metric), room, 12), "t small mute")
            _bar(canvas, traffic_x, y, segment.share_of_traffic, "bar")
            _bar(canvas, impact_x, y, segment.share_of_impact, "bar bad-bar" if node.found else "bar")
    return canvas.render()


def _moved(segment: Segment, metric: str) -> str:
    # the others hold the mean of what was searched row by row, another scale than the metric's: the table explains them
    shown = segment.in_metric and not (segment.before is None and segment.after is None)
    return words.segment_move(metric, segment) if shown else ""


def _bar(canvas: Canvas, x: float, y: float, share: float | None, css: str) -> None:
    canvas.rect(x, y + 2, BAR, 12, "trough", 2)
    if share is None:
        canvas.text(x + BAR + 6, y + 12, "–", "t small mute")
        return
    canvas.rect(x, y + 2, BAR * min(max(share, 0.0), 1.0), 12, css, 2)
    canvas.text(x + BAR + 6, y + 12, words.percent(share), "t small")
