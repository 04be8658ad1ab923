"""Chance from a seed, one stream of it for each purpose.

A purpose has its own stream so that one more draw for one of them changes none of the others.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random


def chance(seed: int, purpose: str) -> Random:
    """The stream of a purpose; the same on every machine, whatever ``PYTHONHASHSEED``."""
    digest = blake2b(f"{seed}/{purpose}".encode(), digest_size=32).digest()
    return Random(int.from_bytes(digest, "big"))
