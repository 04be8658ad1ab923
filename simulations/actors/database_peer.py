"""A node of one database in a swarm: its executor, a participant, or a monitor."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import trio

from vitra_node.database import Database
from vitra_node.net.udp import SocketAddress
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
    """Keeps a copy in memory, or makes the database, for as long as its host runs.

    Attributes:
      database: while its host runs.
      validated: how many operations its monitor has verified in this life.
      accusations: what monitors found wrong, over all lives.
    """

    def __init__(
        self,
        host: Host,
        bootstrap: tuple[SocketAddress, ...],
        key: bytes | None,
        *,
        monitors: bool = False,
    ) -> None:
        """``key`` of the database; None to make one, and be its executor."""
        self.host = host
        self.database: Database | None = None
        self.validated = 0
        self.accusations: list[str] = []
        self._bootstrap = bootstrap
        self._key = key
        self._monitors = monitors
        self._up = trio.Event()
        self._news = trio.Event()

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        self.validated = 0
        async with self._open() as database:
            await database.swarm(self._bootstrap, host=host.address)
            self.database = database
            self._up.set()
            try:
                if self._monitors:
                    await self._watch(database)
                else:
                    await trio.sleep_forever()
            finally:
                self.database = None
                self._up = trio.Event()

    def _open(self) -> AbstractAsyncContextManager[Database]:
        world = self.host.world
        if self._key is None:
            return Database.create(None, contract=CONTRACT, world=world)
        return Database.load(None, self._key, world=world)

    async def _watch(self, database: Database) -> None:
        async with database.monitor() as monitor:
            async for event in monitor:
                if isinstance(event, Validated):
                    self.validated = event.operations
                    self.host.note("validated", operations=event.operations)
                elif isinstance(event, ViolationFound | ForkFound):
                    self.accusations.append(repr(event))
                self._news.set()
                self._news = trio.Event()

    async def wait_up(self) -> Database:
        """The database, once it is open."""
        while self.database is None:
            await self._up.wait()
        return self.database

    async def wait_validated(self, operations: int) -> None:
        """Return when its monitor has verified so many."""
        while self.validated < operations:
            await self._news.wait()

    async def wait_accusation(self) -> None:
        """Return when its monitor has found something wrong."""
        while not self.accusations:
            await self._news.wait()
