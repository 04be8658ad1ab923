"""The one-feature programs of ``snippets.js`` and its neighbours, by name."""

from __future__ import annotations

from pathlib import Path


def _read(file: str) -> dict[str, str]:
    text = Path(__file__).with_name(file).read_text()
    parts = text.split("\n//# ")[1:]
    return dict(part.rstrip().split("\n", 1) for part in parts)


# Their results are those of Node.
SNIPPETS = {**_read("snippets.js"), **_read("pattern_snippets.js")}
# Refused, by name with the place: ``bigint 1:8``.
REFUSED_SNIPPETS = _read("refused.js")
