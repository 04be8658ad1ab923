"""The one-feature programs of ``one_feature/``, run here and in Node, by name.

Each is the body of an async function that returns a JSON value. What it returns or throws must be
the same in both; texts of errors may differ, names not. ``//# name`` begins the next.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


def _read(path: Path) -> dict[str, str]:
    parts = path.read_text().split("\n//# ")[1:]
    return dict(part.rstrip().split("\n", 1) for part in parts)


def _all() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((_FOLDER / "one_feature").glob("*.js")):
        snippets = _read(path)
        assert not found.keys() & snippets.keys(), path
        found |= snippets
    return found


# Their results are those of Node.
SNIPPETS = _all()
# Refused, by name with the place: ``bigint 1:8``.
REFUSED_SNIPPETS = _read(_FOLDER / "refused.js")
