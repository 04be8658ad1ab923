"""What a contract engine takes and gives: values, requests, results and the host's side.

One engine stands behind this interface today, Duktape in a worker process (``worker.py``). Nothing
here knows of it, so a second one can be added without touching the consensus of databases made
for the first: each database records the ``runtime_id`` it was made for.

What crosses between a contract and its host is a ``Value``: null, booleans, finite numbers, text
without lone surrogates, bytes (a Uint8Array in the contract), dates, arrays, and objects with text
keys. Changes are those of the ledger's rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from protocol.encoding.msgpack import Date, Undefined
from protocol.transparency.changes import (
    AddOplog,
    Change,
    Delete,
    Put,
    RemoveOplog,
    SetSource,
)

__all__ = [
    "AckView",
    "AddOplog",
    "ApplyRequest",
    "ApplyResult",
    "CallRequest",
    "CallResult",
    "Change",
    "CompiledContract",
    "ConsoleLine",
    "Delete",
    "Entry",
    "Host",
    "ListOptions",
    "Method",
    "OplogInfo",
    "Put",
    "Read",
    "RemoveOplog",
    "SetSource",
    "Value",
]

# ``Any`` stands for the nesting, which mypy cannot follow through invariant containers.
Value: TypeAlias = (
    "bool | int | float | str | bytes | list[Any] | dict[str, Any] | Date | Undefined | None"
)


@dataclass(frozen=True)
class Method:
    """A method that callers may call: an exported function other than apply and process."""

    name: str
    # Names of the parameters as written; a pattern with no name of its own is shown as its text.
    params: tuple[str, ...]


@dataclass(frozen=True)
class CompiledContract:
    """A contract ready to be loaded into a worker of the same ``runtime_id``."""

    source: str
    # ECMAScript 5 text, the body of the module factory.
    code: str
    methods: tuple[Method, ...]
    # Keys of an ``apply`` that is a plain table; None where it is a function or built otherwise.
    apply_operations: tuple[str, ...] | None
    has_process: bool
    runtime_id: str
    # For each line of ``code`` line and column (from 1) of the source; None where nobody knows.
    positions: tuple[tuple[int, int] | None, ...] = ()
    # Compiled to tell which lines ran: those that could.
    coverable_lines: frozenset[int] = frozenset()

    def position(self, line: int | None) -> tuple[int, int] | None:
        """Line and column of the source for a line of ``code``."""
        return self.positions[line - 1] if line and line <= len(self.positions) else None


@dataclass(frozen=True)
class AckView:
    """What ``apply`` is shown of the ack: ``(tx, op, ack)``."""

    # Public key of the oplog, lower-case hex.
    origin: str
    seq: int
    # Milliseconds since 1970, what ``Date.now()`` answers while the operation runs.
    ts: int
    # Given when replaying; with ``run_process`` the worker computes it instead.
    metadata: Value = None


@dataclass(frozen=True)
class ApplyRequest:
    """One operation to apply."""

    op: Value
    ack: AckView
    # The executor sets it: metadata is then what the contract's ``process(op)`` returned.
    run_process: bool = False


@dataclass(frozen=True)
class ListOptions:
    """What ``index.list(path, options)`` was given; all bounds are names below the path."""

    lt: str | None = None
    lte: str | None = None
    gt: str | None = None
    gte: str | None = None
    limit: int | None = None
    reverse: bool = False


@dataclass(frozen=True)
class Read:
    """One read of the index that the operation made, in the order of the reads, each once.

    The set is what a portable proof must carry. A read answered by the batch's own earlier changes
    is named too, because alone the operation would have asked the index.
    """

    path: str
    # None for a get.
    options: ListOptions | None = None


@dataclass(frozen=True)
class ConsoleLine:
    """A line that the contract wrote for the operator's log."""

    # "debug", "info", "warning" or "error".
    level: str
    text: str


@dataclass(frozen=True)
class ApplyResult:
    """What one operation did. ``changes`` has at most one change for a path, none if it failed."""

    success: bool
    # Plain text, at most ``MAX_ERROR_CHARS``; the same at executor and monitor.
    error: str | None
    metadata: Value
    changes: tuple[Change, ...]
    reads: tuple[Read, ...]
    # For people, no part of what nodes agree on: line and column (from 1) of the statement that the
    # error came from, and what the contract wrote to its console.
    position: tuple[int, int] | None = None
    printed: tuple[ConsoleLine, ...] = ()
    # Units that ``apply`` took, the same on every node; all there are when it ran out.
    fuel: float = 0


@dataclass(frozen=True)
class CallRequest:
    """One method to call."""

    method: str
    params: Value


@dataclass(frozen=True)
class CallResult:
    """What a method returned, and the operations it emitted, in order."""

    response: Value
    operations: list[Value] = field(default_factory=list)
    printed: tuple[ConsoleLine, ...] = ()


@dataclass(frozen=True)
class Entry:
    """An index entry as a contract sees it. A container has ``value`` None and ``seq`` 0."""

    container: bool
    seq: int
    name: str
    path: str
    value: Value


@dataclass(frozen=True)
class OplogInfo:
    """A participant's log, as ``listOplogs()`` shows it."""

    # Lower-case hex.
    public_key: str
    length: int
    active: bool


class Host(Protocol):
    """The database as its contract reads it. For ``apply`` it is the index before the batch.

    Reads may wait (a sparse index fetches blocks); the worker's clock stands still meanwhile.
    An exception from a host is a host fault: the run is abandoned and the exception goes to the
    caller of ``apply`` or ``call``.
    """

    async def get(self, path: str) -> Entry | None:
        """The entry at a canonical path, or None."""
        ...

    async def list(self, path: str, options: ListOptions) -> Sequence[Entry]:
        """The entries one level below a path, in key order, containers once each."""
        ...

    async def oplogs(self) -> Sequence[OplogInfo]:
        """All participants; only the active ones count as members."""
        ...

    async def is_writer(self) -> bool:
        """Whether this node owns an active oplog."""
        ...

    async def local_oplog(self) -> OplogInfo | None:
        """This node's own oplog, or None. Never asked during ``apply``."""
        ...
