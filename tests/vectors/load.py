"""Reads the byte vectors that specs/ publishes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parents[2] / "specs" / "vectors"


@cache
def load_vectors(name: str) -> Any:
    """The parsed content of ``specs/vectors/<name>.json``."""
    return json.loads((VECTORS / f"{name}.json").read_text())
