"""``Swarm``: stays connected with the peers of topics, and replicates with all of them.

    async with Corestore.open("./store") as store, Swarm.open(store) as swarm:
        core = await store.get(key=key)
        await swarm.join(core.discovery_key)
        print(await core.get(0))

The rules are in ``protocol.swarm``, the network in ``dht``; ``swarm_pump`` joins them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import trio

from protocol.crypto.keys import KeyPair
from protocol.swarm.discovery import Discovery
from protocol.swarm.peer_info import PeerInfo
from protocol.swarm.rules import Limits, SwarmRules

from ...nursery import open_owned_nursery
from ...world import REAL_WORLD, World
from ..connections import Connection, Connections
from ..dht.dht import DHT
from ..direct import ReplicatingStore
from .pump import SwarmPump

# Leaving takes announces back for this long: a few round trips. What is not taken back then is
# forgotten by the network in 20 minutes.
EXIT_SECONDS = 2.0

Firewall = Callable[[bytes], bool]


class SwarmStore(ReplicatingStore, Protocol):
    """What a swarm needs of a store; a ``Corestore`` is one."""

    def create_key_pair(self, name: str) -> KeyPair:
        """The key pair that the store derives for a name."""


@dataclass(frozen=True, slots=True)
class SwarmConnection:
    """A connection of a swarm that stands.

    Attributes:
      peer: who it is with; ``peer.topics`` are those under which we found it.
      connection: how it goes.
    """

    peer: PeerInfo
    connection: Connection


class TopicSession:
    """One wish concerning a topic; a topic is left when no session of it is left.

    Attributes:
      topic: 32 bytes.
    """

    def __init__(self, pump: SwarmPump, number: int, topic: bytes) -> None:
        self.topic = topic
        self._pump = pump
        self._number = number

    def update(self, *, server: bool, client: bool) -> None:
        """Change whether to be found under it, and whether to find others.

        Raises:
          LocalProtocolError: neither.
        """
        now = trio.current_time()
        self._pump.rules.update(self._number, now, server=server, client=client)
        self._pump.pump()

    def leave(self) -> None:
        """Want nothing more; connections stay."""
        self._pump.rules.leave(self._number, trio.current_time())
        self._pump.pump()


class Swarm:
    """Made by ``Swarm.open``.

    Attributes:
      dht: the node of the network that it uses.
      key_pair: who we are to peers.
    """

    def __init__(self, dht: DHT, key_pair: KeyPair, pump: SwarmPump) -> None:
        self.dht = dht
        self.key_pair = key_pair
        self._pump = pump
        self._changed = trio.Event()
        pump.on_change = self._change

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        store: SwarmStore,
        *,
        bootstrap: Iterable[tuple[str, int]] | None = None,
        dht: DHT | None = None,
        host: str | None = None,
        port: int = 0,
        key_pair: KeyPair | None = None,
        firewall: Firewall | None = None,
        limits: Limits | None = None,
        connections: Connections | None = None,
        world: World = REAL_WORLD,
    ) -> AsyncIterator[Swarm]:
        """Take part in a network, with the logs of a store.

        Args:
          bootstrap: nodes of the network to ask first; None for the public network.
          dht: a node of the network to use instead of one of our own.
          host, port: where our own is bound. Everywhere by default, but in a network whose
            bootstrap nodes are all on this machine's loopback: there it is bound to that.
          key_pair: who we are to peers. The store's own by default, so that the network knows us
            again after a restart.
          firewall: says of a peer's public key whether to have nothing to do with it.
          limits: how many connections to have; as JS by default.
          connections: the connections of the node, if it has others as well.
          world: where chance, date and sockets come from.

        Resource handling:
          Owns the connections, its tasks, and its node of the network unless that was given.
          Leaving closes the connections and takes announces back, for ``EXIT_SECONDS`` at most.

        Raises:
          ConnectionFailed: the port cannot be bound, or no bootstrap node has an address.
        """
        pair = key_pair or store.create_key_pair("hyperswarm")
        links = connections or Connections(store.cores, pair, store.wait_for_room, world=world)

        def refuses(public_key: bytes) -> bool:
            return links.is_key_banned(public_key) or (
                firewall is not None and firewall(public_key)
            )

        rules = SwarmRules(pair.public_key, world.random_bytes, refuses=refuses, limits=limits)
        async with AsyncExitStack() as stack:
            if dht is None:
                nodes = None if bootstrap is None else list(bootstrap)
                bound = host or _fitting_host(nodes)
                opening = DHT.open(nodes, bound, port, key_pair=pair, world=world)
                dht = await stack.enter_async_context(opening)
            nursery = await stack.enter_async_context(open_owned_nursery())
            pump = SwarmPump(rules, dht, pair, links, nursery)
            nursery.start_soon(pump.run_timer)
            swarm = cls(dht, pair, pump)
            try:
                yield swarm
            finally:
                with trio.CancelScope(shield=True):
                    await swarm.suspend()

    # Topics ---------------------------------------------------------------------------------------

    async def join(self, topic: bytes, *, server: bool = True, client: bool = True) -> TopicSession:
        """Be found under a topic (``server``), find those who are (``client``), or both.

        Returns at once; ``flush`` waits.

        Raises:
          LocalProtocolError: neither, the topic has not 32 bytes, or there are too many topics.
        """
        number = self._pump.rules.join(topic, trio.current_time(), server=server, client=client)
        self._pump.pump()
        await trio.lowlevel.checkpoint()
        return TopicSession(self._pump, number, topic)

    async def leave(self, topic: bytes) -> None:
        """Leave a topic for all who joined it; connections stay."""
        self._pump.rules.leave_topic(topic, trio.current_time())
        self._pump.pump()
        await trio.lowlevel.checkpoint()

    async def flush(self) -> None:
        """Wait until the joined topics were looked up and announced, and everyone found called."""
        await self._pump.flush()

    @property
    def topics(self) -> list[Discovery]:
        """The joined topics: when each was announced and looked up, and what went wrong."""
        return self._pump.rules.topics

    # Peers ----------------------------------------------------------------------------------------

    def join_peer(self, public_key: bytes) -> None:
        """Stay connected with this peer, whatever it serves."""
        self._pump.rules.join_peer(public_key, trio.current_time())
        self._pump.pump()

    def leave_peer(self, public_key: bytes) -> None:
        """Do not insist on this peer any more; a connection stays."""
        self._pump.rules.leave_peer(public_key, trio.current_time())
        self._pump.pump()

    def ban(self, public_key: bytes) -> None:
        """Have no connection with this key until ``unban``."""
        self._pump.rules.ban(public_key, trio.current_time())
        self._pump.pump()

    def unban(self, public_key: bytes) -> None:
        """Let a banned peer be found again."""
        self._pump.rules.unban(public_key)

    @property
    def peers(self) -> list[PeerInfo]:
        """Those we know, connected or not: attempts, and what went wrong last."""
        return self._pump.rules.peers

    @property
    def connections(self) -> list[SwarmConnection]:
        """The connections that stand, the oldest first."""
        peers = {peer.public_key: peer for peer in self._pump.rules.peers}
        return [
            SwarmConnection(peers[connection.remote_public_key], connection)
            for connection in self._pump.live.values()
            if connection.remote_public_key in peers
        ]

    async def wait_changed(self) -> None:
        """Return when something changed: a connection, a topic, or a peer.

        Use it as ``while not condition: await swarm.wait_changed()``.
        """
        await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    # Rest -----------------------------------------------------------------------------------------

    async def suspend(self) -> None:
        """Close everything and be silent, until ``resume``; announces are taken back."""
        self._pump.rules.suspend(trio.current_time())
        self._pump.pump()
        with trio.move_on_after(EXIT_SECONDS):
            await self._wait_idle()

    async def resume(self) -> None:
        """Take up again what was joined."""
        self._pump.rules.resume(trio.current_time())
        self._pump.pump()
        await trio.lowlevel.checkpoint()

    def refresh(self) -> None:
        """The machine may be in another network: look up and announce at once."""
        self._pump.rules.refresh(trio.current_time())
        self._pump.pump()

    async def _wait_idle(self) -> None:
        while not self._pump.rules.is_silent or self._pump.live:
            await self.wait_changed()


def _fitting_host(bootstrap: list[tuple[str, int]] | None) -> str:
    is_local = bool(bootstrap) and all(host.startswith("127.") for host, _ in bootstrap or ())
    return "127.0.0.1" if is_local else "0.0.0.0"
