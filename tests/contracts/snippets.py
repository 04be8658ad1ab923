"""The one-feature programs of ``snippets.js``, by name."""

from __future__ import annotations

from pathlib import Path


def _read() -> dict[str, str]:
    text = Path(__file__).with_name("snippets.js").read_text()
    parts = text.split("\n//# ")[1:]
    return dict(part.rstrip().split("\n", 1) for part in parts)


SNIPPETS = _read()
