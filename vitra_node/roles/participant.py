"""A participant: calls methods of the contract, and publishes what they emit on its oplog."""

from __future__ import annotations

from collections.abc import Callable

import trio

from protocol.encoding.paths import CONTRACT_SOURCE, format_key
from protocol.transparency.rollback import ROLLBACK, rollback_operation

from ..contracts.engine import Value
from ..errors import NotAllowed, NotFound
from ..ledger.console import ContractConsole
from ..ledger.contract_runner import ContractRunner
from ..ledger.index import Index
from ..ledger.oplogs import Oplog, OplogSet
from ..storage.environments.records import Records
from ..transactions import Transaction
from .calling import Calling
from .publishing import PendingCall, Publishing


class Participant:
    """Makes transactions, and remembers them.

    Resource handling: its two tasks run in the nursery that ``start`` is given; when they end,
    calls that are not done fail with ``StoreClosed``.

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
        self._publishing = Publishing(index, records, local, clock)
        self._calling = Calling(index, oplogs, runner, local, console, self._publishing)

    def start(self, nursery: trio.Nursery) -> None:
        """Take calls from now on."""
        nursery.start_soon(self._calling.run)
        nursery.start_soon(self._publishing.run)

    async def call(self, method: str, params: Value) -> Transaction:
        """Run a method against the newest index, and append what it emits to our oplog.

        Without parameters the method gets an empty object, so that it can take it apart.
        """
        return await self._calling.call(method, {} if params is None else params)

    async def vote(self, to: int | None) -> Transaction:
        """Publish a vote for an earlier contract source; see ``Database.rollback``."""
        await self._check_source(to)
        vote = PendingCall(ROLLBACK, {"to": to}, "rollback")
        vote.emit([rollback_operation(to)])
        self._publishing.publish(vote)
        return await vote.transaction()

    def transactions(self) -> list[Transaction]:
        """All remembered transactions, oldest first."""
        return self._publishing.transactions()

    def transaction(self, tx: str) -> Transaction | None:
        """One of them, or None."""
        return self._publishing.transaction(tx)

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
