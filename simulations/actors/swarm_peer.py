"""A peer of a swarm: writes a log of its own, and wants those of all others of its topic."""

from __future__ import annotations

import trio

from vitra_node.net.connections import Connections
from vitra_node.net.swarm.swarm import Swarm
from vitra_node.net.udx.udp import SocketAddress
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.log.hypercore import Hypercore

from ..host import Host


class SwarmPeer:
    """Joins a topic as server and client, and keeps a copy of one log.

    Attributes:
      swarm: while its host runs.
      core: the log, or its copy.
      connections: of its present or last life.
    """

    def __init__(
        self, host: Host, bootstrap: tuple[SocketAddress, ...], topic: bytes, log: bytes | None
    ) -> None:
        """``log``: the key of the log to copy; None to write it."""
        self.host = host
        self.swarm: Swarm | None = None
        self.core: Hypercore | None = None
        self.connections: Connections | None = None
        self._bootstrap = bootstrap
        self._topic = topic
        self._log = log
        self._up = trio.Event()

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        world = host.world
        async with Corestore.open(None, world=world) as store:
            await self._take_part(store, host)

    async def _take_part(self, store: Corestore, host: Host) -> None:
        world = host.world
        pair = store.create_key_pair("hyperswarm")
        self.connections = Connections(store.cores, pair, store.wait_for_room, world=world)
        async with Swarm.open(
            store,
            bootstrap=self._bootstrap,
            host=host.address,
            connections=self.connections,
            world=world,
        ) as swarm:
            if self._log is None:
                self.core = await store.get(name="log")
            else:
                self.core = await store.get(key=self._log)
            self.swarm = swarm
            self._up.set()
            try:
                with self.core.tail(0):
                    await swarm.join(self._topic)
                    await trio.sleep_forever()
            finally:
                self.swarm = self.core = None
                self._up = trio.Event()

    async def wait_up(self) -> Hypercore:
        """Its log, once it is open."""
        while self.core is None:
            await self._up.wait()
        return self.core
