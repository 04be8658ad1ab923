"""What a replay can find: the codes, the violation with its facts, and the three verdicts.

*Verified* and *violated* are final. *Cannot tell* accuses no one: something is missing here
(blocks, a runtime, the end of a transaction) or another log is at fault. See specs/10-auditing.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from ..encoding.paths import format_key
from ..errors import RecordError
from .changes import Write
from .proofs.evidence import Evidence
from .proofs.json_fields import (
    base64_of,
    field,
    load_untrusted,
    optional,
    read_bytes,
    read_count,
    read_key,
    read_text,
)
from .replay.state import ReplayState

PROOF_MARKER: Final = "vitraContractFraudProof"
PROOF_FORMAT: Final = 1


class ViolationCode(StrEnum):
    """How an index breaks the rules. The first nine are the original's."""

    UNEXPECTED_PATH = "UnexpectedPath"
    INVALID_SCHEMA = "InvalidSchema"
    NO_GENESIS_INPUTS_DECLARED = "NoGenesisInputsDeclared"
    NON_PARTICIPANT = "NonParticipant"
    PROCESSED_OUT_OF_ORDER = "ProcessedOutOfOrder"
    CHANGE_MISMATCH = "ChangeMismatch"
    CHANGE_NOT_PRODUCED_BY_MONITOR = "ChangeNotProducedByMonitor"
    CHANGE_NOT_PRODUCED_BY_EXECUTOR = "ChangeNotProducedByExecutor"
    MONITOR_APPLY_FAILED = "MonitorApplyFailed"
    CHANGES_OUT_OF_ORDER = "ChangesOutOfOrder"
    NUM_CHANGES_MISMATCH = "NumChangesMismatch"
    OPERATION_MISMATCH = "OperationMismatch"
    OUTCOME_MISMATCH = "OutcomeMismatch"
    TIMESTAMP_DECREASED = "TimestampDecreased"
    INDEX_PAGES_MISMATCH = "IndexPagesMismatch"


class UncertaintyCode(StrEnum):
    """Why there is no verdict (yet)."""

    UNEXPECTED_SEQ = "UnexpectedSeq"
    CANNOT_FETCH_OP = "CannotFetchOp"
    CANNOT_FETCH_INDEX = "CannotFetchIndex"
    UNFINISHED_GENESIS = "UnfinishedGenesis"
    UNFINISHED_TRANSACTION = "UnfinishedTransaction"
    UNKNOWN_FORMAT = "UnknownFormat"
    CONTRACT_NOT_RUN = "ContractNotRun"
    OPLOG_FORKED = "OplogForked"
    OPERATION_DISPUTED = "OperationDisputed"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule, with the facts that show it.

    Attributes:
      code: which rule.
      reason: one sentence for people.
      seq: the index block that shows it.
      ack_seq: the index block with the ack of the transaction, None in the genesis.
      origin: public key of the oplog, None in the genesis.
      op_seq: number of the operation in its oplog.
      operation: the operation's block.
      expected: the write the contract makes, or None where it makes none.
      actual: the write found in the index, or None where there is none.
      expected_error: the text with which the contract failed when replayed.
      actual_error: the text in the ack.
    """

    code: ViolationCode
    reason: str
    seq: int
    ack_seq: int | None = None
    origin: bytes | None = None
    op_seq: int | None = None
    operation: bytes | None = None
    expected: Write | None = None
    actual: Write | None = None
    expected_error: str | None = None
    actual_error: str | None = None

    def at_operation(
        self, ack_seq: int, origin: bytes, op_seq: int, operation: bytes | None
    ) -> Violation:
        """The same, with the operation it belongs to."""
        return replace(self, ack_seq=ack_seq, origin=origin, op_seq=op_seq, operation=operation)


@dataclass(frozen=True, slots=True)
class Verified:
    """Everything asked for was replayed and stands; ``state`` is where the next replay starts."""

    state: ReplayState


@dataclass(frozen=True, slots=True)
class Violated:
    """A rule is broken; ``state`` is the end of what was verified before it."""

    violation: Violation
    state: ReplayState


@dataclass(frozen=True, slots=True)
class CannotTell:
    """No verdict beyond ``state``, up to which everything was verified.

    Attributes:
      code: the kind of the obstacle.
      reason: one sentence for people, naming what is missing.
      seq: the index block at which the replay stands.
      state: the end of what was verified.
    """

    code: UncertaintyCode
    reason: str
    seq: int
    state: ReplayState


Verdict: TypeAlias = Verified | Violated | CannotTell


@dataclass(frozen=True, slots=True)
class ContractFraudProof:
    """A violation, the database it was found in, and the runtime that replayed it.

    Attributes:
      database_key: key of the index, 32 bytes.
      length: length of the index at which it was seen.
      runtime_id: the contract runtime of the replay, None for databases of the original.
      violation: what was found.
      evidence: what a stranger needs to find the same; None where it could not be gathered.
    """

    database_key: bytes
    length: int
    runtime_id: str | None
    violation: Violation
    evidence: Evidence | None = None

    def to_json(self) -> str:
        """Write the proof as JSON; ``from_json_untrusted`` gives an equal one back."""
        violation = self.violation
        return json.dumps(
            {
                PROOF_MARKER: PROOF_FORMAT,
                "databaseKey": self.database_key.hex(),
                "length": self.length,
                "runtime": self.runtime_id,
                "code": violation.code.value,
                "reason": violation.reason,
                "seq": violation.seq,
                "ackSeq": violation.ack_seq,
                "origin": None if violation.origin is None else violation.origin.hex(),
                "opSeq": violation.op_seq,
                "operation": base64_of(violation.operation),
                "expected": _write_to_json(violation.expected),
                "actual": _write_to_json(violation.actual),
                "expectedError": violation.expected_error,
                "actualError": violation.actual_error,
                "evidence": None if self.evidence is None else self.evidence.to_json(),
            },
            indent=1,
        )

    @classmethod
    def from_json_untrusted(cls, text: str) -> ContractFraudProof:
        """Read a proof.

        Raises:
          RecordError: not JSON, another format, or a field is missing or of another type.
        """
        document = load_untrusted(text, PROOF_MARKER, PROOF_FORMAT)
        code = read_text(document, "code")
        if code not in {known.value for known in ViolationCode}:
            raise RecordError(f"{code} is no code of a violation")
        return cls(
            database_key=read_key(document, "databaseKey"),
            length=read_count(document, "length"),
            runtime_id=optional(document, "runtime", read_text),
            violation=Violation(
                code=ViolationCode(code),
                reason=read_text(document, "reason"),
                seq=read_count(document, "seq"),
                ack_seq=optional(document, "ackSeq", read_count),
                origin=optional(document, "origin", read_key),
                op_seq=optional(document, "opSeq", read_count),
                operation=optional(document, "operation", read_bytes),
                expected=optional(document, "expected", _read_write),
                actual=optional(document, "actual", _read_write),
                expected_error=optional(document, "expectedError", read_text),
                actual_error=optional(document, "actualError", read_text),
            ),
            evidence=optional(document, "evidence", _read_evidence),
        )


def _read_evidence(document: Any, name: str) -> Evidence:
    return Evidence.from_json_untrusted(field(document, name))


def _write_to_json(write: Write | None) -> dict[str, str | None] | None:
    if write is None:
        return None
    key, value = write
    # The path is for people; the key is what counts.
    return {"path": format_key(key), "key": base64_of(key), "value": base64_of(value)}


def _read_write(document: Any, name: str) -> Write:
    write = field(document, name)
    return read_bytes(write, "key"), optional(write, "value", read_bytes)
