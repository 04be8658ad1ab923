"""A network of DHT nodes in memory, with virtual time; the same seed plays the same way."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import TypeVar

from protocol.dht.addresses import Address
from protocol.dht.events import Event, OperationDone, Ready, Reply
from protocol.dht.node import DhtNode
from protocol.dht.rpc.requests import SERVER_SOCKET
from protocol.dht.rpc.rpc import NodeConfig

E = TypeVar("E")

BOOTSTRAP = Address("10.0.0.1", 49737)


class Host:
    """A node and what happened to it."""

    def __init__(self, node: DhtNode, address: Address) -> None:
        self.node = node
        self.address = address
        self.events: list[Event] = []
        self.alive = True

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def replies(self, operation: int) -> list[Reply]:
        """What nodes answered in an operation."""
        return [event for event in self.of(Reply) if event.operation == operation]


class Nat:
    """A NAT before one host: lets in only what comes from where something was sent to.

    Args:
      host: its public one.
      random: a draw below a number, for another port for every destination; None to give each
        socket one port.
    """

    def __init__(self, host: str, random: Callable[[int], int] | None = None) -> None:
        self.host = host
        self._random = random
        self._next_port = 30000
        self._ports: dict[tuple[Address, Address | None], int] = {}
        self._inside: dict[int, Address] = {}
        self._opened: set[tuple[int, Address]] = set()

    def outwards(self, source: Address, to: Address) -> Address:
        """What the world sees as the source."""
        key = (source, None if self._random is None else to)
        port = self._ports.get(key)
        while port is None or self._inside.get(port, source) != source:
            self._next_port += 1
            port = self._next_port if self._random is None else 1024 + self._random(64512)
        self._ports[key] = port
        self._inside[port] = source
        self._opened.add((port, to))
        return Address(self.host, port)

    def inwards(self, source: Address, to: Address) -> Address | None:
        """Where it arrives; None if it does not."""
        return self._inside.get(to.port) if (to.port, source) in self._opened else None


class Network:
    """Delivers datagrams late, or not at all.

    Attributes:
      now: seconds.
      hosts: by address.
      bytes_sent: by sender and receiver.
      nats: by the hosts inside.
      watch: told every datagram that is sent: bytes, source, destination.
    """

    def __init__(self, seed: int, *, loss: float = 0.0, latency: float = 0.05) -> None:
        self.now = 0.0
        self.hosts: dict[Address, Host] = {}
        self.nats: dict[str, Nat] = {}
        self.watch: Callable[[bytes, Address, Address], None] = lambda *_: None
        self.random = Random(seed)
        self.loss = loss
        self.latency = latency
        self.datagrams = 0
        self.bytes_sent: dict[tuple[Address, Address], int] = {}
        self._count = 0
        self._sockets: dict[Address, tuple[Host | None, int]] = {}
        self._arrivals: list[tuple[float, int, bytes, Address, Address]] = []
        self._timers: list[tuple[float, int, Address]] = []

    def add(self, address: Address | None = None, config: NodeConfig | None = None) -> Host:
        """A node that is known to be reachable, and persistent as soon as it knows its address."""
        if address is None:
            n = len(self.hosts)
            address = Address(f"10.{n // 200 + 1}.{n % 200}.7", 40000 + n)
        if config is None:
            config = NodeConfig((BOOTSTRAP,), None, False, False, local_port=address.port)
        host = Host(DhtNode(config, self.random.randbytes, self.now), address)
        self.hosts[address] = host
        host.node.start(self.now)
        self.pump(host)
        return host

    def send(self, data: bytes, source: Address, to: Address) -> None:
        """Put a datagram on its way."""
        self.datagrams += 1
        self.watch(data, source, to)
        key = (source, to)
        self.bytes_sent[key] = self.bytes_sent.get(key, 0) + len(data)
        if self.random.random() < self.loss:
            return
        self._count += 1
        at = self.now + self.latency * (0.5 + self.random.random())
        heappush(self._arrivals, (at, self._count, data, source, to))

    def pump(self, host: Host) -> None:
        """Take what a node has to say."""
        for datagram in host.node.datagrams_to_send(self.now):
            source = self.source_of(host, datagram.socket)
            nat = self.nats.get(source.host)
            if nat is not None:
                source = nat.outwards(source, datagram.address)
            # What may pass a few routers only never arrives.
            if not datagram.hops:
                self.send(datagram.data, source, datagram.address)
        while (event := host.node.next_event()) is not None:
            host.events.append(event)
        self._count += 1
        heappush(self._timers, (host.node.next_timer(), self._count, host.address))

    def source_of(self, host: Host, socket: int) -> Address:
        """Where a socket of a host is: the first where the host is, others apart."""
        if socket == SERVER_SOCKET:
            return host.address
        address = Address(host.address.host, 20000 + socket)
        self._sockets[address] = (host, socket)
        return address

    def run_until(self, done: Callable[[], bool], seconds: float = 60.0) -> None:
        """Let time pass until something is true."""
        end = self.now + seconds
        while not done():
            assert self.now < end, "it did not happen in time"
            # Looking costs more than a step.
            for _ in range(20):
                self._step(end)

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self._step(end)

    def _step(self, end: float) -> None:
        arrival = self._arrivals[0][0] if self._arrivals else end
        timer = self._timers[0][0] if self._timers else end
        self.now = max(self.now, min(arrival, timer, end))
        if arrival <= self.now and self._arrivals:
            _, _, data, source, public = heappop(self._arrivals)
            to = public
            for nat in self.nats.values():
                if nat.host == public.host:
                    to = nat.inwards(source, public) or Address("", 0)
            host, socket = self._sockets.get(to, (self.hosts.get(to), SERVER_SOCKET))
            if host is not None and host.alive:
                host.node.receive_datagram_untrusted(data, source, self.now, socket)
                self.pump(host)
        elif timer <= self.now and self._timers:
            at, _, address = heappop(self._timers)
            host = self.hosts.get(address)
            if host is not None and host.alive and host.node.next_timer() <= at:
                host.node.handle_timer(self.now)
                self.pump(host)

    def wait(self, host: Host, operation: int, seconds: float = 60.0) -> OperationDone:
        """Let time pass until an operation is done."""
        self.pump(host)

        def ended() -> list[OperationDone]:
            return [done for done in host.of(OperationDone) if done.operation == operation]

        self.run_until(lambda: bool(ended()), seconds)
        return ended()[0]


def build(seed: int, count: int, *, loss: float = 0.0) -> Network:
    """A network of ``count`` persistent nodes that know each other."""
    network = Network(seed, loss=loss)
    network.add(BOOTSTRAP, NodeConfig(address=BOOTSTRAP))
    hosts = []
    for _ in range(count - 1):
        hosts.append(network.add())
        network.run_for(0.1)
    network.run_until(lambda: all(host.of(Ready) for host in hosts), 120)
    network.run_until(lambda: all(host.node.id for host in hosts), 120)
    network.run_for(2)
    return network
