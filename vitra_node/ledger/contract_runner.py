"""Contracts by their source text, each with a live worker while it is in use.

Executor, participant and monitor run contracts only through here, so that the rules which need
more than one contract at a time (may this new source replace the present one?) are the same for
all of them.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import trio

from ..contracts.calls import CallOutcome
from ..contracts.compiler import compile_contract
from ..contracts.confinement import missing_walls
from ..contracts.engine import (
    ApplyRequest,
    ApplyResult,
    CallRequest,
    CompiledContract,
    Host,
    SetSource,
)
from ..contracts.errors import ContractError, ContractSyntaxError
from ..contracts.worker import ContractWorker
from ..nursery import open_owned_nursery
from ..world import REAL_WORLD, World

log = logging.getLogger("vitra.contract")

# A database runs one source at a time; a replay that crosses a change of source needs the next
# one soon after. Each worker is a process, so idle ones are not kept.
MAX_LIVE_WORKERS = 2
# Compiled sources kept in memory; a worker that is needed again then starts without a compiler.
MAX_COMPILED_CONTRACTS = 16


@dataclass
class _LiveWorker:
    """A worker and the two moments of its life that others wait for."""

    compiled: CompiledContract
    ready: trio.Event = field(default_factory=trio.Event)
    unused: trio.Event = field(default_factory=trio.Event)
    worker: ContractWorker | None = None
    fault: ContractError | None = None
    users: int = 0


class ContractRunner:
    """Compiles contracts and runs their methods and operations.

    Resource handling: made by ``ContractRunner.open``; its worker processes end with that block.
    """

    def __init__(
        self, nursery: trio.Nursery, cache_dir: Path | None, world: World, *, cover: bool = False
    ) -> None:
        self._nursery = nursery
        self._cache_dir = cache_dir
        self._world = world
        self._cover = cover
        self._compiled: OrderedDict[str, CompiledContract] = OrderedDict()
        self._workers: OrderedDict[str, _LiveWorker] = OrderedDict()
        self._past_restarts = 0
        self._walls: frozenset[str] | None = None

    @property
    def worker_restarts(self) -> int:
        """How often the process of a contract had to be replaced."""
        living = (live.worker for live in self._workers.values() if live.worker is not None)
        return self._past_restarts + sum(worker.restarts for worker in living)

    @property
    def walls(self) -> frozenset[str] | None:
        """What confines the processes of contracts, see ``ContractWorker.walls``."""
        return self._walls

    @classmethod
    @asynccontextmanager
    async def open(
        cls, cache_dir: Path | None = None, *, world: World = REAL_WORLD, cover: bool = False
    ) -> AsyncIterator[ContractRunner]:
        """A runner whose workers live inside the block.

        With ``cover`` its contracts tell which lines ran, see ``passed_lines``.
        """
        async with open_owned_nursery() as nursery:
            yield cls(nursery, cache_dir, world, cover=cover)

    async def compiled(self, source: str) -> CompiledContract:
        """The compiled form of a source.

        Raises:
          ContractSyntaxError: the source cannot be a contract.
          HostFault: the compiler's process failed.
        """
        compiled = self._compiled.get(source)
        if compiled is None:
            compiled = await compile_contract(
                source,
                cache_dir=self._cache_dir,
                blocking=self._world.is_virtual,
                cover=self._cover,
            )
            self._compiled[source] = compiled
            while len(self._compiled) > MAX_COMPILED_CONTRACTS:
                self._compiled.popitem(last=False)
        else:
            self._compiled.move_to_end(source)
        return compiled

    async def call_together(
        self,
        source: str,
        calls: Sequence[CallRequest],
        host: Host,
        *,
        version: Hashable | None = None,
    ) -> list[CallOutcome]:
        """Call methods of a contract; see ``ContractWorker.call_together``."""
        async with self._worker(source) as worker:
            return await worker.call_together(calls, host, version=version)

    async def passed_lines(self, source: str) -> set[int]:
        """Lines of a contract that ran since the last time; none without ``cover``."""
        async with self._worker(source) as worker:
            return await worker.passed_lines()

    async def apply(
        self, source: str, requests: Sequence[ApplyRequest], host: Host
    ) -> list[ApplyResult]:
        """Apply operations; see ``ContractWorker.apply``. May give fewer results than requests.

        An operation that sets a source which is no contract fails: accepting it would leave the
        database without a contract that runs.
        """
        async with self._worker(source) as worker:
            results = await worker.apply(requests, host)
        return [await self._with_valid_source(result) for result in results]

    async def _with_valid_source(self, result: ApplyResult) -> ApplyResult:
        for change in result.changes:
            if isinstance(change, SetSource):
                try:
                    await self.compiled(change.code)
                except ContractSyntaxError as error:
                    reason = f"the new contract source is refused: {error}"
                    return replace(result, success=False, error=reason, changes=())
        return result

    @asynccontextmanager
    async def _worker(self, source: str) -> AsyncIterator[ContractWorker]:
        live = self._workers.get(source)
        if live is None:
            compiled = await self.compiled(source)
            # Another task may have started it while this one compiled.
            live = self._workers.get(source) or self._start(compiled)
        self._workers.move_to_end(source)
        live.users += 1
        try:
            self._retire_idle()
            if not live.ready.is_set():
                await live.ready.wait()
            if live.fault is not None:
                raise live.fault
            assert live.worker is not None
            yield live.worker
        finally:
            live.users -= 1
            if self._walls is None and live.worker is not None:
                self._note_walls(live.worker.walls)
            self._retire_idle()

    def _note_walls(self, walls: frozenset[str] | None) -> None:
        """Remember what confines contracts here, and tell the operator once what does not."""
        if walls is None:
            return
        self._walls = walls
        missing = missing_walls(walls)
        if missing:
            log.warning("this kernel does not confine contracts by: %s", ", ".join(missing))

    def _start(self, compiled: CompiledContract) -> _LiveWorker:
        live = _LiveWorker(compiled)
        self._workers[compiled.source] = live
        self._nursery.start_soon(self._host, live)
        return live

    async def _host(self, live: _LiveWorker) -> None:
        """Own one worker: a task of its own, because workers end in any order."""
        try:
            async with ContractWorker.open(live.compiled, world=self._world) as worker:
                live.worker = worker
                live.ready.set()
                await live.unused.wait()
        except ContractError as fault:
            # A worker that cannot be opened is the business of whoever asked for it.
            if live.ready.is_set():
                raise
            self._workers.pop(live.compiled.source, None)
            live.fault = fault
            live.ready.set()

    def _retire_idle(self) -> None:
        if len(self._workers) <= MAX_LIVE_WORKERS:
            return
        for source, live in list(self._workers.items()):
            if len(self._workers) <= MAX_LIVE_WORKERS:
                return
            if live.users == 0:
                if live.worker is not None:
                    self._past_restarts += live.worker.restarts
                del self._workers[source]
                live.unused.set()
