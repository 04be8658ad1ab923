"""Rollback: participants bring back an earlier contract source without calling the present one.

A contract that cannot run any more cannot be replaced by an operation that it would have to apply.
So operations whose ``op`` begins with ``/.sys/`` are the protocol's own and no contract is given
them. There is one: ``{op: "/.sys/rollback", to: N}`` votes for the source that index block N holds.
The rule, for executor and monitor alike (specs/10-auditing.md section 10.10):

    The vote is stored under the voter's key, together with the block of the source in force: it is
    a vote against that source, and counts as long as that is in force and its oplog is active. A
    later vote of the same oplog replaces it; ``to: null`` takes it back. When an operation casts a
    vote after which more than half of the active oplogs vote for one block, the same transaction
    sets the source to that block's value.

Nothing here runs a contract, and nothing depends on whether a source compiles on some machine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from ..encoding.msgpack import Value, pack, unpack_untrusted
from ..encoding.paths import CONTRACT_SOURCE, ROLLBACK_PREFIX, rollback_key
from ..errors import BeeBlockError, DecodeError, PathError, RecordError
from ..hyperbee.blocks import decode_block_untrusted
from ..limits import MAX_LOG_LENGTH_BLOCKS
from .changes import Outcome, Write
from .operations import Plain
from .records import decode_source_untrusted
from .replay.state import FIRST_ENTRY_SEQ

SYSTEM_OPERATIONS: Final = "/.sys/"
ROLLBACK: Final = "/.sys/rollback"


class Refused(Exception):
    """An operation of the protocol that fails; ``outcome`` has the text for its ack."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.outcome = Outcome(f"Error: {reason}")


@dataclass(frozen=True, slots=True)
class Vote:
    """A participant's vote as the index keeps it.

    Attributes:
      origin: public key of the oplog.
      target: the index block of the wanted source; None when the vote was taken back.
      against: the index block of the source that was in force.
    """

    origin: bytes
    target: int | None
    against: int


def rollback_operation(target: int | None) -> dict[str, Plain]:
    """The operation that votes for a source, or takes the vote back (None)."""
    return {"op": ROLLBACK, "to": target}


def is_system_operation(op: Value) -> bool:
    """Whether a decoded operation is the protocol's own."""
    name = op.get("op") if isinstance(op, dict) else None
    return isinstance(name, str) and name.startswith(SYSTEM_OPERATIONS)


def is_vote_key(key: bytes) -> bool:
    """Whether the key is that of a vote."""
    return key.startswith(ROLLBACK_PREFIX)


def read_rollback_untrusted(op: Value, version: int, source_seq: int) -> int | None:
    """The index block whose source a system operation asks for; None takes a vote back.

    Args:
      version: the length of the index before the operation.
      source_seq: the index block of the source in force.

    Raises:
      Refused: it is no rollback, or for a block that cannot be gone back to.
    """
    assert isinstance(op, dict), "only for system operations"
    name, target = op["op"], op.get("to", False)
    if name != ROLLBACK:
        raise Refused("there is no such operation of the protocol")
    if target is None:
        return None
    if not isinstance(target, int) or isinstance(target, bool):
        raise Refused("a rollback names an index block")
    if not FIRST_ENTRY_SEQ <= target < version:
        raise Refused(f"index block {target} holds no contract source")
    if target == source_seq:
        raise Refused(f"index block {target} holds the contract source in force")
    return target


def source_in_block_untrusted(target: int, block: bytes) -> bytes:
    """The packed contract source that an index block sets.

    Raises:
      Refused: it sets none.
    """
    try:
        entry = decode_block_untrusted(block, target)
        if entry.key == CONTRACT_SOURCE and entry.value is not None:
            decode_source_untrusted(entry.value)
            return entry.value
    except (BeeBlockError, RecordError):
        pass
    raise Refused(f"index block {target} holds no contract source")


def settle_rollback(
    origin: bytes,
    target: int | None,
    source: bytes,
    votes: Mapping[bytes, int],
    active: Collection[bytes],
    source_seq: int,
) -> Outcome:
    """What a vote comes to.

    Args:
      origin: whose vote it is.
      target: from ``read_rollback_untrusted``.
      source: from ``source_in_block_untrusted``; not looked at when ``target`` is None.
      votes: the votes against the source in force, also of oplogs that are not active.
      active: the oplogs whose operations count, ``origin`` among them.
      source_seq: the index block of the source in force.
    """
    key = rollback_key(origin)
    if target is None:
        return Outcome(None, ((key, None),))
    cast = {**votes, origin: target}
    agreeing = sum(cast.get(oplog) == target for oplog in active)
    writes: tuple[Write, ...] = ((key, pack({"to": target, "against": source_seq})),)
    if 2 * agreeing > len(active):
        # The key of the source sorts before those of the votes.
        writes = ((CONTRACT_SOURCE, source), *writes)
    return Outcome(None, writes)


def decode_vote_untrusted(key: bytes, value: bytes | None) -> Vote:
    """Decode a vote as it stands in the index; a deleted one has no target.

    Raises:
      RecordError: not a vote's key, not MessagePack, or a field is missing or out of range.
    """
    try:
        origin = bytes.fromhex(key.removeprefix(ROLLBACK_PREFIX).decode("ascii"))
        is_canonical = rollback_key(origin) == key
    except (ValueError, PathError):
        is_canonical = False
    if not is_canonical:
        raise RecordError("a vote stands under no public key")
    if value is None:
        return Vote(origin, None, 0)
    try:
        record = unpack_untrusted(value)
    except DecodeError as error:
        raise RecordError(f"a vote is not a value: {error}") from error
    if not isinstance(record, dict):
        raise RecordError("a vote is not a map")
    return Vote(origin, _block_number(record.get("to")), _block_number(record.get("against")))


def _block_number(value: Value) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RecordError("a vote names no index block")
    if not 0 <= value <= MAX_LOG_LENGTH_BLOCKS:
        raise RecordError("a vote names a block out of any index")
    return value
