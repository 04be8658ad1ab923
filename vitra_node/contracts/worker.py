"""The parent's side of a contract worker.

Calls and operations run in processes of their own, each started with its first use: a call that
hangs, or one that this node's user stops, never takes an operation with it.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from ..world import REAL_WORLD, World
from .engine import ApplyRequest, ApplyResult, CallResult, CompiledContract, Host, Value
from .errors import ContractCallError, HostFault, RuntimeMissing, WorkerFault
from .messages import answer_read, encode_request, printed_lines, result_of
from .process import WORKER_MEMORY_BYTES, GuestProcess
from .runtime import RUNTIME_ID, missing_runtime, prelude_script
from .wire import Message, decode_message, encode_code, encode_message, to_wire

# Of processor time, as the next two. A method answers a person, who should not wait longer.
CALL_MILLISECONDS = 3_000
# Far beyond what the fuel of an operation lasts, also on a slow machine.
APPLY_MILLISECONDS = 10_000
# The script and the contract's top level are small; this is for a machine that starts to swap.
LOAD_MILLISECONDS = 10_000

# Of answers that the process for calls remembers from call to call; they are a few times larger
# there, and it has to leave room for the calls.
MAX_REMEMBERED_BYTES = 512 * 1024
# What an answer of no length takes there: its path, and a place in a table.
_REMEMBERED_ANSWER_BYTES = 256


class _Realm:
    """One process with the contract loaded, restarted when it was lost."""

    def __init__(self, compiled: CompiledContract, blocking: bool) -> None:
        self._compiled = compiled
        self._blocking = blocking
        self._process: GuestProcess | None = None
        self.starts = 0
        # What confined the last process, None before the first.
        self.walls: frozenset[str] | None = None
        self._turn = trio.Lock()
        # The state of the database that the process remembers answers about, None if it must not.
        self._version: Hashable | None = None
        self._remembered_bytes = 0

    @property
    def pid(self) -> int | None:
        """Process id while there is one."""
        return None if self._process is None else self._process.pid

    @asynccontextmanager
    async def conversation(self) -> AsyncIterator[GuestProcess]:
        """Sole use of the loaded process. Whatever leaves the block early ends the process."""
        # Mostly nobody else talks to it, and then waiting for a turn would be a tenth of a call.
        try:
            self._turn.acquire_nowait()
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            if self._process is None:
                self.starts += 1
                self._process = GuestProcess(WORKER_MEMORY_BYTES, blocking=self._blocking)
                await self._load(self._process)
            yield self._process
        except BaseException:
            self.close()
            raise
        finally:
            self._turn.release()

    def must_forget(self, version: Hashable | None) -> bool:
        """Whether the process must forget what the host answered before this state of it."""
        if version is None or version != self._version:
            self._version = version
        elif self._remembered_bytes < MAX_REMEMBERED_BYTES:
            return False
        self._remembered_bytes = 0
        return True

    async def exchange(self, process: GuestProcess, body: bytes, milliseconds: int = 0) -> Message:
        """One frame each way."""
        message = decode_message(await process.exchange(body, milliseconds))
        if message["t"] == "memory":
            raise WorkerFault("the contract needs more memory than allowed")
        if message["t"] == "broken":
            raise WorkerFault(f"the contract's process failed: {message['e']}")
        return message

    async def converse(
        self, process: GuestProcess, body: bytes, milliseconds: int, host: Host
    ) -> Message:
        """Send a request and answer its reads until it is done."""
        message = await self.exchange(process, body, milliseconds)
        while message["t"] in ("get", "list", "oplogs", "writer", "oplog"):
            # The process waits for us now, however long the host takes.
            answer = await answer_read(message, host)
            self._remembered_bytes += len(answer) + _REMEMBERED_ANSWER_BYTES
            message = await self.exchange(process, answer)
        return message

    def close(self) -> None:
        """End the process; the next conversation starts another."""
        self._version = None
        if self._process is not None:
            self._process.close()
            self._process = None

    async def _load(self, process: GuestProcess) -> None:
        confined = await self.exchange(process, prelude_script(), LOAD_MILLISECONDS)
        self.walls = frozenset(confined["walls"])
        await self.exchange(process, b"{}")
        body = encode_code(self._compiled.code)
        await self.exchange(process, body, LOAD_MILLISECONDS)


class ContractWorker:
    """Runs one compiled contract in sandboxed processes of its own.

    With ``blocking``, and always in a virtual ``world``, the whole thread waits while the contract
    computes, so that the clock stands still.

    Resource handling: use ``open``, or ``close`` it yourself. Processes start with the first use.

    Raises:
      RuntimeMissing: the compiled contract is of another runtime than this one.
    """

    def __init__(
        self, compiled: CompiledContract, *, blocking: bool = False, world: World = REAL_WORLD
    ) -> None:
        if compiled.runtime_id != RUNTIME_ID:
            raise RuntimeMissing(missing_runtime(compiled.runtime_id))
        self._world = world
        self._compiled = compiled
        blocking = blocking or world.is_virtual
        self._calls = _Realm(compiled, blocking)
        self._operations = _Realm(compiled, blocking)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, compiled: CompiledContract, *, world: World = REAL_WORLD
    ) -> AsyncIterator[ContractWorker]:
        """A worker for ``compiled``, closed with the block."""
        worker = cls(compiled, world=world)
        try:
            yield worker
        finally:
            worker.close()

    def close(self) -> None:
        """End the processes."""
        self._calls.close()
        self._operations.close()

    @property
    def restarts(self) -> int:
        """How often a process had to be replaced, because it was lost or given up."""
        return sum(max(realm.starts - 1, 0) for realm in (self._calls, self._operations))

    @property
    def walls(self) -> frozenset[str] | None:
        """The walls around its processes, of ``confinement.WALLS``; None before one has started."""
        known = [
            realm.walls for realm in (self._calls, self._operations) if realm.walls is not None
        ]
        return frozenset.intersection(*known) if known else None

    @property
    def pids(self) -> list[int]:
        """Ids of the processes that run now."""
        return [realm.pid for realm in (self._calls, self._operations) if realm.pid is not None]

    async def call(
        self, method: str, params: Value, host: Host, *, version: Hashable | None = None
    ) -> CallResult:
        """Call an exported method with ``(params, emit)``.

        Where ``get`` and ``list`` of two hosts answer alike, give both calls the same ``version``:
        what the first has read the second need not ask again.

        Raises:
          ContractCallError: it threw, or there is no such method.
          ContractValueError: the parameters hold what no contract can be given.
          ContractTimeout, WorkerFault: host faults; the next call gets a fresh process.
        """
        request = {
            "t": "call",
            "method": method,
            "params": to_wire(params),
            # What ``Date.now()`` answers.
            "now": int(self._world.unix_time() * 1000),
            "seed": self._seed(),
        }
        async with self._calls.conversation() as process:
            request["fresh"] = self._calls.must_forget(version)
            body = encode_message(request)
            message = await self._calls.converse(process, body, CALL_MILLISECONDS, host)
        if message["t"] == "threw":
            position = self._compiled.position(message.get("l"))
            printed = printed_lines(message)
            raise ContractCallError(message["e"], position=position, printed=printed)
        operations = [message.value(operation) for operation in message["ops"]]
        return CallResult(message.value(message["v"]), operations, printed_lines(message))

    async def passed_lines(self) -> set[int]:
        """Lines of the source that ran since the last time; for what was compiled to tell."""
        lines: set[int] = set()
        for realm in (self._calls, self._operations):
            if realm.pid is not None:
                async with realm.conversation() as process:
                    lines.update((await realm.exchange(process, b'{"t":"lines"}'))["lines"])
        return lines

    async def apply(self, requests: Sequence[ApplyRequest], host: Host) -> list[ApplyResult]:
        """Apply operations in order, each seeing the changes of those before it.

        May return fewer results than requests, but at least one: it stops after an operation that
        changed the source or the membership, before one that looks at what only the written index
        can tell (an ack of this batch, the seq of an entry of this batch), and before one that
        broke its process.

        Raises:
          ContractValueError: an operation holds what no contract can be given.
          ContractTimeout, WorkerFault: after one retry in a fresh process; nothing is decided.
        """
        if not requests:
            return []
        encoded = [encode_request(request) for request in requests]
        try:
            return await self._apply_together(encoded, host)
        except HostFault:
            return await self._apply_singly(encoded, host)

    async def _apply_together(self, encoded: list[Any], host: Host) -> list[ApplyResult]:
        body = encode_message({"t": "apply", "requests": encoded, "seed": self._seed()})
        async with self._operations.conversation() as process:
            message = await self._operations.converse(process, body, APPLY_MILLISECONDS, host)
        return [result_of(message, result, self._compiled) for result in message["results"]]

    async def _apply_singly(self, encoded: list[Any], host: Host) -> list[ApplyResult]:
        """The same with a deadline for each operation, and nothing done twice."""
        request = {"t": "apply", "requests": encoded, "seed": self._seed(), "stream": True}
        body = encode_message(request)
        results: list[ApplyResult] = []
        try:
            async with self._operations.conversation() as process:
                message = await self._operations.converse(process, body, APPLY_MILLISECONDS, host)
                while message["t"] == "step":
                    results.append(result_of(message, message["result"], self._compiled))
                    message = await self._operations.converse(
                        process, b"null", APPLY_MILLISECONDS, host
                    )
        except HostFault:
            if not results:
                raise
        return results

    def _seed(self) -> list[int]:
        """Randomness for a call or for ``process``: four numbers of 32 bits, not all zero."""
        return [*struct.unpack("<3I", self._world.random_bytes(12)), 1]
