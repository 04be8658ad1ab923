"""The chapter on threats names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_attack_names_tests_that_there_are() -> None:
    text = (ROOT / "specs" / "16-threats.md").read_text()
    attacks = text[text.index("## 16.4") :]
    rows = [line for line in attacks.splitlines() if re.match(r"\| (?!attack|---)", line)]
    assert rows
    for row in rows:
        named = re.findall(r"`(tests/[^`]+)`", row)
        assert named, row
        for path in named:
            assert (ROOT / path).is_file(), path
