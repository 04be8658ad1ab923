"""Hostile bytes for decoders, quickly made: mutations of what real peers said, the same each time.

Hypothesis finds the odd case and shrinks it; for tens of thousands of cases of each decoder it is
too slow. Here a seed gives a stream of cases, and a failing one is told by its number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

VECTORS = Path(__file__).parents[2] / "specs" / "vectors"

# Longer strings are whole sessions and blocks, of which mutations seldom hit the structure.
MAX_SAMPLE_BYTES = 1024

# Lengths at the edges of compact encoding, MessagePack and protobuf, and absurd ones.
_BOMBS = tuple(
    bytes.fromhex(text)
    for text in (
        *("fc", "fdffff", "feffffffff", "ffffffffffffff1f00", "ffffffffffffffffff"),
        *("c4ff", "c6ffffffff", "ddffffffff", "dfffffffff", "dbffffffff", "c9ffffffff00"),
        *("ffffffffffffffffff01", "ffffffff0f", "80" * 12, "91" * 40, "81a161" * 40),
    )
)


@cache
def samples() -> tuple[bytes, ...]:
    """Every byte string of the vectors, each once, in order."""
    found: dict[bytes, None] = {}
    for path in sorted(VECTORS.glob("*.json")):
        for text in _texts(json.loads(path.read_text())):
            try:
                data = bytes.fromhex(text)
            except ValueError:
                continue
            if 0 < len(data) <= MAX_SAMPLE_BYTES:
                found[data] = None
    return tuple(found)


def mutations(seeds: tuple[bytes, ...], count: int, seed: int) -> Iterator[bytes]:
    """``count`` hostile strings made of ``seeds``."""
    rolls = Random(seed)
    for _ in range(count):
        yield mutate(rolls.choice(seeds), rolls)


def mutate(data: bytes, rolls: Random) -> bytes:
    """A hostile string made of this one, by one to eight changes."""
    changed = bytearray(data)
    for _ in range(rolls.choice((1, 1, 1, 2, 3, 8))):
        _MUTATIONS[rolls.randrange(len(_MUTATIONS))](changed, rolls)
    return bytes(changed)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)


def _place(data: bytearray, rolls: Random) -> int:
    # Structure is at the beginning; what follows is mostly keys and hashes.
    end = len(data) + 1
    return rolls.randrange(min(end, 16)) if rolls.random() < 0.5 else rolls.randrange(end)


def _flip(data: bytearray, rolls: Random) -> None:
    if data:
        data[_place(data, rolls) % len(data)] ^= 1 << rolls.randrange(8)


def _set(data: bytearray, rolls: Random) -> None:
    if data:
        data[_place(data, rolls) % len(data)] = rolls.choice((0, 1, 0x7F, 0x80, 0xFC, 0xFF))


def _cut(data: bytearray, rolls: Random) -> None:
    del data[_place(data, rolls) :]


def _remove(data: bytearray, rolls: Random) -> None:
    start = _place(data, rolls)
    del data[start : start + rolls.choice((1, 2, 4, 32))]


def _insert(data: bytearray, rolls: Random) -> None:
    start = _place(data, rolls)
    data[start:start] = rolls.randbytes(rolls.choice((1, 2, 4, 33)))


def _bomb(data: bytearray, rolls: Random) -> None:
    start = _place(data, rolls)
    bomb = rolls.choice(_BOMBS)
    data[start : start + rolls.choice((0, 1, len(bomb)))] = bomb


def _repeat(data: bytearray, rolls: Random) -> None:
    start = _place(data, rolls)
    part = bytes(data[start : start + rolls.choice((1, 8, 40))])
    data[start:start] = part * rolls.choice((1, 3, 20))


def _grow(data: bytearray, rolls: Random) -> None:
    data += rolls.randbytes(rolls.randrange(1, 40))


_MUTATIONS = (_flip, _set, _cut, _remove, _insert, _bomb, _repeat, _grow)
