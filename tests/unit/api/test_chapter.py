"""The chapter on the control API says what the table of methods says."""

from __future__ import annotations

import re
from pathlib import Path

from vitra_node.api.control.frames import FAILURE_CODE, MAX_FRAME_BYTES
from vitra_node.api.control.server import MAX_CONNECTIONS
from vitra_node.api.methods import METHODS
from vitra_node.errors import FAMILIES

CHAPTER = (Path(__file__).parents[3] / "specs" / "11-control-api.md").read_text()


def test_every_method_stands_in_the_chapter_with_its_parameters() -> None:
    rows = re.findall(r"^\| `([a-z]+\.[a-z_]+)`(\*?)(†?) \| (.*?) ?\| ", CHAPTER, re.MULTILINE)
    documented = {
        name: (star == "*", dagger == "†", parameters) for name, star, dagger, parameters in rows
    }
    actual = {
        method.name: (
            method.changes,
            method.progress,
            ", ".join(
                f"**{p.name}** {p.kind}" if p.required else f"{p.name} {p.kind}"
                for p in method.parameters
            ),
        )
        for method in METHODS.values()
    }
    assert documented == actual


def test_every_family_stands_in_the_chapter_with_its_codes() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (-\d+) \|", CHAPTER, re.MULTILINE)
    special = {1: -32603, 2: -32602}
    assert rows == [
        (
            name,
            str(family.exit_code),
            str(special.get(family.exit_code, FAILURE_CODE - family.exit_code)),
        )
        for name, family in FAMILIES.items()
    ]


def test_the_limits_are_the_ones_in_the_chapter() -> None:
    assert f"At most {MAX_FRAME_BYTES // 1024**2} MiB" in CHAPTER
    assert f"at most {MAX_CONNECTIONS} connections" in CHAPTER
