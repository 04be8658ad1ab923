"""Direct connections of one node: where it listens, and whom it stays connected with."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

import trio

from protocol.crypto.keys import SEED_BYTES, KeyPair

from ..config import Address, parse_address
from ..nursery import open_owned_nursery
from ..world import REAL_WORLD, World
from .connections import Connection, Connections
from .errors import ConnectionFailed
from .sessions.peer_sink import CoreSource
from .tcp import connect_tcp, serve_tcp

log = logging.getLogger("vitra.net")

# A peer that went away is tried again after these seconds, then every last of them: soon enough
# for one that restarts, seldom enough for one that is gone.
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class ReplicatingStore(Protocol):
    """What ``direct_peers`` needs of a store; a ``Corestore`` is one."""

    @property
    def cores(self) -> CoreSource:
        """Its logs."""

    async def wait_for_room(self) -> None:
        """Return when the disk has kept up enough to take more from peers."""


@asynccontextmanager
async def direct_peers(
    store: ReplicatingStore, *, key_pair: KeyPair | None = None, world: World = REAL_WORLD
) -> AsyncIterator[DirectPeers]:
    """Replicate the logs of ``store`` over TCP with the peers that are named.

    ``key_pair`` identifies this side; a fresh one by default.

    Resource handling:
      Owns the listening sockets, the connections and their tasks; all end on leaving.
    """
    pair = key_pair or KeyPair.from_seed(world.random_bytes(SEED_BYTES))
    async with open_owned_nursery() as nursery:
        connections = Connections(store.cores, pair, store.wait_for_room, world=world)
        yield DirectPeers(connections, nursery, world=world)


class DirectPeers:
    """Keeps connections in a nursery of the owner's; they end with it."""

    def __init__(
        self, connections: Connections, nursery: trio.Nursery, *, world: World = REAL_WORLD
    ) -> None:
        self.connections = connections
        self._nursery = nursery
        self._world = world

    @property
    def connected(self) -> list[Address]:
        """The peers whose handshake is done, each connection once."""
        live = (c.address for c in self.connections.live if c.session is not None)
        return [parse_address(address) for address in sorted(live)]

    async def listen(self, address: Address) -> Address:
        """Accept connections from now on; gives the address with its real port.

        Raises:
          ConnectionFailed: the address cannot be listened on.
        """
        serve = partial(serve_tcp, address, self.connections, world=self._world)
        bound: list[Address] = await self._nursery.start(serve)
        return bound[0]

    async def connect(self, address: Address) -> None:
        """Connect, and connect again whenever the connection is lost; returns when it stands.

        Raises:
          ConnectionFailed: it could not be made this first time; nothing is tried later.
        """
        first: ConnectionFailed | None = await self._nursery.start(self._stay_connected, address)
        if first is not None:
            raise first

    async def _stay_connected(
        self, address: Address, *, task_status: trio.TaskStatus[ConnectionFailed | None]
    ) -> None:
        stood = False
        attempt = 0

        def opened(_connection: Connection) -> None:
            nonlocal stood, attempt
            attempt = 0
            if not stood:
                stood = True
                task_status.started(None)

        while True:
            failure = await connect_tcp(
                address, self.connections, on_open=opened, world=self._world
            )
            if not stood:
                task_status.started(failure or ConnectionFailed(f"{address} closed at once"))
                return
            log.info("the connection to %s ended: %s", address, failure or "closed by the peer")
            await trio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1
