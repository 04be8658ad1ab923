"""What changed between two versions of a contract, line by line."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

# Unchanged lines that are shown around a change.
_CONTEXT = 3
# Comparing takes quadratic time at worst; contracts that people write are far shorter.
MAX_COMPARED_LINES = 5_000


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line: ``same``, ``added``, ``removed``, or ``gap`` for lines left out."""

    kind: str
    old: int | None
    new: int | None
    text: str


def diff_of(before: str, after: str) -> list[DiffLine] | None:
    """The lines of a unified diff; None when the sources are too long to compare."""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > MAX_COMPARED_LINES:
        return None
    lines: list[DiffLine] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(_CONTEXT)):
        if number:
            lines.append(DiffLine("gap", None, None, "…"))
        for tag, a, b, c, d in group:
            if tag == "equal":
                lines += [DiffLine("same", a + i + 1, c + i + 1, old[a + i]) for i in range(b - a)]
                continue
            lines += [DiffLine("removed", i + 1, None, old[i]) for i in range(a, b)]
            lines += [DiffLine("added", None, i + 1, new[i]) for i in range(c, d)]
    return lines
