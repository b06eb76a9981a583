from __future__ import annotations

import pytest

from rca_kit.views.theme import DARK, LIGHT, Palette


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("ink", ["ink", "muted", "accent", "bad", "good", "warn", "second"])
def test_text_contrast(palette: Palette, ink: str):
    for ground in ("ground", "panel"):
        assert contrast(getattr(palette, ink), getattr(palette, ground)) >= 4.5, ground


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_text_on_soft_grounds(palette: Palette):
    for ink, ground in (
        ("bad", "bad_soft"),
        ("good", "good_soft"),
        ("warn", "warn_soft"),
        ("ink", "good_soft"),
        ("muted", "good_soft"),
        ("muted", "warn_soft"),
        ("ink", "bad_soft"),
        ("ground", "second"),
    ):
        assert contrast(getattr(palette, ink), getattr(palette, ground)) >= 4.5, (ink, ground)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_lines_can_be_seen(palette: Palette):
    assert contrast(palette.line, palette.ground) >= 3
