"""Draw the pictures of docs/onset.md: plain SVG, from fixed seeds.

    python benchmarks/onset_pictures.py docs/img
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from rca_kit.stats.changepoint import ChangePoints, find_changes

WIDTH, HEIGHT, PAD = 420, 150, 22
DOTS, FOUND, TRUE, SPAN = "#4477aa", "#cc3311", "#228833", "#cc331133"


def panel(title: str, y: np.ndarray, found: ChangePoints, truth: Sequence[int]) -> str:
    """One chart: dots, true onsets dashed, reports solid, 90% intervals shaded."""
    low, high = np.nanmin(y), np.nanmax(y)

    def px(i: float) -> float:
        return PAD + (WIDTH - 2 * PAD) * i / (len(y) - 1)

    def py(v: float) -> float:
        return HEIGHT - PAD + (2 * PAD + 4 - HEIGHT) * (v - low) / (high - low)

    parts = [f'<text x="{PAD}" y="15" font-size="12" fill="#222">{escape(title)}</text>']
    for c in found:
        a, b = c.interval
        parts.append(f'<rect x="{px(a - 0.5):.1f}" y="20" width="{max(px(b - 0.5) - px(a - 0.5), 1):.1f}" height="{HEIGHT - 30}" '
                     f'fill="{SPAN}"/><line x1="{px(c.index):.1f}" x2="{px(c.index):.1f}" y1="20" y2="{HEIGHT - 10}" '
                     f'stroke="{FOUND}" stroke-width="1.5"/>')
    parts += [f'<line x1="{px(t):.1f}" x2="{px(t):.1f}" y1="20" y2="{HEIGHT - 10}" stroke="{TRUE}" stroke-dasharray="4 3"/>'
              for t in truth]
    dots = "".join(f"M{px(i):.1f} {py(v):.1f}h0" for i, v in enumerate(y) if np.isfinite(v))
    parts.append(f'<path d="{dots}" stroke="{DOTS}" stroke-width="2" stroke-linecap="round" fill="none"/>')
    return "".join(parts)


def picture(panels: list[str]) -> str:
    """Panels in two columns."""
    rows = -(-len(panels) // 2)
    body = "".join(f'<g transform="translate({WIDTH * (i % 2)},{HEIGHT * (i // 2)})">{p}</g>' for i, p in enumerate(panels))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT * rows}" font-family="sans-serif">'
            f'<rect width="100%" height="100%" fill="#fff"/>{body}</svg>\n')


def ar(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    e = rng.normal(size=n)
    for i in range(1, n):
        e[i] = phi * e[i - 1] + np.sqrt(1 - phi * phi) * e[i]
    return e


def works() -> list[str]:
    rng = np.random.default_rng(5)
    t = np.arange(300)
    h = np.arange(336)
    trials = np.exp(rng.uniform(np.log(20), np.log(2000), 300)).astype(int)
    rate = rng.binomial(trials, np.where(t < 180, 0.05, 0.08)) / trials
    cases: list[tuple[str, np.ndarray, list[int], dict[str, object]]] = [
        ("step of 1 sigma, white noise", rng.normal(size=300) + (t >= 190), [190], {}),
        ("step of 2 sigma, persistent noise (AR 0.5)", ar(rng, 300, 0.5) + 2.0 * (t >= 110), [110], {}),
        ("1.5 sigma under a daily season of 3", 3 * np.sin(h * np.pi / 12) + rng.normal(size=336) + 1.5 * (h >= 210), [210], {}),
        ("rate 5% to 8%, 20 to 2000 trials per bucket", rate, [180], {"trials": trials}),
        ("ramp of 3 sigma over 100 buckets", rng.normal(size=300) + 3 * np.clip((t - 100) / 100, 0, 1), [100], {}),
        ("spike of five buckets, 4 sigma", rng.normal(size=300) + 4.0 * ((t >= 150) & (t < 155)), [150, 155], {}),
        ("spread x 3", rng.normal(size=300) * np.where(t < 160, 1, 3), [160], {}),
        ("no change: persistent noise (AR 0.6)", ar(rng, 300, 0.6), [], {}),
    ]
    return [panel(title, y, find_changes(y, **options), truth) for title, y, truth, options in cases]


def fails() -> list[str]:
    rng = np.random.default_rng(12)
    t = np.arange(300)
    walk = np.cumsum(rng.normal(size=300))
    cases: list[tuple[str, np.ndarray, list[int]]] = [
        ("too small for such noise: 0.5 sigma, AR 0.7", ar(rng, 300, 0.7) + 0.5 * (t >= 150), [150]),
        ("too late to tell: the last three buckets, 1.5 sigma", rng.normal(size=300) + 1.5 * (t >= 297), [297]),
        ("a random walk has no level: what is visible is told", walk, []),
        ("one bucket of 6 sigma in heavy-tailed noise, t(3)", rng.standard_t(3, size=300) + 6 * np.sqrt(3) * (t == 120), [120]),
    ]
    return [panel(title, y, find_changes(y), truth) for title, y, truth in cases]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "onset_works.svg").write_text(picture(works()))
    (folder / "onset_fails.svg").write_text(picture(fails()))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/img"))
