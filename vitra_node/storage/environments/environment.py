"""``Environment``: ordered keys and values, read at once, written in transactions.

Everything a store holds lies in one key space, so that one transaction can cover all that must be
true together. There are two kinds: ``LmdbEnvironment`` (one file, survives power loss) and
``MemoryEnvironment`` (the same semantics without a disk).

Threads: reads are short and belong to the thread of the event loop; none is open across an
``await``. ``write`` is called by one thread at a time, which may be another one. ``grow`` belongs
to the thread of the reads, which is how it can know that no read is open.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from ..errors import StoreVersionError
from .standing_view import StandingView

T = TypeVar("T")

# LMDB's own limit in its usual build; memory keeps the same one.
MAX_KEY_BYTES = 511

SCHEMA_VERSION = 1
_SCHEMA_KEY = b"\x00schema"


class KeyRange(NamedTuple):
    """All keys from ``start`` up to and without ``end``."""

    start: bytes
    end: bytes

    @property
    def is_one_key(self) -> bool:
        """Whether there is but one key that it can hold."""
        return self.end == self.start + b"\x00"


class Writes:
    """Instructions for one transaction, carried out in the order they were given.

    Attributes:
      steps: runs of pairs to put, and ranges to delete.
      size_bytes: sum of the sizes of keys and values to put.
      complete: adds what is still missing; None when nothing is. May take its time, so it is called
        in a thread; raises a StorageError if that cannot be had.
    """

    __slots__ = ("_run", "complete", "size_bytes", "steps")

    def __init__(self) -> None:
        self.steps: list[list[tuple[bytes, bytes]] | KeyRange] = []
        self.size_bytes = 0
        self.complete: Callable[[], None] | None = None
        self._run: list[tuple[bytes, bytes]] | None = None

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        run = self._run
        if run is None:
            self._run = run = []
            self.steps.append(run)
        run.append((key, value))
        self.size_bytes += len(key) + len(value)

    def put_rows(self, rows: list[tuple[bytes, bytes]], size_bytes: int) -> None:
        """Set many values; ``size_bytes`` is about the sum of their sizes."""
        if self._run is None:
            self._run = []
            self.steps.append(self._run)
        self._run += rows
        self.size_bytes += size_bytes

    def delete(self, key: bytes) -> None:
        """Remove one key, if it is there."""
        self.delete_range(key, key + b"\x00")

    def delete_range(self, start: bytes, end: bytes) -> None:
        """Remove all keys from ``start`` up to and without ``end``."""
        self.steps.append(KeyRange(start, end))
        self._run = None

    def extend(self, other: Writes) -> None:
        """Add the instructions of ``other`` behind these."""
        self.steps.extend(other.steps)
        self.size_bytes += other.size_bytes
        self._run = None

    @property
    def deletes_ranges(self) -> bool:
        """Whether more than single keys are removed."""
        return any(isinstance(step, KeyRange) and not step.is_one_key for step in self.steps)

    def __bool__(self) -> bool:
        return bool(self.steps)


class Environment(ABC):
    """Ordered keys and values; see the module for what may be called from where."""

    waits_for_disk: bool
    """Whether ``write`` can block, so that it may need a thread of its own."""

    def is_short(self, batches: Sequence[Writes]) -> bool:
        """Whether writing these blocks so briefly that no other thread is worth waking for it."""
        return not self.waits_for_disk

    @abstractmethod
    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None.

        Raises:
          StorageError: the file is damaged or was closed.
        """

    def run_of_values(self, keys: Iterable[bytes], max_bytes: int) -> list[bytes]:
        """The values of these keys, in their order, up to the first that has none.

        No more of them follow once they are ``max_bytes`` together.

        Raises:
          StorageError: the file is damaged or was closed.
        """
        return values_until(self.get, keys, max_bytes)

    @abstractmethod
    def items(
        self, start: bytes, end: bytes, *, limit: int | None = None, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Pairs with ``start`` <= key < ``end`` in order of keys, at most ``limit`` of them.

        ``reverse`` begins at the greatest key.

        Raises:
          StorageError: the file is damaged or was closed.
        """

    @abstractmethod
    def write(self, batches: Sequence[Writes]) -> None:
        """Carry out all batches in order as one transaction; they are durable on return.

        Raises:
          EnvironmentFull: nothing was written; call ``grow`` and repeat.
          StorageError: nothing was written, and the disk is not to be trusted any more.
        """

    def settle(self) -> None:  # noqa: B027  (most kinds have nothing to do)
        """After each ``write`` that succeeded, from the thread of the reads: they show it now.

        Some kinds show it as soon as it is written.
        """

    @abstractmethod
    def view(self) -> StandingView:
        """Everything as it is now. No write may be under way; the caller closes the view.

        Raises:
          StorageError: the file is damaged or was closed.
        """

    @abstractmethod
    def grow(self) -> None:
        """Make room for a larger transaction. No read may be open.

        Raises:
          StorageError: there is no more room.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the file; everything written is already durable."""


def check_schema(environment: Environment) -> None:
    """Mark a fresh environment with our schema version, or refuse one that we do not know.

    Raises:
      StoreVersionError: it was written by another version.
    """
    found = environment.get(_SCHEMA_KEY)
    if found is None:
        # Below 0x01 is what kinds of environment note about themselves.
        if environment.items(b"\x01", b"\xff", limit=1):
            raise StoreVersionError("the data file is not one of this program")
        writes = Writes()
        writes.put(_SCHEMA_KEY, SCHEMA_VERSION.to_bytes(4, "big"))
        environment.write([writes])
    elif found != SCHEMA_VERSION.to_bytes(4, "big"):
        version = int.from_bytes(found, "big")
        raise StoreVersionError(
            f"the data file has form {version}, this program knows form {SCHEMA_VERSION}"
        )


def values_until(
    get: Callable[[T], bytes | None], keys: Iterable[T], max_bytes: int
) -> list[bytes]:
    """``Environment.run_of_values``, by what gives the value of one key."""
    values: list[bytes] = []
    size = 0
    for key in keys:
        value = get(key)
        if value is None:
            break
        values.append(value)
        size += len(value)
        if size >= max_bytes:
            break
    return values


def prefix_range(prefix: bytes) -> KeyRange:
    """The range of all keys that begin with ``prefix``, which is not all 0xff."""
    stripped = prefix.rstrip(b"\xff")
    return KeyRange(prefix, stripped[:-1] + bytes((stripped[-1] + 1,)))
