"""A node of one database in a swarm: its executor, a participant, or a monitor."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import trio

from vitra_node.database import Database
from vitra_node.net.udx.udp import SocketAddress
from vitra_node.roles.monitor import ForkFound, Validated, ViolationFound

from ..host import Host

CONTRACT = """\
import { index } from 'contract'
export function admit ({ key }, emit) { emit({ op: 'ADMIT', key }) }
export function put ({ path, value }, emit) { emit({ op: 'PUT', path, value }) }
export const apply = {
  ADMIT (tx, op) { tx.addOplog({ pubkey: op.key }) },
  async PUT (tx, op) {
    const before = (await index.get(op.path))?.value || []
    tx.put(op.path, [...before, op.value])
  }
}
"""


class DatabasePeer:
    """Makes the database or joins it, and goes on with what is on its disk after every crash.

    Attributes:
      database: while its host runs.
      validated: up to how many operations its monitor has verified.
      accusations: what its monitor found wrong, over all lives.
      published: values whose call returned, in order; they are durable.
    """

    def __init__(
        self,
        host: Host,
        bootstrap: tuple[SocketAddress, ...],
        key: bytes | None,
        *,
        monitors: bool = False,
        path: str = "",
        kind: type[Database] = Database,
        contract: str = CONTRACT,
    ) -> None:
        """``key`` of the database; None to make one, and be its executor.

        ``path``: to write to. ``kind``: of database it is, with an executor that may cheat.
        """
        self.host = host
        self.path = path
        self.database: Database | None = None
        self.validated = 0
        self.accusations: list[ViolationFound | ForkFound] = []
        self.published: list[str] = []
        self._bootstrap = bootstrap
        self._key = key
        self._kind = kind
        self._contract = contract
        self._monitors = monitors
        self._wanted: list[str] = []
        self._attempts = 0
        self._up = trio.Event()
        self._news = trio.Event()

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        async with self._open() as database:
            self._key = database.key
            await database.swarm(self._bootstrap, host=host.address)
            for oplog in database.oplogs:
                if database.local_oplog is None and oplog.writable:
                    await database.set_local_oplog(oplog.key)
            self.database = database
            self._up.set()
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, database)
                    if self._monitors:
                        nursery.start_soon(self._watch, database)
            finally:
                self.database = None
                self._up = trio.Event()

    def _open(self) -> AbstractAsyncContextManager[Database]:
        world = self.host.world
        if self._key is None:
            return self._kind.create(None, contract=self._contract, world=world)
        return self._kind.load(None, self._key, world=world)

    async def _watch(self, database: Database) -> None:
        async with database.monitor() as monitor:
            async for event in monitor:
                if isinstance(event, Validated):
                    self.validated = event.operations
                    self.host.note("validated", operations=event.operations)
                elif isinstance(event, ViolationFound | ForkFound):
                    self.accusations.append(event)
                self._tell()

    async def _write(self, database: Database) -> None:
        while True:
            while not self._wanted:
                await self._news.wait()
            # A crash can leave open whether one was published, so no two are alike.
            self._attempts += 1
            value = f"{self._wanted[0]}/{self._attempts}"
            transaction = await database.call("put", {"path": self.path, "value": value})
            self.published.append(value)
            del self._wanted[0]
            self._tell()
            await transaction.when_processed()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def write(self, values: list[str]) -> None:
        """Write these one after the other, each once the one before was executed."""
        self._wanted += values
        self._tell()

    async def wait_written(self) -> None:
        """Return when all that was to be written has been published."""
        while self._wanted:
            await self._news.wait()

    async def wait_up(self) -> Database:
        """The database, once it is open."""
        while self.database is None:
            await self._up.wait()
        return self.database

    async def wait_validated(self, operations: int) -> None:
        """Return when its monitor has verified so many."""
        while self.validated < operations:
            await self._news.wait()

    async def wait_accusation(
        self, kind: type[ViolationFound] | type[ForkFound] | None = None
    ) -> None:
        """Return when its monitor has found something wrong, of a kind or of any."""
        while not any(kind is None or isinstance(each, kind) for each in self.accusations):
            await self._news.wait()
