"""Reading the index of a database: its paths and values, at one version or the newest.

Nothing here knows a store: the blocks may as well come out of a proof, or through a pipe.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

from protocol.encoding.msgpack import unpack_untrusted
from protocol.encoding.paths import (
    ACK_SEQ_DIGITS,
    CONTRACT_SOURCE,
    INPUTS_PREFIX,
    ack_key,
    format_key,
    input_key,
    list_prefix,
    parse_path,
)
from protocol.errors import PathError
from protocol.hyperbee import BlockReads, CacheRoom, Operation
from protocol.hyperbee import Entry as BeeEntry

from ..contracts.engine import Entry, ListOptions, Value
from ..errors import NotFound, UsageProblem
from ..storage.bee import tree as hyperbee_tree
from ..storage.bee.hyperbee import Hyperbee
from ..storage.bee.tree import BeeCore
from .listing import list_level

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One block of the index: a value put or deleted.

    Attributes:
      seq: the number of the block in the index log.
      type: ``"put"`` or ``"del"``.
      path: what it concerns.
      value: the new value, None for a deletion.
    """

    seq: int
    type: str
    path: str
    value: Value


class IndexCore(BeeCore, Protocol):
    """What an index needs of its log; a ``Hypercore`` is one."""

    @property
    def key(self) -> bytes:
        """The public key of the log."""

    async def get(
        self,
        index: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  (as Hypercore.get)
        wait: bool = True,
    ) -> bytes:
        """A block; raises BlockNotAvailable when it cannot be had in ``timeout`` seconds."""


class IndexView:
    """Reads the index of one database; of its newest version, or of a fixed one.

    Blocks that are not stored here are fetched from peers, only those on the way to the answer.
    What it keeps of them decoded takes ``room`` that others may share.
    """

    def __init__(self, core: IndexCore, room: CacheRoom | None = None) -> None:
        self.core = core
        self._bee = Hyperbee(core, room=room)
        self._version: int | None = None
        # What is asked for again and again, with the length and fork of the log it was read at.
        self._known: dict[tuple[str, bytes], Any] = {}
        self._known_at = (0, 0)

    @property
    def key(self) -> bytes:
        """The public key of the index log: the key of the database."""
        return self.core.key

    @property
    def room(self) -> CacheRoom:
        """Where it keeps decoded blocks."""
        return self._bee.tree.room

    @property
    def length(self) -> int:
        """Blocks in the log, or in the version this view is fixed to."""
        return self.core.length if self._version is None else self._version

    def checkout(self, version: int) -> Self:
        """The index as it was when its log had ``version`` blocks.

        Raises:
          NotFound: the log was never that long.
        """
        if not 0 <= version <= self.core.length:
            raise NotFound(f"The index has no version {version}; it has {self.core.length} blocks.")
        view = copy(self)
        view._version = version
        view._known, view._known_at = {}, (0, 0)
        return view

    def snapshot(self) -> Self:
        """The index as it is now, unaffected by what is appended later."""
        return self.checkout(self.length)

    async def get(self, path: str) -> Entry | None:
        """The entry at a path, or None.

        Raises:
          UsageProblem: the path is not canonical.
        """
        return await self.get_key(key_of(path))

    async def get_key(self, key: bytes) -> Entry | None:
        """The entry of a key, or None."""
        found = await self._view().get(key)
        if found is None:
            return None
        return _entry(key, found.seq, found.value)

    async def get_packed(self, key: bytes) -> tuple[int, bytes] | None:
        """Block number and packed value of a key, or None where it has no value."""
        found = await self._view().get(key)
        return None if found is None or found.value is None else (found.seq, found.value)

    async def list(
        self,
        path: str = "/",
        *,
        reverse: bool = False,
        limit: int | None = None,
        offset: int = 0,
        options: ListOptions | None = None,
    ) -> list[Entry]:
        """The entries one level below a path, in the order of their names as bytes.

        Raises:
          UsageProblem: the path is not canonical.
        """
        try:
            prefix = list_prefix(path)
        except PathError as error:
            raise _bad_path(path, error) from error
        if options is None:
            last = None if limit is None else max(limit, 0) + offset
            options = ListOptions(limit=last, reverse=reverse)
        found = await list_level(self, prefix, options)
        return found[offset:]

    def entries(self, gte: bytes, lt: bytes, *, reverse: bool = False) -> Entries:
        """``(key, seq, value)`` of every key with ``gte <= key < lt``, in order."""
        return Entries(self._view().range(gte=gte, lt=lt, reverse=reverse))

    def history(self, *, start: int = 1, end: int | None = None, reverse: bool = False) -> History:
        """Every put and deletion, oldest first; ``start`` and ``end`` are block numbers."""
        stop = self.length if end is None else min(end, self.length)
        return History(self._view().history(gte=max(start, 1), lt=stop, reverse=reverse))

    async def drive(self, reads: BlockReads[T]) -> T:
        """Run a reader or writer of ``protocol.hyperbee`` against the log of this index."""
        return await self._bee.tree.drive(reads)

    async def contract_source(self) -> str:
        """The source of the contract in force.

        Raises:
          NotFound: the index holds none (it is not synced yet, or not an index).
        """
        source: str = await self._once(("source", b""), self._read_source)
        return source

    async def participants(self) -> dict[bytes, bool]:
        """The oplog keys that the database ever listed, and whether each is active."""
        listed: dict[bytes, bool] = {}
        end = INPUTS_PREFIX[:-1] + b"\x01"
        async for _, _, value in self.entries(INPUTS_PREFIX, end):
            if isinstance(value, dict) and isinstance(value.get("pubkey"), bytes):
                listed[value["pubkey"]] = value.get("active") is True
        return listed

    async def is_participant(self, key: bytes) -> bool:
        """Whether the oplog of a key is listed, and active."""
        active: bool = await self._once(("participant", key), lambda: self._read_active(key))
        return active

    async def last_ack(self, oplog: bytes) -> tuple[int, Value] | None:
        """The number of the last operation of an oplog that was executed, and its ack."""
        first = ack_key(oplog, 0)
        prefix = first[:-ACK_SEQ_DIGITS]
        async for key, _, value in self.entries(prefix, prefix + b"\xff", reverse=True):
            return int(key[-ACK_SEQ_DIGITS:]), value
        return None

    async def executed_length(self, oplog: bytes) -> int:
        """How many operations of an oplog were executed."""
        last = await self.last_ack(oplog)
        return 0 if last is None else last[0] + 1

    async def has_ack(self, oplog: bytes, seq: int) -> bool:
        """Whether one operation of an oplog was executed."""
        return await self._view().get(ack_key(oplog, seq)) is not None

    async def acked(self, oplog: bytes, start: int) -> Sequence[int]:
        """The numbers of the operations of an oplog, from ``start`` on, that were executed."""
        first = ack_key(oplog, start)
        end = first[:-ACK_SEQ_DIGITS] + b"\xff"
        return [
            int(entry.key[-ACK_SEQ_DIGITS:])
            async for entry in self._view().range(gte=first, lt=end)
        ]

    def _view(self) -> Hyperbee:
        return self._bee.checkout(max(self.length, 1))

    async def _once(self, what: tuple[str, bytes], read: Callable[[], Awaitable[Any]]) -> Any:
        """What ``read`` gives, read once for each state of the log.

        Every call of a contract asks for the source and for its oplog: all at the same moment, when
        the index has grown.
        """
        at = (self.length, self.core.fork)
        if at != self._known_at:
            self._known_at = at
            self._known = {}
        known = self._known
        if what not in known:
            # Into the table of that state, whatever the log has come to meanwhile.
            known[what] = await read()
        return known[what]

    async def _read_source(self) -> str:
        entry = await self.get_key(CONTRACT_SOURCE)
        if entry is None or not isinstance(entry.value, str):
            raise NotFound(
                "The index holds no contract yet.",
                advice="Connect to a peer that has the database, and let it sync.",
            )
        return entry.value

    async def _read_active(self, key: bytes) -> bool:
        entry = await self.get_key(input_key(key))
        return (
            entry is not None
            and isinstance(entry.value, dict)
            and entry.value.get("active") is True
        )


class Entries:
    """Iterates over ``(key, seq, value)``; may be left at any point."""

    def __init__(self, found: hyperbee_tree.Entries[BeeEntry]) -> None:
        self._found = found

    def __aiter__(self) -> Entries:
        return self

    async def __anext__(self) -> tuple[bytes, int, Value]:
        entry = await self._found.__anext__()
        return entry.key, entry.seq, _value(entry.value)


class History:
    """Iterates over ``HistoryEntry``; may be left at any point."""

    def __init__(self, found: hyperbee_tree.Entries[Operation]) -> None:
        self._found = found

    def __aiter__(self) -> History:
        return self

    async def __anext__(self) -> HistoryEntry:
        operation = await self._found.__anext__()
        return HistoryEntry(
            seq=operation.seq,
            type="del" if operation.deleted else "put",
            path=format_key(operation.key),
            value=_value(operation.value),
        )


def _entry(key: bytes, seq: int, value: bytes | None) -> Entry:
    path = format_key(key)
    name = path.rpartition("/")[2]
    return Entry(container=False, seq=seq, name=name, path=path, value=_value(value))


def _value(packed: bytes | None) -> Any:
    return None if packed is None else unpack_untrusted(packed)


def key_of(path: str) -> bytes:
    """The key of a path; raises UsageProblem."""
    try:
        return parse_path(path)
    except PathError as error:
        raise _bad_path(path, error) from error


def _bad_path(path: str, error: PathError) -> UsageProblem:
    return UsageProblem(
        f"{path!r} is not a path of the index: {error}.", advice="Paths look like /users/ann."
    )
