"""Gathers what a stranger needs to find a violation again: replays the operation, and records.

The replay is the ordinary one, over an index and oplogs that write down what is read of them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from protocol.errors import BeeBlockError, LocalProtocolError, RecordError
from protocol.transparency.frauds import ContractFraudProof, Violated
from protocol.transparency.proofs.evidence import Evidence
from protocol.transparency.proofs.extract import extract_blocks
from protocol.transparency.replay.requests import OperationFacts

from ..ledger.contract_runner import ContractRunner
from ..ledger.index_view import IndexView
from ..ledger.oplogs import OplogSet
from ..storage.errors import StorageError
from ..storage.log.hypercore import Hypercore
from .auditor import Auditor
from .stored_operations import StoredOperations

log = logging.getLogger("vitra.evidence")

# The index of a database in use may grow while a proof is made; it is then made again.
_TRIES = 5


class RecordedCore:
    """The index log, with a list of the blocks that were read.

    Attributes:
      read: their numbers.
    """

    def __init__(self, core: Hypercore) -> None:
        self.read: set[int] = set()
        self._core = core

    @property
    def key(self) -> bytes:
        return self._core.key

    @property
    def length(self) -> int:
        return self._core.length

    @property
    def fork(self) -> int:
        return self._core.fork

    @property
    def writable(self) -> bool:
        return False

    def local_block(self, index: int) -> bytes | None:
        block = self._core.local_block(index)
        if block is not None:
            self.read.add(index)
        return block

    async def get(
        self,
        index: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  (as Hypercore.get)
        wait: bool = True,
    ) -> bytes:
        block = await self._core.get(index, timeout=timeout, wait=wait)
        self.read.add(index)
        return block

    async def append(self, blocks: Sequence[bytes]) -> int:
        raise AssertionError("an index that is replayed is not written to")


class RecordedOperations:
    """An ``OperationSource`` with a list of the operations that were read.

    Attributes:
      read: oplog and number of each.
    """

    def __init__(self, source: StoredOperations) -> None:
        self.read: set[tuple[bytes, int]] = set()
        self._source = source

    async def operation(self, origin: bytes, seq: int) -> OperationFacts | None:
        facts = await self._source.operation(origin, seq)
        if facts is not None:
            self.read.add((origin, seq))
        return facts

    async def is_forked(self, origin: bytes) -> bool:
        return await self._source.is_forked(origin)


async def prove_violation(
    core: Hypercore,
    oplogs: OplogSet,
    verdict: Violated,
    length: int,
    cache: Path | None,
) -> ContractFraudProof:
    """The proof of a violation that a replay of the index up to ``length`` has found.

    It has evidence unless that cannot be gathered, which the log then tells.
    """
    runtime_id = verdict.state.runtime_id
    plain = ContractFraudProof(core.key, length, runtime_id, verdict.violation)
    # A fresh runner: its workers remember nothing of the index, so they ask for all they need.
    async with ContractRunner.open(cache) as runner:
        for _ in range(_TRIES):
            try:
                proof = await _replay_once(core, oplogs, runner, verdict)
            except (StorageError, LocalProtocolError, RecordError, BeeBlockError) as error:
                log.warning("a fraud proof has no evidence: %s", error)
                return plain
            if proof is not None:
                return proof
    log.warning("a fraud proof has no evidence: the replay of the operation alone found nothing")
    return plain


async def _replay_once(
    core: Hypercore, oplogs: OplogSet, runner: ContractRunner, verdict: Violated
) -> ContractFraudProof | None:
    """Replay the operation under the newest head; None if that changed meanwhile."""
    head, start = core.head, verdict.state.position
    recorded, operations = RecordedCore(core), RecordedOperations(StoredOperations(oplogs))
    auditor = Auditor(IndexView(recorded), operations, runner, read_ahead=1)
    found = await auditor.run_one(start, head.length)
    if not isinstance(found, Violated) or core.head is not head:
        return None
    extracts = []
    for origin, seq in sorted(operations.read):
        oplog = (await oplogs.open(origin)).core
        extracts.append(extract_blocks(oplog.storage, {seq}))
    evidence = Evidence(start, extract_blocks(core.storage, recorded.read), tuple(extracts))
    return ContractFraudProof(
        core.key, head.length, found.state.runtime_id, found.violation, evidence
    )
