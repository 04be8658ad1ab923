"""Rules 1 to 4 and 8 of the replay: what an ack must be before its operation is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...encoding.paths import ACKS_PREFIX, CONTRACT_SOURCE, GENESIS_ACK, format_key
from ...errors import RecordError
from ..frauds import Violation, ViolationCode
from ..operations import plain_value_untrusted
from ..records import Ack, decode_ack_untrusted, parse_ack_key_untrusted
from .requests import IndexEntry
from .stop import Broken


@dataclass(slots=True)
class Members:
    """Who may write, and what comes next, at one point of the index.

    Attributes:
      participants: public keys ever admitted, and whether their operations count.
      next_seqs: per oplog the number of its next operation; 0 where it is not listed.
      last_ts: ``ts`` of the ack before.
      legacy: whether the database was made by the original.
    """

    participants: Mapping[bytes, bool]
    next_seqs: dict[bytes, int]
    last_ts: int
    legacy: bool


def begins_transaction(key: bytes) -> bool:
    """Whether the key is that of an ack, even of an impossible one: no contract writes it."""
    return key.startswith(ACKS_PREFIX)


def check_ack(entry: IndexEntry, members: Members) -> Ack:
    """Decode the entry of an ack, check rules 1 to 4, and move ``members`` past it.

    Raises:
      Broken: a rule is broken.
    """
    ack = _read_ack(entry, members.legacy)
    shown = f"Operation {ack.seq} of oplog {ack.origin.hex()}"
    if not members.participants.get(ack.origin, False):
        raise _broken(
            ViolationCode.NON_PARTICIPANT,
            f"{shown} was executed for a non-participant.",
            entry,
            ack,
        )
    expected = members.next_seqs.get(ack.origin, 0)
    if ack.seq != expected:
        raise _broken(
            ViolationCode.PROCESSED_OUT_OF_ORDER,
            f"{shown} was executed where operation {expected} was next.",
            entry,
            ack,
        )
    if not members.legacy and ack.ts < members.last_ts:
        raise _broken(
            ViolationCode.TIMESTAMP_DECREASED,
            f"{shown} is dated {members.last_ts - ack.ts} ms before the operation ahead of it.",
            entry,
            ack,
        )
    members.next_seqs[ack.origin] = ack.seq + 1
    members.last_ts = ack.ts
    return ack


def check_runtime(entry: IndexEntry, ack: Ack, sets_source: bool) -> None:
    """Rule 8: the ack of an operation that sets a source names its runtime, no other ack does.

    Raises:
      Broken: it does not.
    """
    if sets_source is (ack.runtime_id is None):
        reason = (
            f"The operation sets {format_key(CONTRACT_SOURCE)}, its ack names no runtime for it."
            if sets_source
            else "The ack names a runtime, but its operation sets no contract source."
        )
        raise _broken(ViolationCode.INVALID_SCHEMA, reason, entry, ack)


def _read_ack(entry: IndexEntry, legacy: bool) -> Ack:
    if entry.key == GENESIS_ACK or not begins_transaction(entry.key):
        raise _unexpected(entry)
    try:
        origin, seq = parse_ack_key_untrusted(entry.key)
    except RecordError:
        raise _unexpected(entry) from None
    if entry.value is None:
        raise _invalid(entry, "An ack was deleted.")
    try:
        ack = decode_ack_untrusted(entry.value)
    except RecordError as error:
        raise _invalid(entry, f"An ack does not follow its schema: {error}.") from None
    if (ack.origin, ack.seq) != (origin, seq):
        raise _invalid(entry, "An ack stands under the key of another operation.")
    if not legacy and ack.op_hash is None:
        raise _invalid(entry, "An ack does not name its operation by hash.")
    if not legacy:
        try:
            plain_value_untrusted(ack.metadata)
        except RecordError as error:
            raise _invalid(entry, f"The metadata of an ack cannot be: {error}.") from None
    return ack


def _broken(code: ViolationCode, reason: str, entry: IndexEntry, ack: Ack) -> Broken:
    return Broken(
        Violation(
            code,
            reason,
            seq=entry.seq,
            ack_seq=entry.seq,
            origin=ack.origin,
            op_seq=ack.seq,
            actual=entry.write,
        )
    )


def _unexpected(entry: IndexEntry) -> Broken:
    reason = f"{format_key(entry.key)} stands where only an ack may follow."
    return Broken(
        Violation(ViolationCode.UNEXPECTED_PATH, reason, seq=entry.seq, actual=entry.write)
    )


def _invalid(entry: IndexEntry, reason: str) -> Broken:
    return Broken(
        Violation(ViolationCode.INVALID_SCHEMA, reason, seq=entry.seq, actual=entry.write)
    )
