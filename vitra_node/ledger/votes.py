"""The votes of participants for an earlier contract source, as they stand in an index."""

from __future__ import annotations

from protocol.encoding.msgpack import pack
from protocol.encoding.paths import ROLLBACK_PREFIX
from protocol.transparency.rollback import decode_vote_untrusted

from .index import Index


async def standing_votes(index: Index, source_seq: int) -> dict[bytes, int]:
    """The block that each oplog votes for, where that vote is against the source in force.

    Oplogs that do not count now are among them.

    Raises:
      RecordError: the index holds something else where only votes stand.
    """
    votes: dict[bytes, int] = {}
    end = ROLLBACK_PREFIX[:-1] + b"\x01"
    async for key, _, value in index.entries(ROLLBACK_PREFIX, end):
        vote = decode_vote_untrusted(key, pack(value))
        if vote.target is not None and vote.against == source_seq:
            votes[vote.origin] = vote.target
    return votes
