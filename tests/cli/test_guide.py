"""The pages of the guide are true: their commands run, and print what stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from .transcript import Transcript

GUIDE = Path(__file__).parents[2] / "specs" / "guide"
PAGES = sorted(path.name for path in GUIDE.glob("*.md") if "<!-- story -->" in path.read_text())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_true(page: str, tmp_path: Path) -> None:
    with Transcript((GUIDE / page).read_text(), tmp_path) as transcript:
        transcript.play()
        assert transcript.commands > 0
