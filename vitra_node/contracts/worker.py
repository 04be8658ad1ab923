"""The parent's side of a contract worker.

Calls and operations run in processes of their own, each started with its first use: a call that
hangs, or one that this node's user stops, never takes an operation with it.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ..world import REAL_WORLD, World
from .calls import CallFrames, CallOutcome
from .engine import (
    ApplyRequest,
    ApplyResult,
    CallRequest,
    CallResult,
    CompiledContract,
    Host,
    Value,
)
from .errors import ContractValueError, HostFault, RuntimeMissing
from .messages import encode_request, result_of
from .realm import Realm
from .runtime import RUNTIME_ID, missing_runtime
from .wire import encode_message, to_wire

# Of processor time; far beyond what the fuel of an operation lasts, also on a slow machine.
APPLY_MILLISECONDS = 10_000


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
        self._calls = Realm(compiled, blocking)
        self._operations = Realm(compiled, blocking)
        self._frames = CallFrames(self._calls, compiled)

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

        Raises:
          ContractCallError: it threw, or there is no such method.
          ContractValueError: the parameters hold what no contract can be given.
          ContractTimeout, WorkerFault: host faults; the next call gets a fresh process.
        """
        [outcome] = await self.call_together([CallRequest(method, params)], host, version=version)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def call_together(
        self, calls: Sequence[CallRequest], host: Host, *, version: Hashable | None = None
    ) -> list[CallOutcome]:
        """The result of each of several calls, or the error that ``call`` would raise.

        None of them can tell that it is not alone, nor whether another one fails. Where two hosts
        answer alike, give both the same ``version``: what was read of one need not be asked again.
        """
        outcomes: list[CallOutcome | None] = []
        requests = []
        for call in calls:
            try:
                requests.append(self._request(call))
                outcomes.append(None)
            except ContractValueError as error:
                outcomes.append(error)
        ran = iter(await self._frames.run(requests, host, version))
        return [next(ran) if outcome is None else outcome for outcome in outcomes]

    def _request(self, call: CallRequest) -> dict[str, Any]:
        return {
            "method": call.method,
            "params": to_wire(call.params),
            # What ``Date.now()`` answers.
            "now": int(self._world.unix_time() * 1000),
            "seed": self._seed(),
        }

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
