"""Where a replay stands between two transactions, and how that is kept in a checkpoint.

A checkpoint is our own file, but a file may be damaged or swapped, so it is decoded as if it came
from a stranger. It says nothing of the head it was made under; whoever stores it binds it to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ...encoding.msgpack import Value, pack, unpack_untrusted
from ...encoding.paths import MAX_ACK_SEQ, PUBLIC_KEY_BYTES
from ...errors import DecodeError, RecordError
from ...limits import MAX_LOG_LENGTH_BLOCKS, MAX_SAFE_INTEGER

CHECKPOINT_FORMAT: Final = 1

# Block 0 of the index is the Hyperbee's header.
FIRST_ENTRY_SEQ: Final = 1


@dataclass(frozen=True, slots=True)
class ReplayState:
    """Everything a replay needs to go on, at the end of a transaction.

    Attributes:
      position: the next index block to look at.
      genesis_done: whether the genesis lies before ``position``.
      record_format: form of the records, 0 for databases of the original.
      runtime_id: the runtime of the source in force, None in databases of the original.
      source_seq: the index block that holds the source in force.
      participants: public keys ever admitted, and whether their operations count now.
      next_seqs: per oplog the number of the next operation; 0 where it is not listed.
      last_ts: ``ts`` of the last ack.
      operations: number of operations replayed since the genesis.
      votes: per oplog the index block of the earlier source it votes for; only votes against the
        source in force (``rollback``).
    """

    position: int = FIRST_ENTRY_SEQ
    genesis_done: bool = False
    record_format: int = 0
    runtime_id: str | None = None
    source_seq: int = 0
    participants: Mapping[bytes, bool] = field(default_factory=dict)
    next_seqs: Mapping[bytes, int] = field(default_factory=dict)
    last_ts: int = 0
    operations: int = 0
    votes: Mapping[bytes, int] = field(default_factory=dict)

    @property
    def legacy(self) -> bool:
        """Whether the database was made by the original."""
        return self.record_format == 0

    def is_active(self, public_key: bytes) -> bool:
        """Whether the operations of this oplog count now."""
        return self.participants.get(public_key, False)

    def next_seq(self, public_key: bytes) -> int:
        """The number of the operation of this oplog that has to come next."""
        return self.next_seqs.get(public_key, 0)


START: Final = ReplayState()
"""Nothing replayed yet."""


def encode_state(state: ReplayState) -> bytes:
    """Encode a state for a checkpoint."""
    return pack(
        {
            "checkpoint": CHECKPOINT_FORMAT,
            "position": state.position,
            "genesisDone": state.genesis_done,
            "recordFormat": state.record_format,
            "runtime": state.runtime_id,
            "sourceSeq": state.source_seq,
            "participants": [[key, active] for key, active in sorted(state.participants.items())],
            "nextSeqs": [[key, seq] for key, seq in sorted(state.next_seqs.items())],
            "lastTs": state.last_ts,
            "operations": state.operations,
            "votes": [[key, target] for key, target in sorted(state.votes.items())],
        }
    )


def decode_state_untrusted(data: bytes) -> ReplayState:
    """Decode a state from a checkpoint.

    Raises:
      RecordError: not a checkpoint, of another format, or a field is out of range.
    """
    try:
        document = unpack_untrusted(data)
    except DecodeError as error:
        raise RecordError(f"not a checkpoint: {error}") from error
    if not isinstance(document, dict) or document.get("checkpoint") != CHECKPOINT_FORMAT:
        raise RecordError("not a checkpoint of this format")
    runtime_id = document.get("runtime")
    if runtime_id is not None and not isinstance(runtime_id, str):
        raise RecordError("a checkpoint's runtime is not text")
    genesis_done = document.get("genesisDone")
    if not isinstance(genesis_done, bool):
        raise RecordError("a checkpoint does not say whether the genesis is done")
    participants: dict[bytes, bool] = {}
    for key, active in _pairs(document.get("participants")):
        if not isinstance(active, bool):
            raise RecordError("a checkpoint's participant is neither active nor not")
        participants[key] = active
    return ReplayState(
        position=_count(document.get("position"), MAX_LOG_LENGTH_BLOCKS),
        genesis_done=genesis_done,
        record_format=_count(document.get("recordFormat"), MAX_SAFE_INTEGER),
        runtime_id=runtime_id,
        source_seq=_count(document.get("sourceSeq"), MAX_LOG_LENGTH_BLOCKS),
        participants=participants,
        next_seqs={
            key: _count(seq, MAX_ACK_SEQ + 1) for key, seq in _pairs(document.get("nextSeqs"))
        },
        last_ts=_count(document.get("lastTs"), MAX_SAFE_INTEGER),
        operations=_count(document.get("operations"), MAX_LOG_LENGTH_BLOCKS),
        votes={
            key: _count(target, MAX_LOG_LENGTH_BLOCKS)
            for key, target in _pairs(document.get("votes"))
        },
    )


def _pairs(value: Value) -> list[tuple[bytes, Value]]:
    if not isinstance(value, list):
        raise RecordError("a checkpoint's table is not a list")
    pairs: list[tuple[bytes, Value]] = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise RecordError("a checkpoint's table has a row that is no pair")
        key = pair[0]
        if not isinstance(key, bytes) or len(key) != PUBLIC_KEY_BYTES:
            raise RecordError("a checkpoint's table has a key that is no public key")
        pairs.append((key, pair[1]))
    return pairs


def _count(value: Value, largest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= largest:
        raise RecordError("a checkpoint's number is out of range")
    return value
