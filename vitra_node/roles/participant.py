"""A participant: calls methods of the contract, and publishes what they emit on its oplog."""

from __future__ import annotations

from collections.abc import Callable

from blake3 import blake3

from protocol.encoding.msgpack import pack
from protocol.encoding.paths import CONTRACT_SOURCE, format_key
from protocol.errors import LocalProtocolError
from protocol.transparency.operations import decode_operation_untrusted
from protocol.transparency.rollback import ROLLBACK, rollback_operation

from ..contracts.engine import Value
from ..contracts.errors import ContractCallError
from ..errors import NotAllowed, NotFound, UsageProblem
from ..ledger.call_host import CallHost
from ..ledger.console import ContractConsole
from ..ledger.contract_runner import ContractRunner
from ..ledger.index import Index
from ..ledger.oplogs import Oplog, OplogSet
from ..storage.environments.records import Records
from ..transactions import Operation, Transaction, decode_transaction, encode_transaction

# The contract's own exports that are not for callers.
RESERVED_METHODS = ("apply", "process")

_TABLE = "transactions"
# Records sort by the time of the call; the id is looked up in a table of its own.
_IDS_TABLE = "transaction-ids"


class Participant:
    """Makes transactions, and remembers them.

    Args:
      local: the oplog to publish on.
      clock: milliseconds since 1970; the order in which transactions are listed.
    """

    def __init__(
        self,
        index: Index,
        oplogs: OplogSet,
        runner: ContractRunner,
        records: Records,
        local: Callable[[], Oplog | None],
        clock: Callable[[], int],
        console: ContractConsole,
    ) -> None:
        self._index = index
        self._oplogs = oplogs
        self._runner = runner
        self._table = records.table(_TABLE)
        self._ids = records.table(_IDS_TABLE)
        self._local = local
        self._clock = clock
        self._console = console

    async def call(self, method: str, params: Value) -> Transaction:
        """Run a method against the newest index, and append what it emits to our oplog.

        Without parameters the method gets an empty object, so that it can take it apart.
        """
        if params is None:
            params = {}
        source = await self._index.contract_source()
        await self._check_method(source, method)
        snapshot = self._index.snapshot()
        host = CallHost(snapshot, self._oplogs, self._local)
        version = (snapshot.length, snapshot.core.fork)
        try:
            result = await self._runner.call(source, method, params, host, version=version)
        except ContractCallError as error:
            self._console.failed_call(method, error)
            raise
        self._console.call(method, result.printed)
        if not result.operations:
            return Transaction(None, method, params, result.response, [], self._index)
        blocks = _pack_operations(method, result.operations)
        oplog = await self._writable_oplog(method)
        return await self._publish(oplog, method, params, result.response, blocks)

    async def vote(self, to: int | None) -> Transaction:
        """Publish a vote for an earlier contract source; see ``Database.rollback``."""
        await self._check_source(to)
        operation = rollback_operation(to)
        blocks = _pack_operations(ROLLBACK, [operation])
        oplog = await self._writable_oplog("rollback")
        return await self._publish(oplog, ROLLBACK, {"to": to}, None, blocks)

    def transactions(self) -> list[Transaction]:
        """All remembered transactions, oldest first."""
        return [
            decode_transaction(key[8:].hex(), record, self._index)
            for key, record in self._table.items()
        ]

    def transaction(self, tx: str) -> Transaction | None:
        """One of them, or None."""
        try:
            raw = bytes.fromhex(tx)
        except ValueError:
            return None
        place = self._ids.get(raw)
        record = None if place is None else self._table.get(place)
        return None if record is None else decode_transaction(tx, record, self._index)

    async def _check_source(self, to: int | None) -> None:
        """A vote is for a source of the past, or takes the last one back."""
        path = format_key(CONTRACT_SOURCE)
        if to is not None:
            found = [entry async for entry in self._index.history(start=to, end=to + 1)]
            if not any(entry.path == path and entry.type == "put" for entry in found):
                raise NotFound(
                    f"Index block {to} sets no contract source.",
                    unchanged="Nothing was published.",
                    advice="See those that do with `vitra rollback`.",
                )
        in_force = await self._index.get_key(CONTRACT_SOURCE)
        if to is not None and in_force is not None and in_force.seq == to:
            raise NotAllowed(
                f"Index block {to} holds the contract source in force.",
                unchanged="Nothing was published.",
                advice="See the earlier ones with `vitra rollback`.",
            )

    async def _check_method(self, source: str, method: str) -> None:
        if method in RESERVED_METHODS:
            raise NotAllowed(
                f"{method!r} is run by the executor; it cannot be called.",
                unchanged="Nothing was published.",
                advice="See what can be called with `vitra methods`.",
            )
        compiled = await self._runner.compiled(source)
        names = [known.name for known in compiled.methods]
        if method not in names:
            raise NotFound(
                f"The contract has no method {method!r}.",
                unchanged="Nothing was published.",
                advice=f"It has: {', '.join(names) or 'none'}.",
            )

    async def _writable_oplog(self, method: str) -> Oplog:
        oplog = self._local()
        if oplog is None:
            raise NotAllowed(
                f"{method!r} emits operations, but this directory has no oplog to publish them on.",
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
                f"{method!r} emits operations, but oplog {oplog.key.hex()} is no participant.",
                unchanged="Nothing was published.",
                advice="Have the contract admit it, and let the index sync.",
            )
        return oplog

    async def _publish(
        self, oplog: Oplog, method: str, params: Value, response: Value, blocks: list[bytes]
    ) -> Transaction:
        """Append the operations, and the record of the transaction in the same commit."""
        # Nothing waits between this line and the moment the append takes its place in the log.
        first = oplog.core.storage.tip.length
        operations = [
            Operation(oplog.key, first + number, decode_operation_untrusted(block))
            for number, block in enumerate(blocks)
        ]
        raw = blake3(oplog.key + first.to_bytes(8, "big")).digest()[:16]
        transaction = Transaction(raw.hex(), method, params, response, operations, self._index)
        place = self._clock().to_bytes(8, "big") + raw
        records = [
            self._table.record(place, encode_transaction(transaction)),
            self._ids.record(raw, place),
        ]
        length = await oplog.core.append(blocks, also=records)
        assert length == first + len(blocks), "an append keeps its blocks together"
        return transaction


def _pack_operations(method: str, operations: list[Value]) -> list[bytes]:
    try:
        return [pack(operation) for operation in operations]
    except LocalProtocolError as error:
        raise UsageProblem(
            f"{method!r} emits an operation that cannot be stored: {error}.",
            unchanged="Nothing was published.",
        ) from error
