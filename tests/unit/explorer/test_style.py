"""The explorer's colours can be read by people who see little, and nothing on its pages moves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vitra_node import explorer

CSS = (Path(explorer.__file__).parent / "static" / "explorer.css").read_text()

# WCAG 2.2, level AA: text 1.4.3, and what shows where controls, focus and graphics are 1.4.11.
TEXT, GRAPHICS = 4.5, 3.0

READ = [
    *[(ink, ground) for ink in ("ink", "soft", "accent") for ground in ("paper", "card", "code")],
    *[("ink", ground) for ground in ("tint", "good-tint", "bad-tint", "wait-tint", "blue-tint")],
    *[("accent", ground) for ground in ("tint", "wait-tint")],
    *[(hue, f"{hue}-tint") for hue in ("good", "bad", "wait", "blue")],
    *[(hue, ground) for hue in ("good", "bad", "wait", "blue") for ground in ("card", "paper")],
    ("accent-ink", "accent"),
]
SEEN = [
    *[("accent", ground) for ground in ("paper", "card", "code", "tint")],
    *[("soft", ground) for ground in ("paper", "card")],
    *[("good", "good-tint"), ("bad", "card"), ("wait", "wait-tint")],
]


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))


LIGHT_BLOCK, DARK_BLOCK = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
SCHEMES = {"light": colours(LIGHT_BLOCK), "dark": colours(DARK_BLOCK)}


def luminance(colour: str) -> float:
    """How bright a colour is, 0 to 1, as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """1 for the same colour, 21 for black on white."""
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_and_graphics_stand_out(scheme: str) -> None:
    of = SCHEMES[scheme]
    for pairs, least in ((READ, TEXT), (SEEN, GRAPHICS)):
        for front, ground in pairs:
            ratio = contrast(of[front], of[ground])
            assert ratio >= least, f"{front} on {ground}: {ratio:.2f}, {least} is needed"


def test_every_colour_comes_from_the_two_schemes() -> None:
    assert SCHEMES["light"].keys() == SCHEMES["dark"].keys()
    rules = CSS.replace(LIGHT_BLOCK, "").replace(DARK_BLOCK, "")
    assert not re.findall(r"(?:#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\()", rules)
    used = set(re.findall(r"var\(--([a-z-]+)\)", rules)) - {"mono", "shadow"}
    assert used <= SCHEMES["light"].keys()


def test_nothing_moves_so_nothing_has_to_be_stilled() -> None:
    """Whatever moves has to stand in a block for those who did not ask for reduced motion."""
    moving = r"animation|transition|scroll-behavior|@keyframes|marquee"
    assert not re.search(moving, CSS), "put it below @media (prefers-reduced-motion: no-preference)"
