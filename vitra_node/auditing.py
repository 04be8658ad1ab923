"""Everything of a database that checks and proves: ``verify``, monitors, and the proofs kept."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import trio

from protocol.transparency.frauds import CannotTell, Verdict, Verified, Violated
from protocol.transparency.proofs.log_frauds import LogFraudProof
from protocol.transparency.proofs.result_proof import ResultProof
from protocol.transparency.replay.state import FIRST_ENTRY_SEQ, START

from .errors import CannotTellYet, StoreDamaged, UsageProblem
from .frauds import ContractFraudProof, FraudStore
from .ledger.contract_runner import ContractRunner
from .ledger.index import Index
from .ledger.oplogs import OplogSet
from .log_frauds import LogForkFraudProof, log_fraud
from .nursery import open_owned_nursery
from .progress import Progress
from .roles.auditor import Auditor
from .roles.audits.audit import Audit, Sample, Scope
from .roles.checkpoints import Checkpoints
from .roles.evidence import prove_violation
from .roles.monitor import Monitor
from .roles.result_proofs import prove_result, verify_one
from .roles.stored_operations import StoredOperations
from .storage.environments.records import Records
from .transactions import Transaction

log = logging.getLogger("vitra.database")

# How long ``verify`` waits for one block from peers before it says that it cannot tell.
VERIFY_FETCH_SECONDS = 15.0

# Each job takes two processes of together about 80 MB; more than processors are of no use.
MAX_JOBS = 64
# Below this a sample of the longest log that anyone has is empty.
MIN_PROBABILITY = 1e-9
MAX_SEED_CHARS = 1024

_WHOLE = Scope()


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a verification came to.

    Attributes:
      verdict: ``"verified"`` or ``"cannot tell"``; a violation is raised instead.
      operations: how many operations were verified.
      index_length: up to which block the index was verified.
      seconds: how long it took.
      reason: why there is no verdict beyond that, None when verified.
      start: the index block it began with; what is before was not looked at.
      sample: which operations it looked at, None for all.
    """

    verdict: str
    operations: int
    index_length: int
    seconds: float
    reason: str | None = None
    start: int = FIRST_ENTRY_SEQ
    sample: Sample | None = None


class Auditing:
    """Audits one database with what is here and what its peers give.

    Args:
      cache: where compiled contracts are kept, None for nowhere.
      records: where monitors leave how far they came.
      is_connected: whether there is a peer to ask, or one may come.

    Attributes:
      frauds: the proofs that were found or received.
    """

    def __init__(
        self,
        index: Index,
        oplogs: OplogSet,
        runner: ContractRunner,
        frauds: FraudStore,
        cache: Path | None,
        records: Records,
        is_connected: Callable[[], bool],
    ) -> None:
        self.frauds = frauds
        self._index = index
        self._oplogs = oplogs
        self._runner = runner
        self._cache = cache
        self._checkpoints = Checkpoints(records, index.core)
        self._is_connected = is_connected
        self._forks: dict[bytes, LogForkFraudProof] = {}
        self._monitors: list[Monitor] = []

    async def verify(self, scope: Scope = _WHOLE, progress: Progress | None = None) -> VerifyReport:
        """Replay the index as it is now, or what ``scope`` says of it, and compare.

        Raises:
          LogForkFraudProof: the index or an oplog was signed in two histories; the proof is kept.
            Of an oplog this is raised when the executor kept to the contract: not it is at fault.
          ContractFraudProof: the executor broke the contract; the proof is kept.
          CannotTellYet: nothing of the database is here, or not as much as the scope begins with.
          UsageProblem: there is no such scope.
        """
        _check(scope)
        self._raise_fork(self._index.key)
        length = self._index.core.length
        if length == 0:
            raise CannotTellYet(
                "Nothing of this database is here yet.", advice="Connect to a peer that has it."
            )
        if scope.start > length:
            raise CannotTellYet(
                f"The index has {length} blocks here, and block {scope.start} is behind them.",
                advice="Get what is newer with `vitra sync`.",
            )
        seconds = VERIFY_FETCH_SECONDS if self._is_connected() else 0.0
        audit = Audit(
            self._index.core,
            length,
            lambda: StoredOperations(self._oplogs, seconds),
            self._runner,
            self._cache,
            seconds,
            progress,
        )
        started = trio.current_time()
        with self._fetching_what_is_read(scope):
            outcome = await audit.run(scope)
        verdict = outcome.verdict
        if isinstance(verdict, Violated):
            raise await self._keep_violation(verdict, length, outcome.operations)
        for key in (self._index.key, *sorted(self._forks)):
            self._raise_fork(key, outcome.operations)
        unknown = verdict if isinstance(verdict, CannotTell) else None
        return VerifyReport(
            verdict="verified" if unknown is None else "cannot tell",
            operations=outcome.operations,
            index_length=verdict.state.position if scope.sample is None else length,
            seconds=trio.current_time() - started,
            reason=None if unknown is None else unknown.reason,
            start=outcome.start,
            sample=scope.sample,
        )

    async def verify_transaction(self, tx: Transaction) -> Verdict:
        """Replay the operations of one transaction alone; gives the first verdict that is not good.

        It needs few blocks, also of a large database, and fetches those that are not here.
        """
        seconds = VERIFY_FETCH_SECONDS if self._is_connected() else 0.0
        operations = StoredOperations(self._oplogs, seconds)
        index = self._index.within(lambda: seconds)
        auditor = Auditor(index, operations, self._runner, fetch_seconds=seconds, read_ahead=1)
        verdict: Verdict = Verified(START)
        for operation in tx.operations:
            verdict = await verify_one(index, auditor, operation.oplog, operation.seq)
            if not isinstance(verdict, Verified):
                break
        return verdict

    async def prove_transaction(self, tx: Transaction) -> list[ResultProof]:
        """A proof for each operation of a transaction: its ack and every change, signed.

        Raises:
          CannotTellYet: an operation is not executed yet.
          BlockNotAvailable: a block is missing here, and no peer gave it in time.
        """
        seconds = VERIFY_FETCH_SECONDS if self._is_connected() else 0.0
        index = self._index.within(lambda: seconds)
        return [
            await prove_result(index, self._oplogs, operation.oplog, operation.seq, seconds)
            for operation in tx.operations
        ]

    @asynccontextmanager
    async def monitor(self) -> AsyncIterator[Monitor]:
        """Verify the index and then what it grows by; iterate for the events.

        It begins where an earlier monitor of this store ended, if the index still extends the head
        that was verified then; else at the beginning.
        """
        auditor = Auditor(self._index, StoredOperations(self._oplogs), self._runner)
        monitor = Monitor(self._index.core, auditor, self._keep_violation, self._checkpoints)
        for proof in self._forks.values():
            monitor.forked(proof)
        self._monitors.append(monitor)
        try:
            async with open_owned_nursery() as nursery:
                nursery.start_soon(monitor.run)
                yield monitor
        finally:
            self._monitors.remove(monitor)

    @property
    def forks(self) -> list[LogForkFraudProof]:
        """The logs that are proven to be forked."""
        return list(self._forks.values())

    def keep_fork(self, proof: LogFraudProof) -> None:
        """A log of ours, or of somebody else, is proven to have two histories."""
        if proof.log_key in self._forks:
            return
        whose = "executor" if proof.log_key == self._index.key else "participant"
        try:
            kept = self.frauds.add_log_fraud(proof, whose)
        except StoreDamaged as failure:
            # The store has it as well; a full disk must not end the node that found a fork.
            log.error("%s", failure)
            kept = log_fraud("", proof, None, whose)
        self._forks[proof.log_key] = kept
        for monitor in self._monitors:
            monitor.forked(kept)

    def _fetching_what_is_read(self, scope: Scope) -> AbstractContextManager[None]:
        """Have a sparse copy fetch ahead of the replay, rather than block by block."""
        core = self._index.core
        reads_all = scope.sample is None and not core.writable
        return core.tail(scope.start) if reads_all else nullcontext()

    def _raise_fork(self, key: bytes, operations: int | None = None) -> None:
        kept = self._forks.get(key)
        if kept is not None:
            raise log_fraud(kept.id, kept.proof, kept.file, kept.whose, operations)

    async def _keep_violation(
        self, verdict: Violated, length: int, operations: int | None = None
    ) -> ContractFraudProof:
        proof = await prove_violation(self._index.core, self._oplogs, verdict, length, self._cache)
        verified = verdict.state.operations if operations is None else operations
        return self.frauds.add(proof, verified)


def _check(scope: Scope) -> None:
    """Raises UsageProblem for what is no scope."""
    unchanged = "Nothing was verified."
    if not 1 <= scope.jobs <= MAX_JOBS:
        raise UsageProblem(f"There can be 1 to {MAX_JOBS} jobs.", unchanged=unchanged)
    sample = scope.sample
    if sample is None:
        return
    if not MIN_PROBABILITY <= sample.probability <= 1:
        raise UsageProblem(
            f"A sample takes each operation with a probability from {MIN_PROBABILITY:g} to 1.",
            unchanged=unchanged,
        )
    if len(sample.seed) > MAX_SEED_CHARS:
        raise UsageProblem(f"A seed has at most {MAX_SEED_CHARS} characters.", unchanged=unchanged)
