"""A peer that is found for a log like any other, and attacks whoever connects."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import trio

from protocol.crypto.keys import SEED_BYTES, KeyPair
from protocol.hypercore.core import CoreReader
from vitra_node.net.dht.connection import DhtConnection
from vitra_node.net.dht.dht import DHT
from vitra_node.net.errors import ConnectionFailed
from vitra_node.net.sessions.session import replicate
from vitra_node.net.udx.udp import SocketAddress

from ..host import Host
from .hostile_log import Attack, HostileLog, HostileSource


class HostilePeer:
    """Announces a topic, and meets each connection with the next of its attacks.

    Attributes:
      key_pair: who it is to others.
      attacks: one for each connection it has had.
      thrown_out: how many of them the other side ended.
    """

    def __init__(
        self,
        host: Host,
        bootstrap: tuple[SocketAddress, ...],
        topic: bytes,
        log: CoreReader,
        attacks: Sequence[Attack],
    ) -> None:
        """``topic``: under which the log is looked for; ``log``: what it knows of the true one."""
        self.host = host
        self.key_pair = KeyPair.from_seed(host.world.random_bytes(SEED_BYTES))
        self.attacks: list[HostileLog] = []
        self.thrown_out = 0
        self._bootstrap = bootstrap
        self._topic = topic
        self._log = log
        self._turns: Iterator[Attack] = itertools.cycle(attacks)
        self._up = trio.Event()

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        async with (
            DHT.open(self._bootstrap, host.address, world=host.world) as dht,
            dht.listen(self.key_pair) as server,
            trio.open_nursery() as nursery,
        ):
            await server.wait_announced()
            await dht.announce(self._topic, self.key_pair, server.relay_addresses)
            self._up.set()
            async for connection in server:
                nursery.start_soon(self._attack, connection)

    @property
    def told(self) -> int:
        """How many false things it has said."""
        return sum(attack.told for attack in self.attacks)

    async def wait_up(self) -> None:
        """Return when it can be found."""
        await self._up.wait()

    async def _attack(self, connection: DhtConnection) -> None:
        attack = next(self._turns)(self._log)
        self.attacks.append(attack)
        self.host.note("attack", by=type(attack).__name__)
        try:
            await replicate(
                connection.stream,
                HostileSource(attack),
                initiator=connection.initiator,
                handshake=connection.handshake,
                world=self.host.world,
            )
        except ConnectionFailed as error:
            self.thrown_out += 1
            self.host.note("thrown out", why=str(error))
