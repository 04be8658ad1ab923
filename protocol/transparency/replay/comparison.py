"""Comparing the writes a contract makes with the entries an executor published.

Pure rules on lists; which blocks belong to which ack is found in ``replay``. Databases of the
original get rules of their own: their order of changes depended on the locale of the machine, they
stored values the canonical form does not have, and they counted deletions without effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...encoding.msgpack import Value, pack, same_value, unpack_untrusted
from ...encoding.paths import format_key
from ...errors import DecodeError, LocalProtocolError
from ..changes import Change, Delete, Put, Write, write_of
from ..frauds import Violation, ViolationCode
from ..records import Ack
from .requests import IndexEntry


@dataclass(frozen=True, slots=True)
class Transaction:
    """One ack and what stands behind it.

    Attributes:
      seq: the index block of the ack.
      ack: the ack.
      entry: the ack's entry.
      entries: the blocks up to the next ack, or to the end of the index.
      at_end: whether the index ends behind ``entries``, so that more may follow.
    """

    seq: int
    ack: Ack
    entry: IndexEntry
    entries: Sequence[IndexEntry]
    at_end: bool

    @property
    def stop(self) -> int:
        """The index block after the transaction."""
        return self.seq + 1 + len(self.entries)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The entries so far are right, but more have to come."""

    reason: str


def compare_outcomes(transaction: Transaction, error: str | None, legacy: bool) -> Violation | None:
    """Compare how an operation ended, here (``error`` None: well) and by its ack.

    The texts of errors come from the engine; the original's was another, so only the fact counts
    there.
    """
    ack = transaction.ack
    if ack.success and error is not None:
        code = ViolationCode.MONITOR_APPLY_FAILED
        reason = "The ack reports success, but the contract fails."
    elif not ack.success and error is None:
        code = ViolationCode.OUTCOME_MISMATCH
        reason = "The ack reports a failure, but the contract succeeds."
    elif not legacy and ack.error != error:
        code = ViolationCode.OUTCOME_MISMATCH
        reason = "The ack reports another error than the contract's."
    else:
        return None
    return Violation(
        code,
        reason,
        seq=transaction.seq,
        actual=transaction.entry.write,
        expected_error=error,
        actual_error=ack.error,
    )


def compare_writes(
    expected: Sequence[Write], transaction: Transaction
) -> Violation | Unfinished | None:
    """Compare effective writes, in order, with the entries of a transaction, to the byte."""
    entries = transaction.entries
    claimed = transaction.ack.num_changes
    for position, write in enumerate(expected):
        if position >= len(entries):
            return _missing(write, transaction, len(expected))
        if entries[position].write != write:
            return _difference(position, expected, entries)
    if len(entries) > len(expected):
        return _surplus(entries[len(expected)])
    if claimed != len(expected):
        return _miscounted(transaction, len(expected))
    return None


def _difference(
    position: int, expected: Sequence[Write], entries: Sequence[IndexEntry]
) -> Violation:
    write, entry = expected[position], entries[position]
    key = write[0]
    if entry.key == key:
        return _mismatch(write, entry)
    if all(entry.key != other for other, _ in expected[position:]):
        return _surplus(entry)
    if all(key != other.key for other in entries[position:]):
        return Violation(
            ViolationCode.CHANGE_NOT_PRODUCED_BY_EXECUTOR,
            f"The contract writes {format_key(key)}, the executor left it out.",
            seq=entry.seq,
            expected=write,
            actual=entry.write,
        )
    return Violation(
        ViolationCode.CHANGES_OUT_OF_ORDER,
        f"{format_key(entry.key)} stands before {format_key(key)}, against the order of keys.",
        seq=entry.seq,
        expected=write,
        actual=entry.write,
    )


def _mismatch(write: Write, entry: IndexEntry) -> Violation:
    return Violation(
        ViolationCode.CHANGE_MISMATCH,
        f"The executor wrote another value at {format_key(entry.key)} than the contract.",
        seq=entry.seq,
        expected=write,
        actual=entry.write,
    )


def _surplus(entry: IndexEntry) -> Violation:
    """An entry that the ack counts and the contract does not make."""
    return Violation(
        ViolationCode.CHANGE_NOT_PRODUCED_BY_MONITOR,
        f"The executor wrote {format_key(entry.key)}, the contract does not.",
        seq=entry.seq,
        actual=entry.write,
    )


def _missing(write: Write, transaction: Transaction, expected_count: int) -> Violation | Unfinished:
    path = format_key(write[0])
    if transaction.ack.num_changes != expected_count:
        return _miscounted(transaction, expected_count)
    if transaction.at_end:
        return Unfinished(f"The index ends before the write of {path}, which its ack announces.")
    return Violation(
        ViolationCode.CHANGE_NOT_PRODUCED_BY_EXECUTOR,
        f"The contract writes {path}, the executor left it out.",
        seq=transaction.stop,
        expected=write,
    )


def _miscounted(transaction: Transaction, expected_count: int) -> Violation:
    return Violation(
        ViolationCode.NUM_CHANGES_MISMATCH,
        f"The ack counts {transaction.ack.num_changes} changes, the contract makes "
        f"{expected_count}.",
        seq=transaction.seq,
    )


# Databases of the original ------------------------------------------------------------------------


def legacy_writes(changes: Sequence[Change]) -> dict[bytes, tuple[Value, bool]]:
    """Give the value for each key, and whether it is a deletion; values are not packed.

    Raises:
      LocalProtocolError: a path that today's codec refuses.
    """
    writes: dict[bytes, tuple[Value, bool]] = {}
    for change in changes:
        if isinstance(change, Put):
            key, _ = write_of(Delete(change.path))
            writes[key] = (change.value, False)
        elif isinstance(change, Delete):
            key, _ = write_of(change)
            writes[key] = (None, True)
        else:
            key, packed = write_of(change)
            assert packed is not None, "these changes are no deletions"
            writes[key] = (unpack_untrusted(packed), False)
    return writes


def compare_legacy_writes(
    expected: dict[bytes, Value], requested: int, transaction: Transaction
) -> Violation | Unfinished | None:
    """Compare writes in any order.

    Args:
      expected: effective writes; a deletion and a put of null look the same.
      requested: number of keys that the contract changed, deletions of absent ones included.
    """
    missing = dict(expected)
    for entry in transaction.entries:
        if entry.key not in missing:
            return _surplus(entry)
        value = missing.pop(entry.key)
        if not _same_as_stored(value, entry.value):
            return _mismatch(_as_write(entry.key, value), entry)
    if transaction.ack.num_changes != requested:
        return _miscounted(transaction, requested)
    for key, value in missing.items():
        return _missing(_as_write(key, value), transaction, requested)
    return None


def _as_write(key: bytes, value: Value) -> Write:
    """The write as far as it can be shown: NaN and infinity have no packed form."""
    try:
        return key, None if value is None else pack(value)
    except LocalProtocolError:
        return key, None


def _same_as_stored(value: Value, stored: bytes | None) -> bool:
    if stored is None:
        return same_value(value, None)
    try:
        return same_value(value, unpack_untrusted(stored))
    except DecodeError:
        return False
