"""What the audit of the installed packages says to each answer of pip-audit."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

verdict = runpy.run_path(str(Path(__file__).parents[3] / ".ci" / "audit_packages.py"))["verdict"]

CLEAN = {"name": "trio", "version": "0.35.0", "vulns": []}
UNKNOWN = {"name": "lmdb", "skip_reason": "Dependency not found on PyPI: lmdb (1.4)"}
FLAW = {"id": "PYSEC-2026-1", "fix_versions": ["3.2"], "aliases": [], "description": "bad"}
FLAWED = {"name": "jinja2", "version": "3.1.6", "vulns": [FLAW]}
HOPELESS = {"name": "jinja2", "version": "3.1.6", "vulns": [{**FLAW, "fix_versions": []}]}


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        (None, 0, "CANNOT TELL"),
        ([], 0, "CANNOT TELL"),
        ([UNKNOWN], 0, "none was audited"),
        ([CLEAN], 0, "no vulnerability is known in 1 packages"),
        ([CLEAN, UNKNOWN], 0, "the index says nothing of lmdb"),
        ([CLEAN, FLAWED, UNKNOWN], 1, "jinja2 3.1.6: PYSEC-2026-1, mended in 3.2"),
        ([HOPELESS], 1, "no release yet"),
    ],
)
def test_a_known_flaw_fails_and_silence_is_not_taken_for_health(
    found: list[dict[str, Any]] | None, code: int, words: str
) -> None:
    said = verdict(found)
    assert said[0] == code
    assert words in said[1]
