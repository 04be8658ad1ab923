"""Address translation of a router at home: what others see of a host, and what reaches it."""

from __future__ import annotations

from enum import Enum
from random import Random

from vitra_node.net.udx.udp import SocketAddress

# A translation that nothing passed through for so long is forgotten. RFC 4787, REQ-5: at least two
# minutes; common routers take 30 s for what was never answered.
FORGET_SECONDS = 120.0
FIRST_PORT = 1024
PORTS = 65536


class NatKind(Enum):
    """How a host reaches the world.

    Attributes:
      OPEN: it has a public address.
      CONSISTENT: one public port for each of its sockets, the same number where it is free;
        only those it has sent to reach it there.
      RANDOMISING: another random port for each peer; only that peer reaches it there.
    """

    OPEN = "open"
    CONSISTENT = "consistent"
    RANDOMISING = "randomising"


class Nat:
    """A router with one public address and a network behind it.

    Attributes:
      public: its address.
      kind: how it translates; not ``OPEN``.
    """

    def __init__(self, public: str, kind: NatKind, chance: Random) -> None:
        assert kind is not NatKind.OPEN
        self.public = public
        self.kind = kind
        self._chance = chance
        # Socket within (and peer, where that counts) -> public port.
        self._ports: dict[tuple[SocketAddress, SocketAddress | None], int] = {}
        self._inside: dict[int, tuple[SocketAddress, SocketAddress | None]] = {}
        # Public port -> peer -> when something last went there.
        self._sent: dict[int, dict[SocketAddress, float]] = {}

    def outbound(self, source: SocketAddress, to: SocketAddress, now: float) -> SocketAddress:
        """The public address from which a datagram leaves; its peer may answer from now on."""
        key = (source, to if self.kind is NatKind.RANDOMISING else None)
        port = self._ports.get(key)
        if port is None or not self._lives(port, now):
            if port is not None:
                self._forget(port)
            port = self._new_port(source[1], now)
            self._ports[key] = port
            self._inside[port] = key
            self._sent[port] = {}
        self._sent[port][to] = now
        return self.public, port

    def inbound(self, port: int, source: SocketAddress, now: float) -> SocketAddress | None:
        """The socket within that gets a datagram from ``source``; None if it is turned away."""
        sent = self._sent.get(port)
        if sent is None or now - sent.get(source, float("-inf")) > FORGET_SECONDS:
            return None
        sent[source] = now
        return self._inside[port][0]

    def _lives(self, port: int, now: float) -> bool:
        return now - max(self._sent[port].values()) <= FORGET_SECONDS

    def _forget(self, port: int) -> None:
        del self._sent[port]
        del self._ports[self._inside.pop(port)]

    def _new_port(self, wanted: int, now: float) -> int:
        if self.kind is NatKind.CONSISTENT and self._is_free(wanted, now):
            return wanted
        while True:
            port = self._chance.randrange(FIRST_PORT, PORTS)
            if self._is_free(port, now):
                return port

    def _is_free(self, port: int, now: float) -> bool:
        if port in self._sent and not self._lives(port, now):
            self._forget(port)
        return port not in self._sent
