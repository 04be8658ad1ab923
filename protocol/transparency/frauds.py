"""What a replay can find: the codes, the violation with its facts, and the three verdicts.

*Verified* and *violated* are final. *Cannot tell* accuses no one: something is missing here
(blocks, a runtime, the end of a transaction) or another log is at fault. See specs/10-auditing.md.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from ..encoding.paths import format_key
from ..errors import RecordError
from .changes import Write
from .replay_state import ReplayState

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
    """

    database_key: bytes
    length: int
    runtime_id: str | None
    violation: Violation

    def to_json(self) -> str:
        """Write the proof as JSON; ``from_json_untrusted`` gives an equal one back."""
        violation = self.violation
        return json.dumps(
            {
                "vitraContractFraudProof": PROOF_FORMAT,
                "databaseKey": self.database_key.hex(),
                "length": self.length,
                "runtime": self.runtime_id,
                "code": violation.code.value,
                "reason": violation.reason,
                "seq": violation.seq,
                "ackSeq": violation.ack_seq,
                "origin": None if violation.origin is None else violation.origin.hex(),
                "opSeq": violation.op_seq,
                "operation": _base64(violation.operation),
                "expected": _write_to_json(violation.expected),
                "actual": _write_to_json(violation.actual),
                "expectedError": violation.expected_error,
                "actualError": violation.actual_error,
            },
            indent=2,
        )

    @classmethod
    def from_json_untrusted(cls, text: str) -> ContractFraudProof:
        """Read a proof.

        Raises:
          RecordError: not JSON, another format, or a field is missing or of another type.
        """
        try:
            document = json.loads(text)
            if document["vitraContractFraudProof"] != PROOF_FORMAT:
                raise RecordError("a contract fraud proof of another format")
            return cls._from_document(document)
        except (ValueError, TypeError, KeyError, BinasciiError, RecursionError) as error:
            raise RecordError(f"not a contract fraud proof: {error!r}") from error

    @classmethod
    def _from_document(cls, document: dict[str, Any]) -> ContractFraudProof:
        origin = _optional(document["origin"], str)
        return cls(
            database_key=bytes.fromhex(document["databaseKey"]),
            length=_integer(document["length"]),
            runtime_id=_optional(document["runtime"], str),
            violation=Violation(
                code=ViolationCode(document["code"]),
                reason=_text(document["reason"]),
                seq=_integer(document["seq"]),
                ack_seq=_optional(document["ackSeq"], int),
                origin=None if origin is None else bytes.fromhex(origin),
                op_seq=_optional(document["opSeq"], int),
                operation=_from_base64(document["operation"]),
                expected=_write_from_json(document["expected"]),
                actual=_write_from_json(document["actual"]),
                expected_error=_optional(document["expectedError"], str),
                actual_error=_optional(document["actualError"], str),
            ),
        )


def _write_to_json(write: Write | None) -> dict[str, str | None] | None:
    if write is None:
        return None
    key, value = write
    return {"path": format_key(key), "key": _base64(key), "value": _base64(value)}


def _write_from_json(document: Any) -> Write | None:
    if document is None:
        return None
    key = _from_base64(document["key"])
    if key is None:
        raise TypeError("a write has a key")
    return key, _from_base64(document["value"])


def _base64(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode("ascii")


def _from_base64(text: Any) -> bytes | None:
    return None if text is None else b64decode(_text(text), validate=True)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is not a count")
    return value


def _optional(value: Any, kind: type[Any]) -> Any:
    if value is None:
        return None
    return _integer(value) if kind is int else _text(value)
