"""Answers what a replay asks: from logs, wherever they are, and from contract workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from protocol.errors import RecordError
from protocol.hyperbee import BlockCache
from protocol.limits import MAX_REPLAY_GROUP_BYTES
from protocol.transparency.frauds import Verdict
from protocol.transparency.operations import plain_value_untrusted
from protocol.transparency.replay.index_pages import IndexPages
from protocol.transparency.replay.replay import replay
from protocol.transparency.replay.requests import (
    BuildPages,
    ContractRun,
    HasKeys,
    IsForked,
    OperationFacts,
    OperationToApply,
    ReadIndex,
    ReadOperations,
    Request,
    RunContract,
    Validated,
)
from protocol.transparency.replay.state import START, ReplayState
from protocol.transparency.replay.state_at import state_at

from ..contracts.engine import AckView, ApplyRequest, ApplyResult
from ..contracts.errors import ContractError, ContractSyntaxError
from ..contracts.runtime import missing_runtime
from ..ledger.contract_runner import ContractRunner
from ..ledger.index_host import IndexHost
from ..ledger.index_view import IndexCore, IndexView
from ..storage.errors import BlockNotAvailable, BlockOutOfRange

# Blocks of the index handed to the replay at a time: enough to keep it busy, little to hold.
READ_AHEAD_BLOCKS = 512


class OperationSource(Protocol):
    """Where an auditor gets operations from."""

    async def operation(self, origin: bytes, seq: int) -> OperationFacts | None:
        """An operation, from a block that the writer of its oplog signed for; None without it."""

    async def is_forked(self, origin: bytes) -> bool:
        """Whether the writer of this oplog is known to have signed two histories."""


class Auditor:
    """Drives replays of one database.

    Args:
      fetch_seconds: how long to wait for a block that is not stored here, before the answer is
        that it cannot be had; None for ever.
      read_ahead: blocks of the index handed to the replay at a time.
    """

    def __init__(
        self,
        index: IndexView,
        operations: OperationSource,
        runner: ContractRunner,
        *,
        fetch_seconds: float | None = None,
        read_ahead: int = READ_AHEAD_BLOCKS,
    ) -> None:
        self._index = index
        self._operations = operations
        self._runner = runner
        self._fetch_seconds = fetch_seconds
        self._read_ahead = read_ahead
        self._pages = IndexPages(BlockCache(index.room))

    async def run(
        self,
        length: int,
        state: ReplayState = START,
        *,
        on_validated: Callable[[Validated], Awaitable[None]] | None = None,
        max_operations: int | None = None,
        stop: int | None = None,
    ) -> Verdict:
        """Replay the index from ``state`` to ``length`` blocks and give the verdict.

        ``stop``: an ack before which it ends; see ``protocol.transparency.replay.replay``.
        """
        steps = replay(length, state, max_operations=max_operations, stop=stop)
        answer: Any = None
        try:
            while True:
                request = steps.send(answer)
                if not isinstance(request, Validated):
                    answer = await self._answer(request)
                else:
                    answer = None
                    if on_validated is not None:
                        await on_validated(request)
        except StopIteration as ended:
            verdict: Verdict = ended.value
            return verdict
        finally:
            steps.close()

    async def run_one(self, start: int, length: int) -> Verdict:
        """Replay the one operation whose ack is index block ``start``, or the genesis at block 1.

        What holds before it is read from the index; see ``protocol.transparency.replay.state_at``.

        Raises:
          RecordError, BeeBlockError: the index before that block is none.
        """
        state = START
        if start > START.position:
            state = await self._index.drive(state_at(start))
        return await self.run(length, state, max_operations=1)

    async def _answer(self, request: Request) -> object:
        if isinstance(request, ReadIndex):
            return await self._read_index(request)
        if isinstance(request, ReadOperations):
            return await self._read_operations(request)
        if isinstance(request, HasKeys):
            return await self._index.drive(self._pages.has_keys(request))
        if isinstance(request, BuildPages):
            return await self._index.drive(self._pages.build(request))
        if isinstance(request, RunContract):
            return await self._run_contract(request)
        assert isinstance(request, IsForked)
        return await self._operations.is_forked(request.origin)

    async def _read_index(self, request: ReadIndex) -> Sequence[bytes]:
        blocks: list[bytes] = []
        for seq in range(request.start, min(request.stop, request.start + self._read_ahead)):
            core = self._index.core
            block = await block_or_none(core, seq, self._fetch_seconds, wait=not blocks)
            if block is None:
                break
            blocks.append(block)
        return blocks

    async def _read_operations(self, request: ReadOperations) -> Sequence[OperationFacts | None]:
        facts: list[OperationFacts | None] = []
        size = 0
        for name in request.names:
            fact = await self._operations.operation(name.origin, name.seq)
            size += 0 if fact is None else len(fact.block)
            if facts and size > MAX_REPLAY_GROUP_BYTES:
                break
            facts.append(fact)
        return facts

    async def _run_contract(self, request: RunContract) -> ContractRun:
        try:
            compiled = await self._runner.compiled(request.source)
        except ContractSyntaxError as error:
            return ContractRun((), f"its source cannot run here: {error}")
        except ContractError as error:
            return ContractRun((), str(error))
        if request.runtime_id not in (None, compiled.runtime_id):
            return ContractRun((), missing_runtime(request.runtime_id or ""))
        requests: list[ApplyRequest] = []
        results: list[ApplyResult] = []
        fault: str | None = None
        try:
            for operation in request.operations:
                requests.append(_apply_request(operation))
        except RecordError as error:
            fault = f"an operation cannot be given to it: {error}"
        try:
            # A worker may stop early, before an operation that must see the written index.
            while len(results) < len(requests):
                version = request.operations[len(results)].version
                host = IndexHost(self._index.checkout(version))
                waiting = requests[len(results) :]
                results += await self._runner.apply(request.source, waiting, host)
        except ContractError as error:
            fault = str(error)
        return ContractRun(results, fault)


async def block_or_none(
    core: IndexCore, seq: int, seconds: float | None, *, wait: bool = True
) -> bytes | None:
    """A block, or None if it cannot be had within so many seconds."""
    try:
        return await core.get(seq, timeout=seconds, wait=wait)
    except (BlockNotAvailable, BlockOutOfRange):
        return None


def _apply_request(operation: OperationToApply) -> ApplyRequest:
    """Raises RecordError for what only the original could have stored."""
    ack = operation.ack
    metadata = plain_value_untrusted(ack.metadata)
    view = AckView(ack.origin.hex(), ack.seq, ack.ts, metadata)
    return ApplyRequest(plain_value_untrusted(operation.op), view)
