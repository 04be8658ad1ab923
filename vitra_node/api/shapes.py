"""The JSON of each thing that methods answer with. Scripts rely on these fields; only add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.transparency.audits.sampling import altered_for, chance_to_see
from protocol.transparency.replay.state import FIRST_ENTRY_SEQ

from ..roles.monitor import ForkFound, MonitorEvent, Validated, ViolationFound
from .json_values import to_json

if TYPE_CHECKING:
    from ..auditing import VerifyReport
    from ..contracts.engine import Entry
    from ..database import Database
    from ..frauds import ContractFraudProof, KeptFraud
    from ..ledger.index import HistoryEntry
    from ..ledger.oplogs import Oplog
    from ..log_frauds import LogForkFraudProof
    from ..net.swarm.swarm import Swarm
    from ..transactions import Operation, Result, Transaction


def entry_shape(entry: Entry) -> dict[str, Any]:
    """One entry of the index."""
    return {"path": entry.path, "seq": entry.seq, "value": to_json(entry.value)}


def listed_entry_shape(entry: Entry) -> dict[str, Any]:
    """One entry of a listing; a container stands for everything below its path."""
    return {**entry_shape(entry), "name": entry.name, "container": entry.container}


def oplog_shape(oplog: Oplog) -> dict[str, Any]:
    """One participant's log."""
    return {
        "key": oplog.key.hex(),
        "length": oplog.length,
        "active": oplog.active,
        "writable": oplog.writable,
    }


def operation_shape(operation: Operation) -> dict[str, Any]:
    """One operation as it stands in its oplog."""
    return {
        "oplog": operation.oplog.hex(),
        "seq": operation.seq,
        "value": to_json(operation.value),
    }


def history_shape(entry: HistoryEntry) -> dict[str, Any]:
    """One block of the index log: a value put or deleted."""
    return {
        "seq": entry.seq,
        "type": entry.type,
        "path": entry.path,
        "value": to_json(entry.value),
    }


async def transaction_shape(transaction: Transaction) -> dict[str, Any]:
    """What ``call`` answers, and ``tx show``."""
    return {
        "response": to_json(transaction.response),
        "tx": transaction.id,
        "operations": [operation_shape(operation) for operation in transaction.operations],
        "stage": await transaction.stage(),
        "method": transaction.method,
        "params": to_json(transaction.params),
    }


def result_shape(result: Result) -> dict[str, Any]:
    """What became of one operation: its ack, and the changes the contract made."""
    return {
        "operation": operation_shape(result.operation),
        "ack": to_json(result.ack),
        "ack_seq": result.ack_seq,
        "changes": [history_shape(change) for change in result.changes],
    }


async def processed_shape(transaction: Transaction) -> dict[str, Any]:
    """The same with its results; waits until every operation was executed."""
    results = await transaction.results()
    return {
        **await transaction_shape(transaction),
        "results": [result_shape(result) for result in results],
    }


def info_shape(database: Database, role: str) -> dict[str, Any]:
    """What a database is and how far this copy has come."""
    index = database.index
    return {
        "key": database.key.hex(),
        "role": role,
        "sparse": database.is_sparse,
        "index": {"length": index.length, "fork": index.core.fork, "stored": index.stored_blocks},
        "oplogs": [oplog_shape(oplog) for oplog in database.oplogs],
        "peers": len(database.peers),
    }


def dht_shape(swarm: Swarm | None) -> dict[str, Any] | None:
    """How a node stands in the network; None without one."""
    if swarm is None:
        return None
    dht = swarm.dht
    opened, missed = dht.punches
    served = [topic for topic in swarm.topics if topic.server]
    return {
        "listen": "{}:{}".format(*dht.local_address),
        "address": None if dht.address is None else "{}:{}".format(*dht.address),
        "nat": dht.nat.name.lower(),
        "persistent": dht.id is not None,
        "nodes": len(dht.nodes),
        "topics": len(served),
        "announced": sum(topic.announced_at is not None for topic in served),
        "punched": opened,
        "punch_failures": missed,
    }


def report_shape(report: VerifyReport) -> dict[str, Any]:
    """What ``verify`` answers when nothing is violated."""
    shape: dict[str, Any] = {
        "verdict": report.verdict,
        "operations": report.operations,
        "index_length": report.index_length,
        "seconds": round(report.seconds, 6),
    }
    if report.start > FIRST_ENTRY_SEQ:
        shape["from"] = report.start
    if report.sample is not None:
        probability = report.sample.probability
        shape["sample"] = {
            "probability": probability,
            "seed": report.sample.seed,
            "sees_one_altered": chance_to_see(probability, 1),
            "altered_for_99_percent": altered_for(probability, 0.99),
        }
    return shape if report.reason is None else {**shape, "reason": report.reason}


def violated_shape(fraud: ContractFraudProof, seconds: float) -> dict[str, Any]:
    """What ``verify`` answers when the executor broke the contract."""
    return {
        "verdict": "violated",
        "operations": fraud.operations,
        "index_length": fraud.proof.length,
        "seconds": round(seconds, 6),
        "proof": None if fraud.file is None else str(fraud.file),
        "kind": "ContractFraudProof",
        "code": fraud.code,
        "reason": fraud.proof.violation.reason,
    }


def forked_shape(fork: LogForkFraudProof, seconds: float) -> dict[str, Any]:
    """What ``verify`` answers when a log was signed in two histories; ``whose`` says by whom."""
    return {
        "verdict": "violated",
        "operations": fork.operations,
        "index_length": None,
        "seconds": round(seconds, 6),
        "proof": None if fork.file is None else str(fork.file),
        **_fork_fields(fork),
    }


def fork_shape(fork: LogForkFraudProof) -> dict[str, Any]:
    """A log that was signed in two histories, without the statements; ``whose`` says by whom."""
    return {
        "id": fork.id,
        "proof": None if fork.file is None else str(fork.file),
        **_fork_fields(fork),
    }


def _fork_fields(fork: LogForkFraudProof) -> dict[str, Any]:
    return {
        "kind": fork.kind,
        "code": fork.code,
        "reason": fork.reason,
        "log": fork.proof.log_key.hex(),
        "whose": fork.whose,
    }


def fraud_shape(fraud: KeptFraud) -> dict[str, Any]:
    """One kept fraud proof, without its evidence."""
    return {
        "id": fraud.id,
        "kind": fraud.kind,
        "code": fraud.code,
        "reason": fraud.reason,
        "seq": fraud.seq,
        "file": None if fraud.file is None else str(fraud.file),
    }


def event_shape(event: MonitorEvent) -> dict[str, Any]:
    """One event of a monitor; ``event`` names its kind."""
    if isinstance(event, Validated):
        return {
            "event": "validated",
            "operations": event.operations,
            "index_length": event.index_length,
            "acks": [{"oplog": ack.origin.hex(), "seq": ack.seq} for ack in event.acks],
            "resumed": event.resumed,
        }
    if isinstance(event, ViolationFound):
        fraud = event.proof
        return {
            "event": "violation",
            "kind": "ContractFraudProof",
            "code": fraud.code,
            "reason": fraud.proof.violation.reason,
            "proof": None if fraud.file is None else str(fraud.file),
            "id": fraud.id,
        }
    if isinstance(event, ForkFound):
        fork = event.proof
        return {
            "event": "violation" if event.is_of_index else "fork",
            **fork_shape(fork),
        }
    return {
        "event": "undecided",
        "code": event.code,
        "reason": event.reason,
        "index_length": event.index_length,
    }
