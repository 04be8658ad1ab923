"""The writer of one log, and those who fetch it by the writer's address in the DHT."""

from __future__ import annotations

import trio

from protocol.crypto.keys import SEED_BYTES, KeyPair
from vitra_node.net.dht.connection import DhtConnection
from vitra_node.net.dht.dht import DHT
from vitra_node.net.errors import ConnectionFailed
from vitra_node.net.sessions.session import replicate
from vitra_node.net.udx.udp import SocketAddress
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.log.hypercore import Hypercore

from ..host import Host

# Before a reader tries again to reach the writer.
RETRY_SECONDS = 1.0


class LogWriter:
    """Owns a log and listens.

    Attributes:
      key_pair: by which it is found.
      core: the log, while its host runs.
    """

    def __init__(self, host: Host, bootstrap: tuple[SocketAddress, ...]) -> None:
        self.host = host
        self.key_pair = KeyPair.from_seed(host.world.random_bytes(SEED_BYTES))
        self.core: Hypercore | None = None
        self._bootstrap = bootstrap
        self._up = trio.Event()

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        world = host.world
        async with (
            Corestore.open(None, world=world) as store,
            DHT.open(self._bootstrap, host.address, world=world) as dht,
            dht.listen(self.key_pair) as server,
            trio.open_nursery() as nursery,
        ):
            self.core = await store.get(name="log")
            await server.wait_announced()
            self._up.set()
            async for connection in server:
                nursery.start_soon(serve, store, connection, host)

    async def wait_up(self) -> Hypercore:
        """The log, once its writer can be found."""
        await self._up.wait()
        assert self.core is not None
        return self.core


class LogReader:
    """Connects to the writer, again and again, and fetches the whole log as it grows.

    Attributes:
      core: its copy, while its host runs.
      connections: how many it has made.
      failures: why connections ended or were not made.
    """

    def __init__(
        self, host: Host, bootstrap: tuple[SocketAddress, ...], writer: KeyPair, log: bytes
    ) -> None:
        self.host = host
        self.core: Hypercore | None = None
        self.connections = 0
        self.failures: list[str] = []
        self._bootstrap = bootstrap
        self._writer = writer.public_key
        self._log = log
        self._up = trio.Event()

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        world = host.world
        async with (
            Corestore.open(None, world=world) as store,
            DHT.open(self._bootstrap, host.address, world=world) as dht,
        ):
            self.core = await store.get(key=self._log)
            self._up.set()
            try:
                with self.core.tail(0):
                    await self._fetch(store, dht, host)
            finally:
                self.core = None
                self._up = trio.Event()

    async def _fetch(self, store: Corestore, dht: DHT, host: Host) -> None:
        while True:
            try:
                connection = await dht.connect(self._writer)
                self.connections += 1
                await carry(store, connection, host)
                self.failures.append("the writer ended the connection")
            except ConnectionFailed as error:
                self.failures.append(str(error))
            host.note("reader waits", why=self.failures[-1])
            await trio.sleep(RETRY_SECONDS)

    async def wait_up(self) -> Hypercore:
        """Its copy, once it is open."""
        while self.core is None:
            await self._up.wait()
        return self.core


async def serve(store: Corestore, connection: DhtConnection, host: Host) -> None:
    """Replicate with a peer until it goes."""
    try:
        await carry(store, connection, host)
    except ConnectionFailed as error:
        host.note("peer lost", why=str(error))


async def carry(store: Corestore, connection: DhtConnection, host: Host) -> None:
    """Replicate over a connection of the DHT; raises ``ConnectionFailed``."""
    await replicate(
        connection.stream,
        store.cores,
        initiator=connection.initiator,
        handshake=connection.handshake,
        wait_for_room=store.wait_for_room,
        world=host.world,
    )
