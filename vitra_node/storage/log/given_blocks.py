"""Blocks as programs give them: one or several, of any type that holds bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import BlockTooLarge

_BYTES = (bytes, bytearray, memoryview)


def as_blocks(blocks: bytes | Sequence[bytes], limit_bytes: int) -> list[bytes]:
    """A list of them.

    Raises:
      BlockTooLarge: one has more than ``limit_bytes``.
      TypeError: one is not bytes.
    """
    given: Iterable[object] = [blocks] if isinstance(blocks, _BYTES) else blocks
    new = [block if type(block) is bytes else _as_bytes(block) for block in given]
    for block in new:
        if len(block) > limit_bytes:
            raise BlockTooLarge(f"a block of {len(block)} bytes is over {limit_bytes}")
    return new


def _as_bytes(block: object) -> bytes:
    if isinstance(block, _BYTES):
        return bytes(block)
    raise TypeError(f"a block is bytes, not {type(block).__name__}")
