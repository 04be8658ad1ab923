"""A sample of the operations of an index: which are taken, and what that is worth.

Who audits by sample decides by chance, and says by which: the same seed takes the same operations
for everyone, so a result can be checked. Of block *n* of the index

    hash    = BLAKE2b-256("vitra/sample/1" 0x00, key of the database, n as 8 bytes big endian, seed)
    taken   = the first 8 bytes of the hash, big endian, are less than P x 2^64

An operation is taken when the block of its ack is; then everything up to the next ack is replayed
with it, so every block behind the genesis belongs to exactly one operation. The genesis is always
taken. P is an IEEE double, and P x 2^64 is exact.

The seed must not be known to the executor before it has signed the head under which the sample is
drawn: who knows it knows where nobody will look.
"""

from __future__ import annotations

import math
from typing import Final

from ...crypto.hashes import blake2b_256
from ...encoding.paths import GENESIS_ACK
from ...errors import BeeBlockError
from ...hyperbee.reading import NO_BLOCKS, BlockReads, Blocks, read_block
from ...limits import MAX_CHANGES_PER_OPERATION
from ..records import is_ack_key
from ..replay.state import FIRST_ENTRY_SEQ

_DOMAIN: Final = b"vitra/sample/1\x00"


def sampled_blocks(
    key: bytes, seed: bytes, probability: float, start: int, length: int
) -> list[int]:
    """The blocks from ``start`` to before ``length`` that are taken, if acks stand in them.

    ``key`` is the database's; ``probability`` is over 0 and at most 1.
    """
    bound = int(probability * 2.0**64)
    prefix = _DOMAIN + key
    taken = []
    for seq in range(start, length):
        digest = blake2b_256(prefix + seq.to_bytes(8, "big") + seed)
        if int.from_bytes(digest[:8], "big") < bound:
            taken.append(seq)
    return taken


def sampled_part(seq: int, length: int, blocks: Blocks = NO_BLOCKS) -> BlockReads[int | None]:
    """Where the part of the index ends that is replayed for block ``seq``; None for no part.

    It has no part of its own if no ack stands in it. A block that is none of a Hyperbee has one, so
    that the replay finds it.
    """
    if seq == FIRST_ENTRY_SEQ:
        # The genesis ends with its own ack, so this is the first operation's.
        return (yield from _next_ack(seq + 1, length, blocks))
    if not (yield from _begins(seq, blocks)):
        return None
    # No operation has more changes: what stands behind them is found without knowing its end.
    nearest = min(length, seq + MAX_CHANGES_PER_OPERATION + 2)
    return (yield from _next_ack(seq + 1, nearest, blocks))


def _next_ack(seq: int, length: int, blocks: Blocks) -> BlockReads[int]:
    while seq < length and not (yield from _begins(seq, blocks)):
        seq += 1
    return seq


def _begins(seq: int, blocks: Blocks) -> BlockReads[bool]:
    """Whether an ack of an operation stands in a block, or what is no entry at all."""
    try:
        block = yield from read_block(seq, seq + 1, blocks)
    except BeeBlockError:
        return True
    return is_ack_key(block.key) and block.key != GENESIS_ACK


def chance_to_see(probability: float, altered: int) -> float:
    """The probability that a sample has at least one of so many altered operations."""
    return (
        -math.expm1(altered * math.log1p(-probability)) if probability < 1 else float(altered > 0)
    )


def altered_for(probability: float, chance: float) -> int:
    """How many altered operations a sample sees one of with at least this chance, under 1."""
    if probability >= 1:
        return 1
    return max(1, math.ceil(math.log1p(-chance) / math.log1p(-probability)))
