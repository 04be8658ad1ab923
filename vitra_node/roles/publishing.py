"""Operations on their way to this node's oplog, all that wait in one append.

Those of one call stand together, behind those of every call that came before it. Each call has a
record of its own in the same commit, so what is known of a transaction is true exactly when its
operations are published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio
from blake3 import blake3

from protocol.encoding.msgpack import pack
from protocol.errors import LocalProtocolError, ProtocolError
from protocol.transparency.operations import decode_operation_untrusted

from ..contracts.engine import Value
from ..errors import NotAllowed, UsageProblem, VitraError
from ..ledger.index import Index
from ..ledger.oplogs import Oplog
from ..storage.environments.records import MAX_RECORD_KEY_BYTES, Record, Records
from ..storage.errors import StorageError
from ..transactions import Operation, Transaction, decode_transaction, encode_transaction
from .waiting_line import WaitingLine

# Records sort by the time of the call, so that a long list of them only ever grows at its end.
_TABLE = "transactions"
_TIME_BYTES = 8
_DIGEST_BYTES = 8

# Calls in one append. What an append costs is nothing beside this many.
MAX_CALLS_IN_APPEND = 256

# What keeps operations from being published; of anything else nobody knows whether they were.
_Refused = (VitraError, StorageError, ProtocolError)


class PendingCall:
    """One call, from when it is made until it is published, or answered, or has failed.

    Args:
      name: what the caller knows the method as, where that is something else.

    Attributes:
      response: what the method returned, once it has.
      blocks: the operations that it emits, packed.
      has_left: its caller has gone; nothing that it emits needs to be published any more.
    """

    def __init__(self, method: str, params: Value, name: str | None = None) -> None:
        self.method = method
        self.name = method if name is None else name
        self.params = params
        self.response: Value = None
        self.blocks: list[bytes] = []
        self.has_left = False
        self._transaction: Transaction | None = None
        self._error: Exception | None = None
        self._settled = trio.Event()

    @property
    def is_settled(self) -> bool:
        """Whether it has come to its end."""
        return self._settled.is_set()

    async def transaction(self) -> Transaction:
        """What it came to; raises why it failed."""
        try:
            await self._settled.wait()
        except trio.Cancelled:
            self.has_left = True
            raise
        if self._error is not None:
            raise self._error
        assert self._transaction is not None
        return self._transaction

    def emit(self, operations: Sequence[Value]) -> None:
        """Take what the method emitted.

        Raises:
          UsageProblem: it cannot be stored.
        """
        try:
            self.blocks = [pack(operation) for operation in operations]
        except LocalProtocolError as error:
            raise UsageProblem(
                f"{self.name!r} emits an operation that cannot be stored: {error}.",
                unchanged="Nothing was published.",
            ) from error

    def finish(self, transaction: Transaction) -> None:
        """It is done."""
        self._transaction = transaction
        self._settled.set()

    def fail(self, error: Exception) -> None:
        """It failed; without effect on what is settled."""
        if not self.is_settled:
            self._error = error
            self._settled.set()


class Publishing:
    """Appends to the local oplog, and remembers what was published.

    Args:
      local: the oplog to publish on.
      clock: milliseconds since 1970; the order in which transactions are listed.
    """

    def __init__(
        self,
        index: Index,
        records: Records,
        local: Callable[[], Oplog | None],
        clock: Callable[[], int],
    ) -> None:
        self._index = index
        self._table = records.table(_TABLE)
        self._local = local
        self._clock = clock
        self._line: WaitingLine[PendingCall] = WaitingLine()

    def publish(self, call: PendingCall) -> None:
        """Publish what a call emits, behind all that came before; it is settled then."""
        self._line.add(call)

    async def run(self) -> None:
        """Publish for ever."""
        try:
            while True:
                calls = await self._line.take(MAX_CALLS_IN_APPEND)
                calls = [call for call in calls if not call.has_left]
                try:
                    await self._append(calls)
                except _Refused as error:
                    if len(calls) == 1:
                        calls[0].fail(error)
                    else:
                        await self._append_singly(calls)
        finally:
            self._line.close()

    def transactions(self) -> list[Transaction]:
        """All remembered transactions, oldest first."""
        return [
            decode_transaction(_id_or_place(place).hex(), record, self._index)
            for place, record in self._table.items()
        ]

    def transaction(self, tx: str) -> Transaction | None:
        """One of them, or None."""
        try:
            raw = bytes.fromhex(tx)
        except ValueError:
            return None
        record = self._table.get(_id_or_place(raw)) if len(raw) <= MAX_RECORD_KEY_BYTES else None
        return None if record is None else decode_transaction(tx, record, self._index)

    async def _append_singly(self, calls: Sequence[PendingCall]) -> None:
        """An append failed, and so was none: which calls that concerns, each shows alone."""
        for call in calls:
            try:
                await self._append([call])
            except _Refused as error:
                call.fail(error)

    async def _append(self, calls: Sequence[PendingCall]) -> None:
        """Append the operations of calls, and the records of their transactions with them."""
        if not calls:
            return
        oplog = await self._writable_oplog(calls[0].name)
        # Nothing waits between this line and the moment the append takes its place in the log.
        first = seq = oplog.core.storage.tip.length
        made: list[tuple[PendingCall, Transaction]] = []
        blocks: list[bytes] = []
        records: list[Record] = []
        for call in calls:
            transaction, record = self._transaction(oplog, seq, call)
            made.append((call, transaction))
            blocks += call.blocks
            records.append(record)
            seq += len(call.blocks)
        length = await oplog.core.append(blocks, also=records)
        assert length == first + len(blocks), "an append keeps its blocks together"
        for call, transaction in made:
            call.finish(transaction)

    def _transaction(
        self, oplog: Oplog, first: int, call: PendingCall
    ) -> tuple[Transaction, Record]:
        operations = [
            Operation(oplog.key, first + number, decode_operation_untrusted(block))
            for number, block in enumerate(call.blocks)
        ]
        digest = blake3(oplog.key + first.to_bytes(8, "big")).digest()[:_DIGEST_BYTES]
        place = self._clock().to_bytes(_TIME_BYTES, "big") + digest
        tx = _id_or_place(place).hex()
        transaction = Transaction(
            tx, call.method, call.params, call.response, operations, self._index
        )
        return transaction, self._table.record(place, encode_transaction(transaction))

    async def _writable_oplog(self, name: str) -> Oplog:
        oplog = self._local()
        if oplog is None:
            raise NotAllowed(
                f"{name!r} emits operations, but this directory has no oplog to publish them on.",
                unchanged="Nothing was published.",
                advice="Make one with `vitra oplog new` and have the contract admit it.",
            )
        if oplog.core.restored_length is not None:
            raise NotAllowed(
                f"Oplog {oplog.key.hex()} was restored from a backup, and no peer has confirmed "
                "yet that nothing newer was written to it.",
                unchanged="Nothing was published.",
                advice="Connect to a peer that has the database, and try again.",
            )
        # The open oplogs are compared with the index a moment after it has grown.
        if not await self._index.is_participant(oplog.key):
            raise NotAllowed(
                f"{name!r} emits operations, but oplog {oplog.key.hex()} is no participant.",
                unchanged="Nothing was published.",
                advice="Have the contract admit it, and let the index sync.",
            )
        return oplog


def _id_or_place(either: bytes) -> bytes:
    """The id of the transaction at a place in the table, and the place of an id.

    Both are a time and a digest. In the id the time is covered with the digest, so that ids of one
    day differ from their first character on.
    """
    time, digest = either[:_TIME_BYTES], either[_TIME_BYTES:]
    cover = blake3(digest).digest()
    return bytes(a ^ b for a, b in zip(time, cover, strict=False)) + digest
