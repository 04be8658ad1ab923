"""What a contract's ``apply`` may change, and the index writes each change stands for.

Executor and monitor share these definitions, so that they cannot differ. A change is what the
contract asked for; a write is a key with its packed value, or with None for a deletion. Writes are
ordered by the bytes of their keys. See specs/10-auditing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..encoding.msgpack import pack
from ..encoding.paths import CONTRACT_SOURCE, input_key, parse_write_path
from ..errors import LocalProtocolError
from ..limits import MAX_CHANGE_BYTES_PER_OPERATION, MAX_CHANGES_PER_OPERATION

Write: TypeAlias = tuple[bytes, bytes | None]
"""A key of the index and its new packed value; None deletes the key."""


@dataclass(frozen=True)
class Put:
    """Set the value at a path. ``value`` is anything that ``pack`` takes."""

    path: str
    value: Any


@dataclass(frozen=True)
class Delete:
    """Remove the value at a path."""

    path: str


@dataclass(frozen=True)
class AddOplog:
    """Make an oplog a participant (again); ``public_key`` has 32 bytes."""

    public_key: bytes


@dataclass(frozen=True)
class RemoveOplog:
    """Take the right to write from an oplog; ``public_key`` has 32 bytes."""

    public_key: bytes


@dataclass(frozen=True)
class SetSource:
    """Replace the contract's source; the operations after it run under the new one."""

    code: str


Change: TypeAlias = Put | Delete | AddOplog | RemoveOplog | SetSource


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation comes to, on every machine the same.

    Attributes:
      error: None when the operation succeeded, else the text of its failure.
      writes: the writes in the order of their keys, deletions of absent keys included; none
        when it failed.
    """

    error: str | None
    writes: tuple[Write, ...] = ()

    @property
    def success(self) -> bool:
        """Whether the operation succeeded."""
        return self.error is None


def write_of(change: Change) -> Write:
    """Give the index write that a change stands for.

    Raises:
      LocalProtocolError: the path may not be written, the value cannot be packed, a public key
        has the wrong length.
    """
    if isinstance(change, Put):
        return parse_write_path(change.path), pack(change.value)
    if isinstance(change, Delete):
        return parse_write_path(change.path), None
    if isinstance(change, AddOplog | RemoveOplog):
        active = isinstance(change, AddOplog)
        value = pack({"pubkey": change.public_key, "active": active})
        return input_key(change.public_key), value
    return CONTRACT_SOURCE, pack(change.code)


def outcome_of(error: str | None, changes: Iterable[Change]) -> Outcome:
    """Settle what ``apply`` gave: the one rule for executor and monitor.

    Of several changes to one key the last counts. A change that cannot be written makes the whole
    operation fail, with the reason as its error; so do more than ``MAX_CHANGES_PER_OPERATION``
    writes, or more than ``MAX_CHANGE_BYTES_PER_OPERATION`` of keys and values.
    """
    if error is not None:
        return Outcome(error)
    writes: dict[bytes, bytes | None] = {}
    try:
        for change in changes:
            key, value = write_of(change)
            writes[key] = value
    except LocalProtocolError as refusal:
        return Outcome(f"Error: {refusal}")
    if len(writes) > MAX_CHANGES_PER_OPERATION:
        return Outcome(f"Error: an operation makes at most {MAX_CHANGES_PER_OPERATION} changes")
    if sum(map(size_of, writes.items())) > MAX_CHANGE_BYTES_PER_OPERATION:
        limit = MAX_CHANGE_BYTES_PER_OPERATION
        return Outcome(f"Error: the changes of an operation have at most {limit} bytes")
    return Outcome(None, tuple(order_changes(writes)))


def size_of(write: Write) -> int:
    """Bytes of key and value."""
    key, value = write
    return len(key) + len(value or b"")


def order_changes(changes: Mapping[bytes, bytes | None]) -> list[Write]:
    """Order writes by the bytes of their keys, as they follow each other in the index."""
    return sorted(changes.items())


def effective_writes(writes: Iterable[Write], present: Callable[[bytes], bool]) -> list[Write]:
    """Leave out deletions of keys that the index does not hold: a Hyperbee writes no block for
    them, so the ack must not count them.

    ``present`` says whether a key is in the index just before the operation.
    """
    return [(key, value) for key, value in writes if value is not None or present(key)]
