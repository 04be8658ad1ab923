"""A node of the DHT, as ``vitra dht serve`` runs it."""

from __future__ import annotations

import trio

from vitra_node.net.dht.dht import DHT
from vitra_node.net.udx.udp import SocketAddress

from ..host import Host

PORT = 49737


class DhtNode:
    """A node that serves others for as long as its host runs.

    Attributes:
      dht: while it runs.
    """

    def __init__(self, host: Host, bootstrap: tuple[SocketAddress, ...]) -> None:
        """No ``bootstrap``: the network begins with it."""
        self.host = host
        self.dht: DHT | None = None
        self._bootstrap = bootstrap
        self._up = trio.Event()

    @property
    def address(self) -> SocketAddress:
        """Where others reach it."""
        return self.host.address, PORT

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        async with DHT.open(
            self._bootstrap,
            host.address,
            PORT,
            ephemeral=False,
            firewalled=False,
            world=host.world,
        ) as dht:
            self.dht = dht
            await dht.wait_bootstrapped()
            self._up.set()
            try:
                await trio.sleep_forever()
            finally:
                self.dht = None
                self._up = trio.Event()

    async def wait_up(self) -> DHT:
        """The node, once it has looked for its place."""
        while self.dht is None or not self._up.is_set():
            await self._up.wait()
        return self.dht
