"""Logs signed in two histories, as exceptions: what a user is told and can hand on."""

from __future__ import annotations

from pathlib import Path

from protocol.transparency.proofs import log_frauds as protocol_log_frauds
from protocol.transparency.proofs.log_frauds import LogFraudProof

from .errors import LogForked


class LogForkFraudProof(LogForked):
    """The writer of a log of the database took back what it had signed.

    Attributes:
      id: names the proof in this directory, the hash of its content.
      proof: the signed statements; anyone can check them.
      file: where the proof was written, None for a database in memory.
      whose: ``"executor"`` for the index, ``"participant"`` for an oplog; None when not known here.
      operations: how many operations were verified, None where nothing was.
    """

    kind = "LogForkFraudProof"
    code = "LogFork"

    def __init__(
        self,
        name: str,
        proof: LogFraudProof,
        file: Path | None,
        whose: str | None = None,
        operations: int | None = None,
    ) -> None:
        details = {} if file is None else {"proof": str(file)}
        advice = {
            "executor": "Do not rely on this database: others were shown another one.",
            "participant": "Its operations are not accepted any more; nobody else is at fault.",
        }
        super().__init__(
            proof.reason,
            unchanged="" if file is None else f"The proof is in {file}.",
            advice="" if whose is None else advice[whose],
            code=self.code,
            log=proof.log_key.hex(),
            **details,
        )
        self.id = name
        self.proof = proof
        self.file = file
        self.whose = whose
        self.operations = operations

    @property
    def reason(self) -> str:
        """One sentence for people."""
        return self.proof.reason

    @property
    def seq(self) -> int | None:
        """The block that shows it: none here, as in other proofs."""
        return None

    def to_json(self) -> str:
        """The proof as it stands in its file."""
        return self.proof.to_json()


class BlockRewriteFraudProof(LogForkFraudProof):
    """The same without a raised fork number: two signed heads that no single history has."""

    kind = "BlockRewriteFraudProof"
    code = "BlockRewrite"


def log_fraud(
    name: str,
    proof: LogFraudProof,
    file: Path | None,
    whose: str | None = None,
    operations: int | None = None,
) -> LogForkFraudProof:
    """The exception for a proof of either kind."""
    is_rewrite = isinstance(proof, protocol_log_frauds.BlockRewriteFraudProof)
    kind = BlockRewriteFraudProof if is_rewrite else LogForkFraudProof
    return kind(name, proof, file, whose, operations)
