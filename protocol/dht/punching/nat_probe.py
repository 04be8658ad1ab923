"""What kind of NAT is before one socket: nodes pinged from it say which address they see.

    the same address three times    CONSISTENT: whoever is told it can send there
    another port every time         RANDOM: nobody can be told where to send
    too few answers                 UNKNOWN

Wire facts: specs/14-hole-punching.md section 2; npm ``hyperdht``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..addresses import Address
from ..handshake.noise_payload import Firewall
from ..rpc.requests import Answer

if TYPE_CHECKING:
    from ..rpc.rpc import Rpc

_SAMPLES = 4
_ENOUGH = 3
# The newest nodes are the least sure to stay; a table of this size has others.
_SKIPPED = 5
_SKIP_FROM = 8


class NatProbe:
    """Samples for one socket.

    Args:
      rpc: the node.
      socket: number of the socket.
      on_known: called once, when there are enough samples or no more to be had.

    Attributes:
      firewall: ``CONSISTENT``, ``RANDOM``, or ``UNKNOWN``.
      addresses: ours as others see it, to be told to the peer; a random one has port 0.
      done: whether ``on_known`` was called.
      frozen: whether the verdict stays as it is, because the peer was told it.
    """

    def __init__(self, rpc: Rpc, socket: int, on_known: Callable[[], None]) -> None:
        self.firewall = Firewall.UNKNOWN
        self.addresses: tuple[Address, ...] | None = None
        self.done = False
        self.frozen = False
        self._rpc = rpc
        self._socket = socket
        self._on_known = on_known
        self._seen: Counter[Address] = Counter()
        self._asked: set[Address] = set()
        self._heard: set[Address] = set()
        self._pending = 0
        self._rounds = 2

    def start(self) -> None:
        """Ping the first nodes."""
        self._ping_some()

    def close(self) -> None:
        """Nothing is called any more."""
        self.done = True

    def add(self, seen: Address, by: Address) -> None:
        """A node sees the socket at this address; each node counts once."""
        if by in self._heard:
            return
        self._heard.add(by)
        self._seen[seen] += 1
        if not self.frozen:
            self._judge()
        if self.firewall == Firewall.CONSISTENT or len(self._heard) >= _SAMPLES:
            self._finish()

    def _finish(self) -> None:
        if not self.done:
            self.done = True
            self._on_known()

    def _ping_some(self) -> None:
        self._rounds -= 1
        nodes = [node.address for node in reversed(list(self._rpc.table))]
        if len(nodes) >= _SKIP_FROM:
            nodes = nodes[_SKIPPED:] + nodes[:_SKIPPED]
        wanted = _SAMPLES - len(self._heard)
        chosen = [node for node in nodes if node not in self._asked][:wanted]
        self._pending += len(chosen)
        for node in chosen:
            self._asked.add(node)
            self._rpc.ping(node, self._ponged, self._missed, retries=0, socket=self._socket)
        if not chosen:
            self._finish()

    def _ponged(self, answer: Answer) -> None:
        self._pending -= 1
        if not self.done:
            self.add(answer.response.to, answer.source)
            self._go_on()

    def _missed(self) -> None:
        self._pending -= 1
        if not self.done:
            self._go_on()

    def _go_on(self) -> None:
        if self._pending or self.done:
            return
        if self._rounds and len(self._heard) < _SAMPLES:
            self._ping_some()
        else:
            self._finish()

    def _judge(self) -> None:
        count = self._seen.total()
        if count < _ENOUGH:
            return
        ranking = self._seen.most_common()
        most = ranking[0][1]
        hosts = Counter(address.host for address in self._seen.elements()).most_common()
        if most >= _ENOUGH:
            self.firewall = Firewall.CONSISTENT
        elif most == 1 or (len(hosts) == 1 and count >= _SAMPLES):
            self.firewall = Firewall.RANDOM
        elif len(hosts) > 1 and ranking[1][1] > 1:
            # Two public hosts, each seen twice.
            self.firewall = Firewall.CONSISTENT
        elif count > _SAMPLES:
            self.firewall = Firewall.RANDOM
        if self.firewall == Firewall.RANDOM:
            self.addresses = (Address(hosts[0][0], 0),)
        elif self.firewall == Firewall.CONSISTENT:
            self.addresses = tuple(
                address for n, (address, hits) in enumerate(ranking) if hits > 1 or n < 2
            )
