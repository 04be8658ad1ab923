"""The state of a replay read from the index itself, at the end of any transaction.

This lets a replay begin in the middle: for one operation alone, for a sample, or for a share of the
index in another process. What is read here is the executor's word. It is worth something once the
replay of everything before it ended in an equal state, or when only the operation itself is judged.

Like the readers of a Hyperbee these are generators: they yield the seq of a block they need.
"""

from __future__ import annotations

from ...encoding.paths import (
    ACK_SEQ_DIGITS,
    CONTRACT_SOURCE,
    GENESIS_ACK,
    INPUTS_PREFIX,
    ROLLBACK_PREFIX,
    ack_key,
)
from ...errors import RecordError
from ...hyperbee.ranges import Bounds, RangeReader
from ...hyperbee.reading import NO_BLOCKS, BlockReads, Blocks, Entry, get, read_block
from ..records import (
    Ack,
    GenesisAck,
    decode_ack_untrusted,
    decode_genesis_ack_untrusted,
    decode_input_untrusted,
    is_ack_key,
    parse_ack_key_untrusted,
)
from ..rollback import decode_vote_untrusted
from .state import FIRST_ENTRY_SEQ, ReplayState


def state_at(version: int, blocks: Blocks = NO_BLOCKS) -> BlockReads[ReplayState]:
    """Give the state of a replay that has come to block ``version``, where a transaction ends.

    Raises:
      RecordError: there is no genesis before it, or a record does not follow its schema.
      BeeBlockError: the tree at that version is broken.
    """
    genesis_entry = yield from get(version, GENESIS_ACK, blocks)
    source = yield from get(version, CONTRACT_SOURCE, blocks)
    if genesis_entry is None or source is None:
        raise RecordError(f"the genesis is not complete at index block {version}")
    genesis = decode_genesis_ack_untrusted(_value(genesis_entry))
    participants: dict[bytes, bool] = {}
    next_seqs: dict[bytes, int] = {}
    inputs = RangeReader(version, _below(INPUTS_PREFIX), blocks=blocks)
    while (entry := (yield from inputs.next())) is not None:
        record = decode_input_untrusted(entry.key, _value(entry))
        participants[record.public_key] = record.active
    for public_key in participants:
        seq = yield from _next_seq(version, public_key, blocks)
        if seq:
            next_seqs[public_key] = seq
    votes: dict[bytes, int] = {}
    cast = RangeReader(version, _below(ROLLBACK_PREFIX), blocks=blocks)
    while (entry := (yield from cast.next())) is not None:
        vote = decode_vote_untrusted(entry.key, _value(entry))
        if vote.target is not None and vote.against == source.seq:
            votes[vote.origin] = vote.target
    last_ack = yield from _ack_before(version, blocks)
    runtime_id = yield from _runtime_of(source.seq, genesis_entry.seq, genesis, blocks)
    return ReplayState(
        position=version,
        genesis_done=True,
        record_format=genesis.record_format,
        runtime_id=runtime_id,
        source_seq=source.seq,
        participants=participants,
        next_seqs=next_seqs,
        last_ts=0 if last_ack is None else last_ack.ts,
        operations=sum(next_seqs.values()),
        votes=votes,
    )


def runtime_at(version: int, blocks: Blocks = NO_BLOCKS) -> BlockReads[str | None]:
    """Give the runtime of the source in force; None in databases of the original.

    Raises:
      RecordError: there is no genesis before it, or a record does not follow its schema.
      BeeBlockError: the tree at that version is broken.
    """
    genesis = yield from get(version, GENESIS_ACK, blocks)
    source = yield from get(version, CONTRACT_SOURCE, blocks)
    if genesis is None or source is None:
        raise RecordError(f"the genesis is not complete at index block {version}")
    record = decode_genesis_ack_untrusted(_value(genesis))
    return (yield from _runtime_of(source.seq, genesis.seq, record, blocks))


def _runtime_of(
    source_seq: int, genesis_seq: int, genesis: GenesisAck, blocks: Blocks
) -> BlockReads[str | None]:
    """The runtime that the transaction with the source at a block names; the genesis is one too."""
    if source_seq <= genesis_seq:
        return genesis.runtime_id
    ack = yield from _ack_before(source_seq, blocks)
    return None if ack is None else ack.runtime_id


def transaction_start(
    seq: int, blocks: Blocks = NO_BLOCKS, lowest: int = FIRST_ENTRY_SEQ
) -> BlockReads[int]:
    """Give the block of the ack of the transaction that block ``seq`` belongs to.

    For a block of the genesis this is the first block of the index; and ``lowest`` if no ack stands
    above that.

    Raises:
      BeeBlockError: a block is none of a Hyperbee.
    """
    while seq > lowest:
        block = yield from read_block(seq, seq + 1, blocks)
        if is_ack_key(block.key) and block.key != GENESIS_ACK:
            return seq
        seq -= 1
    return lowest


def _ack_before(seq: int, blocks: Blocks) -> BlockReads[Ack | None]:
    """The ack of the transaction whose part block ``seq - 1`` is; None in the genesis."""
    start = yield from transaction_start(seq - 1, blocks)
    if start == FIRST_ENTRY_SEQ:
        return None
    block = yield from read_block(start, start + 1, blocks)
    return decode_ack_untrusted(block.value or b"")


def _next_seq(version: int, public_key: bytes, blocks: Blocks) -> BlockReads[int]:
    prefix = ack_key(public_key, 0)[:-ACK_SEQ_DIGITS]
    acks = RangeReader(version, _below(prefix), reverse=True, limit=1, blocks=blocks)
    entry = yield from acks.next()
    return 0 if entry is None else parse_ack_key_untrusted(entry.key)[1] + 1


def _below(prefix: bytes) -> Bounds:
    """The keys that begin with a prefix that ends in a separator."""
    return Bounds(gte=prefix, lt=prefix[:-1] + b"\x01")


def _value(entry: Entry) -> bytes:
    if entry.value is None:
        raise RecordError(f"index block {entry.seq} holds no value")
    return entry.value
