"""Checks proof files of every kind, with nothing but the file: no store, no network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from protocol.encoding.msgpack import unpack_untrusted
from protocol.encoding.paths import format_key
from protocol.errors import DecodeError, ProofError, RecordError
from protocol.transparency import frauds
from protocol.transparency.proofs import consistency, inclusion, log_frauds, result_proof

from ..errors import NotFound, UsageProblem
from .failures import telling
from .json_values import to_json

# Evidence of an operation that reads and writes as much as one may.
MAX_PROOF_FILE_BYTES = 256 * 1024 * 1024

VERIFIED, VIOLATED, REJECTED, CANNOT_TELL = "verified", "violated", "rejected", "cannot tell"


def check_proof(file: Path, key: bytes | None) -> dict[str, Any]:
    """Check a proof file; gives what ``proof check`` prints.

    ``key``: of the database or log that it has to be about; whatever it names if None.

    Raises VitraError: NotFound without the file, UsageProblem when it holds no proof.
    """
    document = _read(file)
    for marker, kind, check in _KINDS:
        if isinstance(document, dict) and marker in document:
            try:
                return {"kind": kind, **check(json.dumps(document), key)}
            except RecordError as error:
                raise UsageProblem(
                    f"{file} is damaged: {error}.", unchanged="Nothing was checked."
                ) from error
    raise UsageProblem(
        f"{file} holds no proof that this program knows.",
        unchanged="Nothing was checked.",
        advice="Proofs are written by `vitra fraud export`, `vitra tx prove` and "
        "`vitra proof consistency`.",
    )


def _contract_fraud(text: str, key: bytes | None) -> dict[str, Any]:
    from ..ledger.contract_runner import ContractRunner
    from ..roles.proof_check import check_contract_fraud

    proof = frauds.ContractFraudProof.from_json_untrusted(text)

    async def check() -> dict[str, Any]:
        async with ContractRunner.open() as runner:
            found = await check_contract_fraud(proof, runner, database_key=key)
        answer = {"verdict": found.verdict, "reason": found.reason}
        return answer if found.code is None else {**answer, "code": found.code}

    with telling():
        answer = trio.run(check)
    return {**answer, "key": proof.database_key.hex(), "seq": proof.violation.seq}


def _log_fraud(text: str, key: bytes | None) -> dict[str, Any]:
    proof = log_frauds.read_log_fraud_proof_untrusted(text)
    answer = {"key": proof.log_key.hex()}
    try:
        proof.check_untrusted(key)
    except ProofError as error:
        return {**answer, "verdict": REJECTED, "reason": f"It does not hold: {error}."}
    return {**answer, "verdict": VIOLATED, "reason": proof.reason}


def _inclusion(text: str, key: bytes | None) -> dict[str, Any]:
    proof = inclusion.InclusionProof.from_json_untrusted(text)
    answer = {"key": proof.log_key.hex(), "seq": proof.block.index}
    try:
        proven = proof.check_untrusted(key)
    except ProofError as error:
        return {**answer, "verdict": REJECTED, "reason": f"It does not hold: {error}."}
    reason = (
        f"The log's writer signed {proven.head.length} blocks, and block {proven.index} is the one "
        "in the proof."
    )
    return {**answer, "verdict": VERIFIED, "reason": reason}


def _consistency(text: str, key: bytes | None) -> dict[str, Any]:
    proof = consistency.ConsistencyProof.from_json_untrusted(text)
    answer = {"key": proof.log_key.hex()}
    try:
        proof.check_untrusted(key)
    except ProofError as error:
        return {**answer, "verdict": REJECTED, "reason": f"It does not hold: {error}."}
    earlier, later = proof.earlier, proof.later
    signed = earlier.signature is not None
    reason = (
        f"The log's writer signed {later.length} blocks, of which the first {earlier.length} are "
        f"those with the {'signed ' if signed else ''}tree in the proof."
    )
    return {
        **answer,
        "verdict": VERIFIED,
        "reason": reason,
        "from": earlier.length,
        "to": later.length,
        "roots": [root.hash.hex() for root in earlier.roots],
    }


def _result(text: str, key: bytes | None) -> dict[str, Any]:
    proof = result_proof.ResultProof.from_json_untrusted(text)
    answer = {"key": proof.database_key.hex(), "oplog": proof.origin.hex(), "op": proof.op_seq}
    try:
        proven = proof.check_untrusted(key)
    except ProofError as error:
        return {**answer, "verdict": REJECTED, "reason": f"It does not hold: {error}."}
    ack = proven.ack
    outcome = "success" if ack.success else f"failure ({ack.error})"
    reason = (
        f"The executor signed {proven.length} index blocks, and in them {outcome} of operation "
        f"{ack.seq} with {len(proven.changes)} changes."
    )
    changes = [{"path": format_key(k), "value": _shown(value)} for k, value in proven.changes]
    return {
        **answer,
        "verdict": VERIFIED,
        "reason": reason,
        "seq": proven.ack_seq,
        "success": ack.success,
        "changes": changes,
    }


def _shown(value: bytes | None) -> Any:
    """A written value for people; null for a deletion, or for what is no value."""
    try:
        return None if value is None else to_json(unpack_untrusted(value))
    except DecodeError:
        return None


_KINDS: tuple[tuple[str, str, Callable[[str, bytes | None], dict[str, Any]]], ...] = (
    (frauds.PROOF_MARKER, "ContractFraudProof", _contract_fraud),
    (log_frauds.FORK_MARKER, "LogForkFraudProof", _log_fraud),
    (log_frauds.REWRITE_MARKER, "BlockRewriteFraudProof", _log_fraud),
    (result_proof.PROOF_MARKER, "ResultProof", _result),
    (inclusion.PROOF_MARKER, "BlockInclusionProof", _inclusion),
    (consistency.PROOF_MARKER, "ConsistencyProof", _consistency),
)


def _read(file: Path) -> Any:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_PROOF_FILE_BYTES + 1)
        if len(data) > MAX_PROOF_FILE_BYTES:
            raise UsageProblem(f"{file} is larger than any proof.")
        return json.loads(data)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {file}.") from error
    except OSError as error:
        raise UsageProblem(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageProblem(f"{file} is not JSON.", unchanged="Nothing was checked.") from error
