"""Records of the layers above, in named tables of the same environment.

They are committed like blocks, and ``Hypercore.append(…, also=…)`` commits them together with
blocks: what an executor remembers about its work is true exactly when the work is stored.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import RecordTooLarge
from .committer import Committer
from .environment import MAX_KEY_BYTES, Environment, Writes, prefix_range
from .schema import RECORD_TABLE

MAX_TABLE_NAME_BYTES = 64
MAX_RECORD_KEY_BYTES = MAX_KEY_BYTES - len(RECORD_TABLE) - 1 - MAX_TABLE_NAME_BYTES

# Values share transactions with blocks and are read whole.
MAX_RECORD_VALUE_BYTES = 16 * 1024 * 1024

Record = tuple[bytes, bytes | None]
"""A key and value of the environment, for ``Hypercore.append``; None deletes."""


class Records:
    """All tables of a store."""

    def __init__(self, environment: Environment, committer: Committer) -> None:
        self._environment = environment
        self._committer = committer

    def table(self, name: str) -> RecordTable:
        """The table of this name, at most 64 bytes of UTF-8. It exists once it has a record."""
        return RecordTable(self._environment, self._committer, name)

    async def write(self, records: Iterable[Record]) -> None:
        """Commit records made by ``RecordTable.record`` of any tables; durable on return.

        Raises:
          StoreReadOnly, StoreClosed: nothing can be written.
        """
        await self._committer.commit(as_writes(records))

    def submit(self, records: Iterable[Record]) -> None:
        """The same without waiting: they are durable soon, at the latest when the store closes."""
        self._committer.submit(as_writes(records))


class RecordTable:
    """One table: keys of at most ``MAX_RECORD_KEY_BYTES``, ordered as bytes, with their values."""

    def __init__(self, environment: Environment, committer: Committer, name: str) -> None:
        self._environment = environment
        self._committer = committer
        self._prefix = table_prefix(name)

    def get(self, key: bytes) -> bytes | None:
        """The durable value of a key, or None."""
        return self._environment.get(self._prefix + key)

    def items(
        self,
        start: bytes = b"",
        end: bytes | None = None,
        *,
        limit: int | None = None,
        reverse: bool = False,
    ) -> list[tuple[bytes, bytes]]:
        """Durable pairs with ``start`` <= key < ``end`` (None: to the end), in order of keys."""
        size = len(self._prefix)
        last = prefix_range(self._prefix).end if end is None else self._prefix + end
        found = self._environment.items(self._prefix + start, last, limit=limit, reverse=reverse)
        return [(key[size:], value) for key, value in found]

    def record(self, key: bytes, value: bytes | None) -> Record:
        """A record to be committed with others; None deletes.

        Raises:
          RecordTooLarge: the key or value is over its limit.
        """
        if len(key) > MAX_RECORD_KEY_BYTES:
            raise RecordTooLarge(f"a key of {len(key)} bytes is over {MAX_RECORD_KEY_BYTES}")
        if value is not None and len(value) > MAX_RECORD_VALUE_BYTES:
            raise RecordTooLarge(f"a value of {len(value)} bytes is over {MAX_RECORD_VALUE_BYTES}")
        return self._prefix + key, value

    async def put(self, key: bytes, value: bytes) -> None:
        """Set one value; durable on return. Raises like ``record`` and ``Records.write``."""
        await self._committer.commit(as_writes([self.record(key, value)]))

    async def delete(self, key: bytes) -> None:
        """Remove one key, if it is there; durable on return. Raises like ``put``."""
        await self._committer.commit(as_writes([self.record(key, None)]))


def table_prefix(name: str) -> bytes:
    """What the keys of all records of a table begin with."""
    encoded = name.encode()
    if not 0 < len(encoded) <= MAX_TABLE_NAME_BYTES:
        raise RecordTooLarge(f"the name of a table has 1 to {MAX_TABLE_NAME_BYTES} bytes")
    return RECORD_TABLE + bytes((len(encoded),)) + encoded


def as_writes(records: Iterable[Record]) -> Writes:
    """The instructions for a transaction that writes records."""
    writes = Writes()
    for key, value in records:
        if value is None:
            writes.delete(key)
        else:
            writes.put(key, value)
    return writes
