"""The fishbone: seven suspect categories, each supported, excluded or not tested, with its best suspect."""

from __future__ import annotations

from markupsafe import Markup

from rca_kit.findings.suspects import CATEGORIES, Suspects
from rca_kit.views import words
from rca_kit.views.svg.canvas import Canvas, fit, wrap

WIDTH, HEIGHT = 860.0, 400.0
HEAD = 150.0
SIGN = {"supported": "●", "excluded": "✕", "not_tested": "?"}


def ishikawa(suspects: Suspects, effect: str, ident: str) -> Markup:
    """Draw the categories as bones of a fish whose head is the effect.

    Parameters
    ----------
    suspects : Suspects
        Step 4's finding.
    effect : str
        What is to be explained, in a few words.
    ident : str
        Unique in the page.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> "not tested" in ishikawa(example().suspects, "AUC fell", "i1")
    True
    """
    status = {c.category: c for c in suspects.categories}
    said = "; ".join(f"{c.category}: {words.STATUS.get(c.status, c.status)}" for c in suspects.categories)
    canvas = Canvas(WIDTH, HEIGHT, "Suspects over seven categories", said, ident)
    spine = HEIGHT / 2
    canvas.line(10, spine, WIDTH - HEAD, spine, "spine")
    canvas.rect(WIDTH - HEAD, spine - 44, HEAD - 4, 88, "head", 8)
    for i, part in enumerate(wrap(effect, HEAD - 20, 14, 4)):
        canvas.text(WIDTH - HEAD / 2, spine - 20 + 19 * i, part, "t strong", "middle")
    step = (WIDTH - HEAD) / 4
    for i, category in enumerate(CATEGORIES):
        above = i < 4
        column = i if above else i - 4
        x = step * column + (6 if above else step / 2 - 30)
        _bone(canvas, suspects, category, status.get(category), (x, spine, step, above))
    return canvas.render()


def _bone(canvas: Canvas, suspects: Suspects, category: str, status: object, place: tuple[float, float, float, bool]) -> None:
    x, spine, step, above = place
    state = getattr(status, "status", "not_tested")
    because = getattr(status, "because", "not looked at")
    first = bool(suspects.items) and suspects.items[0].category == category
    css = {"supported": "bone-on" if first else "bone-also", "excluded": "bone-off"}.get(state, "bone-open")
    foot = x + step * 0.86
    top = 22.0 if above else HEIGHT - 128.0
    canvas.line(x + 4, top - 12 if above else HEIGHT - 10, x + 4, top + 96 if above else top - 14, css)
    canvas.line(x + 4, top + 96 if above else top - 14, foot if foot < WIDTH - HEAD else WIDTH - HEAD - 6, spine, css)
    room = step - 24
    canvas.text(
        x + 12, top, fit(f"{SIGN.get(state, '?')} {category}", room, 14), "t strong" + (" bad-t" if state == "supported" else "")
    )
    canvas.text(x + 12, top + 17, words.STATUS.get(state, state), "t small" + (" bad-t" if state == "supported" else " mute"))
    mine = [s for s in suspects.items if s.category == category]
    lines = (
        wrap(because, room, 12, 3)
        if not mine
        else [*wrap(words.for_people(mine[0].title or mine[0].subject), room, 12, 2),
              because.partition(":")[0] if state == "supported" else f"probability {words.chance(mine[0].probability)}"]
    )
    for i, part in enumerate(lines):
        canvas.text(x + 12, top + 35 + 16 * i, part, "t small")
