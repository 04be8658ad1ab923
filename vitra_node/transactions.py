"""A transaction: one method call, the operations it published, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from protocol.encoding.msgpack import pack, unpack_untrusted
from protocol.encoding.paths import ack_key
from protocol.errors import DecodeError

from .contracts.engine import Value
from .errors import StoreDamaged
from .ledger.index import HistoryEntry, Index

STAGES = ("published", "executed", "committed", "replicated")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it was published.

    Attributes:
      oplog: public key of the log it stands on, 32 bytes.
      seq: its number there.
      value: what the contract emitted.
    """

    oplog: bytes
    seq: int
    value: Value


@dataclass(frozen=True, slots=True)
class Result:
    """What the executor made of one operation.

    Attributes:
      operation: the operation.
      ack: the fields of the executor's ack.
      ack_seq: block number of the ack in the index log.
      changes: the index entries it wrote or deleted.
    """

    operation: Operation
    ack: dict[str, Any]
    ack_seq: int
    changes: list[HistoryEntry]


@dataclass(frozen=True)
class Transaction:
    """A call that was made here.

    Attributes:
      id: names the transaction in this directory; None when the call published nothing.
      method, params: the call.
      response: what the method returned.
      operations: what it published, in order.
    """

    id: str | None
    method: str
    params: Value
    response: Value
    operations: Sequence[Operation]
    _index: Index = field(repr=False, compare=False)

    async def acks(self) -> list[tuple[int, dict[str, Any]] | None]:
        """Block number and fields of the ack of each operation; None where there is none yet."""
        return [await self._ack(operation) for operation in self.operations]

    async def is_processed(self) -> bool:
        """Whether every operation has been executed, be it with success or not."""
        return all(ack is not None for ack in await self.acks())

    async def when_processed(self) -> None:
        """Return when every operation has been executed. Bound it with ``trio.fail_after``."""
        for operation in self.operations:
            await self._index.when_executed(operation.oplog, operation.seq)

    async def results(self) -> list[Result]:
        """What became of each operation; waits until all are executed."""
        await self.when_processed()
        results = []
        for operation in self.operations:
            ack = await self._ack(operation)
            assert ack is not None
            seq, fields = ack
            end = seq + 1 + int(fields["numChanges"])
            changes = [change async for change in self._index.history(start=seq + 1, end=end)]
            results.append(Result(operation, fields, seq, changes))
        return results

    async def stage(self) -> str:
        """How far it is: one of ``STAGES``.

        An ack is shown only once it is durable at the executor, so what was executed is also
        committed; it is replicated when another node has the block of its last ack.
        """
        acks = await self.acks()
        if any(ack is None for ack in acks):
            return "published"
        last = max((ack[0] for ack in acks if ack is not None), default=-1)
        if self.operations and self._index.core.remote_length > last:
            return "replicated"
        return "committed"

    async def _ack(self, operation: Operation) -> tuple[int, dict[str, Any]] | None:
        entry = await self._index.get_key(ack_key(operation.oplog, operation.seq))
        if entry is None or not isinstance(entry.value, dict):
            return None
        return entry.seq, entry.value


def encode_transaction(transaction: Transaction) -> bytes:
    """The record of a transaction in the store."""
    return pack(
        {
            "method": transaction.method,
            "params": transaction.params,
            "response": transaction.response,
            "operations": [
                {"oplog": operation.oplog, "seq": operation.seq, "value": operation.value}
                for operation in transaction.operations
            ],
        }
    )


def decode_transaction(tx: str, record: bytes, index: Index) -> Transaction:
    """The transaction of a stored record.

    Raises:
      StoreDamaged: the record does not decode.
    """
    try:
        fields: Any = unpack_untrusted(record)
        operations = [
            Operation(item["oplog"], item["seq"], item["value"]) for item in fields["operations"]
        ]
        return Transaction(
            tx, fields["method"], fields["params"], fields["response"], operations, index
        )
    except (DecodeError, KeyError, TypeError) as error:
        raise StoreDamaged(f"The record of transaction {tx} is damaged.") from error
