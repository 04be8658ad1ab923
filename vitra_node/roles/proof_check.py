"""Checks a contract fraud proof with nothing but its file: replays its operation in the sandbox.

No store and no network. The blocks come from the proof, all of them verified against the key of the
database; the replay is the one that ``verify`` and monitors use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.errors import BeeBlockError, ProofError, RecordError
from protocol.transparency.frauds import (
    CannotTell,
    ContractFraudProof,
    UncertaintyCode,
    Violated,
    Violation,
)
from protocol.transparency.proofs.evidence import ProvenEvidence
from protocol.transparency.proofs.extract import ProvenLog
from protocol.transparency.replay.requests import OperationFacts

from ..ledger.contract_runner import ContractRunner
from ..ledger.index_view import IndexView
from ..storage.errors import BlockNotAvailable
from .auditor import Auditor

VIOLATED, REJECTED, CANNOT_TELL = "violated", "rejected", "cannot tell"


@dataclass(frozen=True, slots=True)
class ProofVerdict:
    """What a proof file is worth.

    Attributes:
      verdict: ``"violated"``: the executor broke the contract, and the proof shows it.
        ``"rejected"``: the file shows no such thing. ``"cannot tell"``: it needs a runtime that is
        not installed here, or the machine failed.
      reason: one sentence.
      code: of the violation, if it is shown.
    """

    verdict: str
    reason: str
    code: str | None = None


async def check_contract_fraud(
    proof: ContractFraudProof, runner: ContractRunner, *, database_key: bytes | None = None
) -> ProofVerdict:
    """Check a proof, against the key of a known database or for whatever database it names."""
    try:
        evidence = _check_blocks(proof, database_key)
    except ProofError as error:
        return ProofVerdict(REJECTED, f"The evidence does not verify: {error}.")
    operations = _ProvenOperations(evidence)
    auditor = Auditor(IndexView(_ProvenCore(evidence.index)), operations, runner, read_ahead=1)
    try:
        found = await auditor.run_one(evidence.start, evidence.index.head.length)
    except (BlockNotAvailable, BeeBlockError, RecordError) as error:
        return ProofVerdict(REJECTED, f"The evidence is not complete: {error}.")
    if isinstance(found, CannotTell):
        if found.code is UncertaintyCode.CONTRACT_NOT_RUN:
            return ProofVerdict(CANNOT_TELL, found.reason)
        return ProofVerdict(REJECTED, f"The evidence is not complete: {found.reason}")
    if not isinstance(found, Violated):
        return ProofVerdict(REJECTED, "The executor did what the contract says.")
    if not _is_same(found.violation, proof.violation) or proof.runtime_id != found.state.runtime_id:
        return ProofVerdict(
            REJECTED, f"The evidence shows something else ({found.violation.code})."
        )
    return ProofVerdict(VIOLATED, found.violation.reason, str(found.violation.code))


def _check_blocks(proof: ContractFraudProof, database_key: bytes | None) -> ProvenEvidence:
    if database_key is not None and proof.database_key != database_key:
        raise ProofError("the proof is about another database")
    if proof.evidence is None:
        raise ProofError("there is none; the proof can be checked only where the database is")
    evidence = proof.evidence.check_untrusted(proof.database_key)
    if evidence.index.head.length != proof.length:
        raise ProofError("it is of another length of the index")
    violation = proof.violation
    shown = [(log.log_key, dict(log.blocks)) for log in evidence.oplogs.values()]
    named = [(violation.origin, {violation.op_seq: violation.operation})]
    if shown != (named if violation.operation is not None else []):
        raise ProofError("it shows other operations than the one that the proof is about")
    return evidence


def _is_same(found: Violation, claimed: Violation) -> bool:
    """Whether a proof says what its evidence shows. The sentence is for people."""
    fields = (
        *("code", "seq", "ack_seq", "origin", "op_seq", "operation"),
        *("expected", "actual", "expected_error", "actual_error"),
    )
    return all(getattr(found, name) == getattr(claimed, name) for name in fields)


class _ProvenCore:
    """The blocks of a checked extract, read like a log that has no others."""

    def __init__(self, log: ProvenLog) -> None:
        self.key = log.log_key
        self.length = log.head.length
        self.fork = log.head.fork
        self.writable = False
        self._blocks = log.blocks

    def local_block(self, index: int) -> bytes | None:
        return self._blocks.get(index)

    async def get(
        self,
        index: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  (as Hypercore.get)
        wait: bool = True,
    ) -> bytes:
        block = self._blocks.get(index)
        if block is None:
            raise BlockNotAvailable(f"index block {index} is not in the proof")
        return block

    async def append(self, blocks: Sequence[bytes]) -> int:
        raise AssertionError("an index that is replayed is not written to")


class _ProvenOperations:
    """The operations of checked evidence."""

    def __init__(self, evidence: ProvenEvidence) -> None:
        self._evidence = evidence

    async def operation(self, origin: bytes, seq: int) -> OperationFacts | None:
        return self._evidence.operation(origin, seq)

    async def is_forked(self, origin: bytes) -> bool:
        # The file shows one history. Who knows of another shows that: a proof of its own.
        return False
