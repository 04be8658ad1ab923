"""What stands at a key, or that nothing does, shown by the blocks on the way through the tree.

The blocks are those that a search for the key reads, in the version that a signed head of the log
speaks about (``version`` is that head's length). Where the way ends in a leaf without the key, the
writer has no entry for it: a proof of absence is made, and checked, as one of presence. What the
blocks are worth is for the caller to see: each needs its Merkle path to that signed head.

specs/06-hyperbee.md, "Proofs of a key".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import BeeBlockError
from .reading import Entry, Recording, get, run


def prove_key(version: int, key: bytes, read: Callable[[int], bytes]) -> dict[int, bytes]:
    """The raw blocks, by seq, on which the answer for ``key`` depends; empty for an empty tree.

    Raises:
      BeeBlockError: what ``read`` gives is not a Hyperbee.
    """
    recording = Recording(read)
    run(get(version, key), recording.fetch)
    return recording.blocks


def check_key_untrusted(version: int, key: bytes, blocks: Mapping[int, bytes]) -> Entry | None:
    """The entry of ``key`` in ``version``, or None where the blocks show that there is none.

    Raises:
      BeeBlockError: a block on the way is missing or malformed, or one is not on the way.
    """

    def read(seq: int) -> bytes:
        block = blocks.get(seq)
        if block is None:
            raise BeeBlockError(f"block {seq} is on the way to the key, and not in the proof")
        return block

    recording = Recording(read)
    entry = run(get(version, key), recording.fetch)
    if len(recording.blocks) != len(blocks):
        raise BeeBlockError("the proof holds blocks that are not on the way to the key")
    return entry
