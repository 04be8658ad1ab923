"""The index log read backwards, each operation joined with its ack and what it changed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from protocol.encoding.msgpack import unpack_untrusted
from protocol.encoding.paths import ACK_SEQ_DIGITS, ack_key
from protocol.errors import DecodeError

from ...storage.errors import BlockNotAvailable
from ..control.parameters import Count
from ..json_values import to_json
from ..session import Session
from ..shapes import history_shape

if TYPE_CHECKING:
    from ...ledger.index import HistoryEntry
    from ...ledger.oplogs import Oplog

ACKS = "/.sys/acks/"
GENESIS_ACK = "/.sys/acks/genesis"

# One page for people; more is asked for with ``before``.
MAX_OPERATIONS = 200
# A contract may change very much in one operation; a page ends after this many blocks.
MAX_BLOCKS = 20_000
# A value that takes more than this as JSON is left out; ``index.get`` with a version gives it.
MAX_VALUE_CHARS = 16 * 1024
# An operation's block that is not here is asked of the peers, for this long in all.
FETCH_SECONDS = 1.0


@dataclass
class _Page:
    """What is being gathered, newest first."""

    limit: int
    deadline: float
    found: list[dict[str, Any]] = field(default_factory=list)
    changes: list[HistoryEntry] = field(default_factory=list)

    @property
    def full(self) -> bool:
        return len(self.found) >= self.limit


async def operations(
    session: Session, *, before: Count | None = None, limit: Count = 20
) -> dict[str, Any]:
    """Operations with their acks and changes, newest first; ``next`` is the ``before`` of the rest.

    Without ``before``, those that are published and not executed yet come first, without an ack.
    Writes that belong to no operation have ``oplog`` null: the genesis, or what bypassed it.
    """
    session.require_data()
    page = _Page(min(limit, MAX_OPERATIONS), trio.current_time() + FETCH_SECONDS)
    if before is None:
        for oplog in session.database.oplogs:
            await _pending(session, oplog, page)
    following = await _executed(session, before, page)
    return {"operations": page.found[: page.limit], "next": following}


async def _executed(session: Session, before: int | None, page: _Page) -> int | None:
    """Read backwards until the page is full; gives where the next page begins, None at the end."""
    index = session.database.index
    position = index.length if before is None else min(before, index.length)
    read = 0
    async for entry in index.history(end=position, reverse=True):
        if page.full or (read >= MAX_BLOCKS and page.found):
            return position
        read += 1
        if entry.path == GENESIS_ACK or not entry.path.startswith(ACKS):
            page.changes.append(entry)
            continue
        _take_stray(page, entry)
        page.found.append(await _joined(session, entry, page))
        page.changes.clear()
        position = entry.seq
    if page.changes:
        page.found.append(_without_operation(page.changes))
    return None


def _take_stray(page: _Page, ack: HistoryEntry) -> None:
    """What stands between this operation's last change and the next ack belongs to neither."""
    count = ack.value.get("numChanges") if isinstance(ack.value, dict) else None
    own = count if isinstance(count, int) and not isinstance(count, bool) else 0
    stray = [change for change in page.changes if change.seq > ack.seq + own]
    if stray:
        page.found.append(_without_operation(stray))
        page.changes = [change for change in page.changes if change.seq <= ack.seq + own]


async def _joined(session: Session, ack: HistoryEntry, page: _Page) -> dict[str, Any]:
    oplog, _, number = ack.path.removeprefix(ACKS).partition("/")
    replicated = session.database.index.core.remote_length > ack.seq
    known = {each.key.hex(): each for each in session.database.oplogs}.get(oplog)
    seq = int(number) if number.isascii() and number.isdigit() else None
    return {
        "oplog": oplog,
        "seq": seq,
        "stage": "replicated" if replicated else "committed",
        "ack_seq": ack.seq,
        "ack": to_json(ack.value),
        "operation": await _operation(known, seq, page),
        "changes": [_bounded(change) for change in reversed(page.changes)],
    }


async def _pending(session: Session, oplog: Oplog, page: _Page) -> None:
    """The newest operations of an oplog that the index has no ack for yet."""
    if not oplog.active:
        return
    first = await _next_seq(session, oplog)
    for seq in range(oplog.length - 1, max(first, oplog.length - page.limit) - 1, -1):
        page.found.append(
            {
                "oplog": oplog.key.hex(),
                "seq": seq,
                "stage": "published",
                "ack_seq": None,
                "ack": None,
                "operation": await _operation(oplog, seq, page),
                "changes": [],
            }
        )


async def _next_seq(session: Session, oplog: Oplog) -> int:
    prefix = ack_key(oplog.key, 0)[:-ACK_SEQ_DIGITS]
    async for key, _, _ in session.database.index.entries(prefix, prefix + b"\xff", reverse=True):
        return int(key[-ACK_SEQ_DIGITS:]) + 1
    return 0


async def _operation(oplog: Oplog | None, seq: int | None, page: _Page) -> Any:
    """The operation itself, or None where it is not here and nobody brings it in time."""
    if oplog is None or seq is None or seq >= oplog.length:
        return None
    try:
        block = oplog.core.local_block(seq)
        if block is None:
            with trio.move_on_at(page.deadline):
                block = await oplog.core.get(seq)
        return None if block is None else _cut(to_json(unpack_untrusted(block)))[0]
    except (DecodeError, BlockNotAvailable):
        return None


def _without_operation(changes: list[HistoryEntry]) -> dict[str, Any]:
    genesis = any(change.path == GENESIS_ACK for change in changes)
    return {
        "oplog": None,
        "seq": None,
        "stage": "genesis" if genesis else "bypassed",
        "ack_seq": min(change.seq for change in changes),
        "ack": None,
        "operation": None,
        "changes": [_bounded(change) for change in sorted(changes, key=lambda each: each.seq)],
    }


def _bounded(change: HistoryEntry) -> dict[str, Any]:
    shape = history_shape(change)
    shape["value"], omitted = _cut(shape["value"])
    return {**shape, "omitted": omitted} if omitted else shape


def _cut(value: Any) -> tuple[Any, int]:
    """The value, or None with its size where that is too much for a list."""
    size = len(json.dumps(value))
    return (value, 0) if size <= MAX_VALUE_CHARS else (None, size)
