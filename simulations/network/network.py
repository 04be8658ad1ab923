"""The network: who is where, and what becomes of each datagram.

    socket -> address translation -> loss, latency, partitions -> translation -> socket

Hosts behind one translator share a private network, in which nothing is translated or lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count
from math import dist, sqrt
from random import Random

import trio

from vitra_node.net.errors import ConnectionFailed
from vitra_node.net.udx.udp import SocketAddress

from ..journal import Journal
from .conditions import HEADER_BYTES, Conditions
from .nat import Nat
from .sockets import SimulatedSocket

FIRST_FREE_PORT = 32768
# Within a private network.
LOCAL_SECONDS = 0.0005


class Place:
    """Where a host is connected.

    Attributes:
      address: its own, as it sees it.
      nat: what it is behind, None for a public address.
      position: in the square of the world.
      plugged: whether anything leaves or arrives.
      side: of a partition; hosts on different sides do not reach each other.
    """

    def __init__(self, address: str, nat: Nat | None, position: tuple[float, float]) -> None:
        self.address = address
        self.nat = nat
        self.position = position
        self.plugged = True
        self.side = 0
        self.sockets: dict[int, SimulatedSocket] = {}
        self.next_port = FIRST_FREE_PORT
        # When its link is free again, outwards and inwards.
        self.free_at = [0.0, 0.0]

    @property
    def public(self) -> str:
        """The host part of the address that others see."""
        return self.address if self.nat is None else self.nat.public


class Network:
    """Made once for each run; ``run`` delivers.

    Attributes:
      conditions: of the network from now on; may be replaced at any time.
    """

    def __init__(self, chance: Random, journal: Journal, conditions: Conditions) -> None:
        self.conditions = conditions
        self._chance = chance
        self._journal = journal
        # By public address, and by translator and private address.
        self._public: dict[str, Place] = {}
        self._private: dict[tuple[Nat, str], Place] = {}
        self._nats: dict[str, Nat] = {}
        self._way: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._sleep = trio.CancelScope()

    # who is where ---------------------------------------------------------------------------------

    def connect(self, address: str, nat: Nat | None = None) -> Place:
        """Connect a host, somewhere in the world."""
        chance = self._chance
        place = Place(address, nat, (chance.random(), chance.random()))
        if nat is None:
            assert address not in self._public
            self._public[address] = place
        else:
            assert (nat, address) not in self._private
            self._private[nat, address] = place
            self._nats[nat.public] = nat
        return place

    def unplug(self, place: Place) -> None:
        """Nothing leaves or arrives any more, and its sockets are closed."""
        place.plugged = False
        for socket in list(place.sockets.values()):
            socket.close()

    def plug(self, place: Place) -> None:
        """Undo ``unplug``; sockets have to be bound again."""
        place.plugged = True

    def partition(self, sides: Iterable[Iterable[Place]]) -> None:
        """Let each of these groups reach only itself; all others are one more group."""
        self.heal()
        for number, places in enumerate(sides, 1):
            for place in places:
                place.side = number
        self._journal.note("partition", sides=[p.side for p in self._places()])

    def heal(self) -> None:
        """End the partition."""
        for place in self._places():
            place.side = 0
        self._journal.note("heal")

    def _places(self) -> list[Place]:
        return [*self._public.values(), *self._private.values()]

    def bind(self, place: Place, port: int) -> SimulatedSocket:
        """Open a socket of a host; port 0 means any.

        Raises:
          ConnectionFailed: the port is taken, or the host is unplugged.
        """
        if not port:
            while place.next_port in place.sockets:
                place.next_port += 1
            port = place.next_port
            place.next_port += 1
        if port in place.sockets or not place.plugged:
            raise ConnectionFailed(f"{place.address}:{port} cannot be bound: Address in use")

        def send(_socket: SimulatedSocket, data: bytes, to: SocketAddress, hops: int) -> None:
            self._send(place, (place.address, port), data, to, hops)

        def closed(_socket: SimulatedSocket) -> None:
            del place.sockets[port]

        socket = SimulatedSocket((place.address, port), send, closed)
        place.sockets[port] = socket
        return socket

    def forge(self, place: Place, source: SocketAddress, data: bytes, to: SocketAddress) -> None:
        """Send a datagram from a public host that bears another one's address."""
        assert place.nat is None
        self._send(place, source, data, to, 0)

    # on the way -----------------------------------------------------------------------------------

    def _send(
        self, place: Place, source: SocketAddress, data: bytes, to: SocketAddress, hops: int
    ) -> None:
        if not place.plugged:
            return
        now = trio.current_time()
        if place.nat is not None:
            neighbour = self._private.get((place.nat, to[0]))
            if neighbour is not None:
                self._journal.datagram(_text(source), _text(to), data, "local")
                self.later(LOCAL_SECONDS, lambda: self._arrive(neighbour, to[1], data, source))
                return
            source = place.nat.outbound(source, to, now)
        # What may pass a few routers only opens the sender's own and never arrives.
        fate = "expired" if hops else self._fate(place, len(data) + HEADER_BYTES, now)
        target = self._target(to)
        if target is not None and target.side != place.side:
            fate = "parted"
        self._journal.datagram(_text(source), _text(to), data, fate)
        if fate in ("sent", "twice") and target is not None:
            for _ in range(2 if fate == "twice" else 1):
                delay = self.delay(place, target, len(data) + HEADER_BYTES, now)
                self.later(delay, lambda: self._enter(source, to, data))

    def _fate(self, place: Place, size: int, now: float) -> str:
        conditions, draw = self.conditions, self._chance.random
        if size > conditions.largest:
            return "too large"
        if conditions.bytes_per_second is not None:
            queued = (place.free_at[0] - now) * conditions.bytes_per_second
            if queued > conditions.queue_bytes:
                return "queue full"
        if draw() < conditions.loss:
            return "lost"
        return "twice" if draw() < conditions.duplication else "sent"

    def delay(self, place: Place, target: Place, size: int, now: float) -> float:
        """How long something that is sent now is under way; takes its time on the links."""
        conditions, draw = self.conditions, self._chance.random
        far = dist(place.position, target.position) / sqrt(2)
        delay = conditions.nearest + far * (conditions.farthest - conditions.nearest)
        delay += draw() * conditions.jitter
        if draw() < conditions.reordering:
            delay += conditions.held_back
        if conditions.bytes_per_second is not None:
            seconds = size / conditions.bytes_per_second
            place.free_at[0] = left = max(place.free_at[0], now) + seconds
            target.free_at[1] = got = max(target.free_at[1], left + delay) + seconds
            return got - now
        return delay

    def _target(self, to: SocketAddress) -> Place | None:
        """The host, or any of the hosts behind the translator, that an address belongs to."""
        place = self._public.get(to[0])
        if place is None and to[0] in self._nats:
            nat = self._nats[to[0]]
            place = next(p for (of, _), p in self._private.items() if of is nat)
        return place

    def _enter(self, source: SocketAddress, to: SocketAddress, data: bytes) -> None:
        place = self._public.get(to[0])
        if place is not None:
            self._arrive(place, to[1], data, source)
            return
        nat = self._nats[to[0]]
        inside = nat.inbound(to[1], source, trio.current_time())
        if inside is not None:
            self._arrive(self._private[nat, inside[0]], inside[1], data, source)

    def _arrive(self, place: Place, port: int, data: bytes, source: SocketAddress) -> None:
        socket = place.sockets.get(port)
        if socket is not None and place.plugged:
            socket.deliver(data, source)

    # time -----------------------------------------------------------------------------------------

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Do something in so many seconds."""
        at = trio.current_time() + seconds
        heappush(self._way, (at, next(self._numbers), what))
        if at < self._sleep.deadline:
            self._sleep.deadline = at

    async def run(self) -> None:
        """Deliver, for ever."""
        way = self._way
        while True:
            with trio.CancelScope(deadline=way[0][0] if way else float("inf")) as self._sleep:
                await trio.sleep_forever()
            now = trio.current_time()
            while way and way[0][0] <= now:
                heappop(way)[2]()


def _text(address: SocketAddress) -> str:
    return f"{address[0]}:{address[1]}"
