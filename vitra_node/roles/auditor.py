"""Answers what a replay asks, from stored logs, from peers, and from contract workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from protocol.crypto.hashes import tree_hash
from protocol.errors import RecordError
from protocol.hypercore.merkle import roots_at
from protocol.limits import MAX_REPLAY_GROUP_BYTES
from protocol.transparency.frauds import Verdict
from protocol.transparency.index_pages import IndexPages
from protocol.transparency.operations import plain_value_untrusted
from protocol.transparency.replay import replay
from protocol.transparency.replay_requests import (
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
from protocol.transparency.replay_state import START, ReplayState

from ..contracts.engine import AckView, ApplyRequest, ApplyResult
from ..contracts.errors import ContractError, ContractSyntaxError
from ..ledger.contract_runner import ContractRunner
from ..ledger.host import IndexHost
from ..ledger.index import Index
from ..ledger.oplogs import OplogSet
from ..storage.errors import BlockNotAvailable, BlockOutOfRange
from ..storage.hypercore import Hypercore

# Blocks of the index handed to the replay at a time: enough to keep it busy, little to hold.
READ_AHEAD_BLOCKS = 512


class Auditor:
    """Drives replays of one database.

    Args:
      fetch_seconds: how long to wait for a block that is not stored here, before the answer is
        that it cannot be had; None for ever.
    """

    def __init__(
        self,
        index: Index,
        oplogs: OplogSet,
        runner: ContractRunner,
        *,
        fetch_seconds: float | None = None,
    ) -> None:
        self._index = index
        self._oplogs = oplogs
        self._runner = runner
        self._fetch_seconds = fetch_seconds
        self._pages = IndexPages()

    async def run(
        self,
        length: int,
        state: ReplayState = START,
        *,
        on_validated: Callable[[Validated], Awaitable[None]] | None = None,
    ) -> Verdict:
        """Replay the index from ``state`` to ``length`` blocks and give the verdict."""
        steps = replay(length, state)
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
        except StopIteration as stop:
            verdict: Verdict = stop.value
            return verdict
        finally:
            steps.close()

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
        oplog = await self._oplogs.open(request.origin)
        return oplog.forked

    async def _read_index(self, request: ReadIndex) -> Sequence[bytes]:
        blocks: list[bytes] = []
        for seq in range(request.start, min(request.stop, request.start + READ_AHEAD_BLOCKS)):
            block = await self._block(self._index.core, seq, wait=not blocks)
            if block is None:
                break
            blocks.append(block)
        return blocks

    async def _read_operations(self, request: ReadOperations) -> Sequence[OperationFacts | None]:
        facts: list[OperationFacts | None] = []
        size = 0
        for name in request.names:
            fact = await self._operation(name.origin, name.seq)
            size += 0 if fact is None else len(fact.block)
            if facts and size > MAX_REPLAY_GROUP_BYTES:
                break
            facts.append(fact)
        return facts

    async def _operation(self, key: bytes, seq: int) -> OperationFacts | None:
        core = (await self._oplogs.open(key)).core
        block = core.local_block(seq)
        if block is None:
            with core.tail(seq):
                block = await self._block(core, seq)
        if block is None:
            return None
        roots = roots_at(core.storage, seq + 1)
        return OperationFacts(block, None if roots is None else tree_hash(roots))

    async def _block(self, core: Hypercore, seq: int, *, wait: bool = True) -> bytes | None:
        try:
            return await core.get(seq, timeout=self._fetch_seconds, wait=wait)
        except (BlockNotAvailable, BlockOutOfRange):
            return None

    async def _run_contract(self, request: RunContract) -> ContractRun:
        try:
            compiled = await self._runner.compiled(request.source)
        except ContractSyntaxError as error:
            return ContractRun((), f"its source cannot run here: {error}")
        except ContractError as error:
            return ContractRun((), str(error))
        if request.runtime_id not in (None, compiled.runtime_id):
            mismatch = (
                f"it was made for runtime {request.runtime_id}, here is {compiled.runtime_id}"
            )
            return ContractRun((), mismatch)
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


def _apply_request(operation: OperationToApply) -> ApplyRequest:
    """Raises RecordError for what only the original could have stored."""
    ack = operation.ack
    metadata = plain_value_untrusted(ack.metadata)
    view = AckView(ack.origin.hex(), ack.seq, ack.ts, metadata)
    return ApplyRequest(plain_value_untrusted(operation.op), view)
