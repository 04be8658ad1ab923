"""Violations as exceptions and as files: what a user is told, keeps, and hands on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from blake3 import blake3

from protocol.errors import RecordError
from protocol.transparency import frauds as protocol_frauds
from protocol.transparency.proofs.log_frauds import LogFraudProof, read_log_fraud_proof_untrusted

from .config import write_file_atomically
from .errors import ContractViolated, NotFound, StoreDamaged
from .log_frauds import LogForkFraudProof, log_fraud

DIRECTORY_NAME = "fraud"

# A proof names one operation and two values; more than this was not written by us.
MAX_FRAUD_FILE_BYTES = 64 * 1024 * 1024


class ContractFraudProof(ContractViolated):
    """The executor published something that the contract does not produce.

    Attributes:
      id: names the proof in this directory, the hash of what it claims.
      proof: what was found, with the facts that show it.
      file: where the proof was written, None for a database in memory.
      operations: how many operations were verified before it; None for a proof read from its file.
    """

    def __init__(
        self,
        name: str,
        proof: protocol_frauds.ContractFraudProof,
        file: Path | None,
        operations: int | None = None,
    ) -> None:
        violation = proof.violation
        details = {} if file is None else {"proof": str(file)}
        super().__init__(
            f"The executor broke the contract ({violation.code}): {violation.reason}",
            unchanged="" if file is None else f"The proof is in {file}.",
            advice="Do not rely on this database from that point on.",
            code=str(violation.code),
            **details,
        )
        self.id = name
        self.proof = proof
        self.file = file
        self.operations = operations

    kind = "ContractFraudProof"

    @property
    def code(self) -> str:
        """Which rule was broken."""
        return str(self.proof.violation.code)

    @property
    def reason(self) -> str:
        """One sentence for people."""
        return self.proof.violation.reason

    @property
    def seq(self) -> int | None:
        """The index block that shows it."""
        return self.proof.violation.seq

    def to_json(self) -> str:
        """The proof as it stands in its file."""
        return self.proof.to_json()


KeptFraud: TypeAlias = ContractFraudProof | LogForkFraudProof


@dataclass
class FraudStore:
    """The proofs of one directory, each violation once, named by the hash of what it claims.

    The same violation seen under another head of the log is no other violation.
    """

    directory: Path | None
    _in_memory: dict[str, str] = field(default_factory=dict)

    def add(self, proof: protocol_frauds.ContractFraudProof, operations: int) -> ContractFraudProof:
        """Keep a proof found after so many operations; keeping it again changes nothing.

        Raises:
          StoreDamaged: the file cannot be written.
        """
        claim = replace(proof, length=0, runtime_id=None, evidence=None).to_json()
        name, path = self._write(claim, proof.to_json() + "\n", proof.evidence is not None)
        return ContractFraudProof(name, proof, path, operations)

    def add_log_fraud(self, proof: LogFraudProof, whose: str | None) -> LogForkFraudProof:
        """Keep a proof that a log was forked; keeping it again changes nothing.

        Raises:
          StoreDamaged: the file cannot be written.
        """
        text = proof.to_json() + "\n"
        name, path = self._write(text, text, False)
        return log_fraud(name, proof, path, whose)

    def _write(self, claim: str, text: str, is_better: bool) -> tuple[str, Path | None]:
        """Keep a proof's text; gives its name and file. One that is better replaces another."""
        name = blake3(claim.encode()).hexdigest()[:32]
        if self.directory is None:
            if is_better or name not in self._in_memory:
                self._in_memory[name] = text
            return name, None
        path = self.directory / f"{name}.json"
        try:
            self.directory.mkdir(mode=0o700, exist_ok=True)
            if is_better or not path.exists():
                write_file_atomically(path, text.encode())
        except OSError as error:
            raise StoreDamaged(f"The proof cannot be written to {path}: {error}.") from error
        return name, path

    def all(self) -> list[KeptFraud]:
        """All kept proofs, ordered by id."""
        if self.directory is None:
            names = sorted(self._in_memory)
        else:
            names = sorted(path.stem for path in self.directory.glob("*.json"))
        return [self.find(name) for name in names]

    def find(self, name: str) -> KeptFraud:
        """The proof of an id.

        Raises:
          NotFound: there is none.
          StoreDamaged: its file is damaged.
        """
        path = None if self.directory is None else self.directory / f"{name}.json"
        try:
            text = self._in_memory[name] if path is None else _read(path)
            if f'"{protocol_frauds.PROOF_MARKER}"' not in text:
                return log_fraud(name, read_log_fraud_proof_untrusted(text), path)
            proof = protocol_frauds.ContractFraudProof.from_json_untrusted(text)
        except (KeyError, FileNotFoundError):
            raise NotFound(
                f"There is no fraud proof {name} here.", advice="See all with `vitra fraud ls`."
            ) from None
        except (OSError, RecordError, UnicodeDecodeError) as error:
            raise StoreDamaged(f"The fraud proof in {path} is damaged: {error}.") from error
        return ContractFraudProof(name, proof, path)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_FRAUD_FILE_BYTES).decode()
