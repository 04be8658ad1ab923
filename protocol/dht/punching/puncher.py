"""Opening NATs from both sides at once: sockets of their own, and datagrams of one byte.

    SAMPLING  --nodes said what they see-->  KNOWN  --punch-->  PUNCHING
        ^------ a fresh socket, up to 3 ------'                     |
    any  --a byte of the peer arrives (client)-->  CONNECTED        '--tries used up--> CLOSED

What each side does while PUNCHING follows from what both NATs are:

    ours        the peer's    we
    CONSISTENT  CONSISTENT    send to its addresses every second
    CONSISTENT  RANDOM        spray its ports, 50 a second
    RANDOM      CONSISTENT    open 256 sockets and send from each in turn
    RANDOM      RANDOM        cannot

The server answers each byte with one; the client connects to where its first byte comes from.
A byte with few hops opens our own NAT and dies on the way: a NAT that sees a stranger's datagram
first may give the port to it.

Wire facts: specs/14-hole-punching.md; npm ``hyperdht``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from ...limits import MAX_PUNCHERS, RANDOM_PUNCH_PAUSE_SECONDS
from ..addresses import Address
from ..events import SocketUnwanted, SocketWanted
from ..handshake.noise_payload import Firewall
from ..rpc.requests import FIRST_FREE_SOCKET, Datagram
from .holepunch_payload import HolepunchPayload
from .nat_probe import NatProbe

if TYPE_CHECKING:
    from ..rpc.later import Timer
    from ..rpc.rpc import Rpc

PUNCH = b"\x00"
LOW_HOPS = 5

_MAX_REOPENS = 3
_CONSISTENT_SECONDS = 1.0
_CONSISTENT_TRIES = 10
_UNVERIFIED_EVERY = 4
_RANDOM_SECONDS = 0.02
_RANDOM_TRIES = 1750
_BIRTHDAY_SOCKETS = 256
_BIRTHDAY_PAUSE_SECONDS = 0.1
_LOWEST_PORT = 1000
# From the last try to the end: the peer connects by the last byte as well as by the first.
_LAST_SECONDS = 2.0


class State(Enum):
    """See the module."""

    SAMPLING = "sampling"
    KNOWN = "known"
    PUNCHING = "punching"
    CONNECTED = "connected"
    CLOSED = "closed"


class _Step(Enum):
    ANALYZED = "analyzed"
    REOPEN = "reopen"
    PUNCH = "punch"
    HEARD = "heard"
    CLOSE = "close"


_TABLE = {
    (State.SAMPLING, _Step.ANALYZED): State.KNOWN,
    (State.SAMPLING, _Step.PUNCH): State.PUNCHING,
    (State.SAMPLING, _Step.HEARD): State.CONNECTED,
    (State.SAMPLING, _Step.CLOSE): State.CLOSED,
    (State.KNOWN, _Step.REOPEN): State.SAMPLING,
    (State.KNOWN, _Step.PUNCH): State.PUNCHING,
    (State.KNOWN, _Step.HEARD): State.CONNECTED,
    (State.KNOWN, _Step.CLOSE): State.CLOSED,
    (State.PUNCHING, _Step.HEARD): State.CONNECTED,
    (State.PUNCHING, _Step.CLOSE): State.CLOSED,
    (State.CONNECTED, _Step.CLOSE): State.CLOSED,
}


class RemoteAddress(NamedTuple):
    """Where the peer says it is.

    Attributes:
      address: port 0 if its NAT is random.
      verified: whether it showed that it receives at this host.
    """

    address: Address
    verified: bool


class PunchSockets:
    """The sockets of all punchers of one node, and what they share.

    Attributes:
      punchers: by number of their sockets.
      random_until: no punch that needs many ports may begin before this; they load a NAT.
      opened, missed: how many punches of ours as a client have led to the peer, and how many used
        all their tries up. A server is not told.
    """

    def __init__(self, rpc: Rpc) -> None:
        self.punchers: dict[int, Puncher] = {}
        self.random_until = 0.0
        self.opened = 0
        self.missed = 0
        self.open_punchers = 0
        self._rpc = rpc
        self._last = FIRST_FREE_SOCKET - 1

    @property
    def full(self) -> bool:
        """Whether no further puncher may be made."""
        return self.open_punchers >= MAX_PUNCHERS

    def open(self, puncher: Puncher) -> int:
        """A fresh socket."""
        self._last += 1
        self.punchers[self._last] = puncher
        self._rpc.events.append(SocketWanted(self._last))
        return self._last

    def close(self, socket: int) -> None:
        """A puncher needs it no more; streams may."""
        if self.punchers.pop(socket, None) is not None:
            self._rpc.events.append(SocketUnwanted(socket))

    def receive(self, socket: int, source: Address) -> None:
        """A datagram of one byte."""
        puncher = self.punchers.get(socket)
        if puncher is not None:
            puncher.heard(socket, source)


class Puncher:
    """One side of a hole punch.

    Args:
      rpc: the node.
      initiator: whether we are the client.
      on_connect: for the client: told the socket and address of the first byte.
      on_end: told that all tries are used up.

    Attributes:
      state: where it stands.
      nat: what is known of our NAT.
      remote_firewall, remote_punching: what the peer said last.
    """

    def __init__(
        self,
        rpc: Rpc,
        *,
        initiator: bool,
        on_connect: Callable[[int, Address], None],
        on_end: Callable[[], None],
    ) -> None:
        self.state = State.SAMPLING
        self.remote_firewall = Firewall.UNKNOWN
        self.remote_punching = False
        self._rpc = rpc
        self._pool = rpc.sockets
        self._pool.open_punchers += 1
        self._initiator = initiator
        self._on_connect = on_connect
        self._on_end = on_end
        self._remote: list[RemoteAddress] = []
        self._reopened = 0
        self._waiting: list[Callable[[], None]] = []
        self._tries = 0
        self._timer: Timer | None = None
        self._sockets = [self._pool.open(self)]
        self.nat = NatProbe(rpc, self.socket, self._known)
        self.nat.start()

    @property
    def socket(self) -> int:
        """Number of the socket that we ask from."""
        return self._sockets[0]

    @property
    def over(self) -> bool:
        """Whether it is connected or closed."""
        return self.state in (State.CONNECTED, State.CLOSED)

    def _step(self, step: _Step) -> bool:
        state = _TABLE.get((self.state, step))
        if state is not None:
            self.state = state
        return state is not None

    # our NAT --------------------------------------------------------------------------------------

    def _known(self) -> None:
        self._step(_Step.ANALYZED)
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def when_known(self, call: Callable[[], None]) -> None:
        """Call back as soon as our NAT was looked at; now if it was."""
        if self.nat.done:
            call()
        else:
            self._waiting.append(call)

    @property
    def unstable(self) -> bool:
        """Whether another socket could have better luck."""
        firewall = self.nat.firewall
        both = self.remote_firewall >= Firewall.RANDOM and firewall >= Firewall.RANDOM
        return both or firewall == Firewall.UNKNOWN

    def reopen(self) -> bool:
        """Try another socket; ``when_known`` tells what came of it. False: that was enough."""
        if self._reopened >= _MAX_REOPENS or not self._step(_Step.REOPEN):
            return False
        self._reopened += 1
        self.nat.close()
        self._pool.close(self._sockets[0])
        self._sockets[0] = self._pool.open(self)
        self.nat = NatProbe(self._rpc, self.socket, self._known)
        self.nat.start()
        return True

    # the peer -------------------------------------------------------------------------------------

    def update(self, payload: HolepunchPayload, verified_host: str | None) -> None:
        """The peer told us how it stands.

        Args:
          payload: what it said.
          verified_host: where it showed to receive; None for nowhere.
        """
        good = {remote.address.host for remote in self._remote if remote.verified}
        if verified_host is not None:
            good.add(verified_host)
        self.remote_firewall = _coerced(payload.firewall)
        self.remote_punching = payload.punching
        self._remote = [
            RemoteAddress(address, address.host in good) for address in payload.addresses or ()
        ]

    # bytes ----------------------------------------------------------------------------------------

    def send(self, address: Address, *, hops: int = 0, socket: int | None = None) -> None:
        """Send a byte."""
        if address.port and not self.over:
            out = self.socket if socket is None else socket
            self._rpc.outbox.append(Datagram(PUNCH, address, out, hops))

    def open_session(self, address: Address) -> None:
        """Open our NAT towards an address; nothing arrives there."""
        self.send(address, hops=LOW_HOPS)

    def heard(self, socket: int, source: Address) -> None:
        """A byte of the peer, or of anybody."""
        if not self._initiator:
            self.send(source, socket=socket)
        elif self._step(_Step.HEARD):
            self._pool.opened += 1
            self._stop()
            self._let_go(keep=socket)
            self._on_connect(socket, source)

    # punching -------------------------------------------------------------------------------------

    @property
    def is_random(self) -> bool:
        """Whether one of the NATs is random."""
        return max(self.remote_firewall, self.nat.firewall) >= Firewall.RANDOM

    @property
    def must_wait(self) -> bool:
        """Whether it would take many ports, and another punch just did."""
        return self.is_random and self._rpc.now < self._pool.random_until

    def punch(self) -> bool:
        """Begin; or go on, if it has begun. False: with these NATs it cannot be done."""
        if self.state is State.PUNCHING:
            return True
        strategy = _STRATEGIES.get((_coerced(self.nat.firewall), self.remote_firewall))
        if strategy is None or not self._remote or self.over:
            return False
        verified = next((r.address for r in self._remote if r.verified), None)
        if self.is_random:
            if verified is None:
                return False
            self._pool.random_until = (
                self._rpc.now + _RANDOM_TRIES * _RANDOM_SECONDS + RANDOM_PUNCH_PAUSE_SECONDS
            )
        self._step(_Step.PUNCH)
        strategy(self, verified)
        return True

    def _probe(self, _verified: Address | None) -> None:
        self._tries += 1
        for address, verified in self._remote:
            # An address that nobody vouches for could be a victim's.
            if verified or self._tries % _UNVERIFIED_EVERY == 0:
                self.send(address)
        self._again(self._probe, None, _CONSISTENT_SECONDS, _CONSISTENT_TRIES)

    def _spray(self, verified: Address | None) -> None:
        assert verified is not None
        self._tries += 1
        draw = int.from_bytes(self._rpc.random_bytes(4), "little")
        port = _LOWEST_PORT + draw % (0x10000 - _LOWEST_PORT)
        self.send(Address(verified.host, port))
        self._again(self._spray, verified, _RANDOM_SECONDS, _RANDOM_TRIES)

    def _open_many(self, verified: Address | None) -> None:
        assert verified is not None
        while len(self._sockets) < _BIRTHDAY_SOCKETS:
            socket = self._pool.open(self)
            self._sockets.append(socket)
            self.send(verified, hops=LOW_HOPS, socket=socket)
        self._later(_BIRTHDAY_PAUSE_SECONDS, lambda: self._take_turns(verified))

    def _take_turns(self, verified: Address | None) -> None:
        assert verified is not None
        first_round = self._tries < len(self._sockets)
        socket = self._sockets[self._tries % len(self._sockets)]
        self._tries += 1
        self.send(verified, hops=LOW_HOPS if first_round else 0, socket=socket)
        self._again(self._take_turns, verified, _RANDOM_SECONDS, _RANDOM_TRIES)

    def _again(
        self,
        what: Callable[[Address | None], None],
        verified: Address | None,
        seconds: float,
        tries: int,
    ) -> None:
        if self._tries < tries:
            self._later(seconds, lambda: what(verified))
        else:
            self._later(_LAST_SECONDS, self._give_up)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._timer = self._rpc.later.at(self._rpc.now + seconds, call)

    def _give_up(self) -> None:
        if not self.over:
            self._pool.missed += self._initiator
            self.close()
            self._on_end()

    # the end --------------------------------------------------------------------------------------

    def _stop(self) -> None:
        self.nat.close()
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._tries and self.is_random:
            self._pool.random_until = self._rpc.now + RANDOM_PUNCH_PAUSE_SECONDS

    def _let_go(self, keep: int | None = None) -> None:
        for socket in self._sockets:
            if socket != keep:
                self._pool.close(socket)
        self._sockets = [] if keep is None else [keep]

    def close(self) -> None:
        """Let the sockets go; the one of a connection stays open for its stream."""
        if self._step(_Step.CLOSE):
            self._stop()
            self._let_go()
            self._pool.open_punchers -= 1


_STRATEGIES = {
    (Firewall.CONSISTENT, Firewall.CONSISTENT): Puncher._probe,
    (Firewall.CONSISTENT, Firewall.RANDOM): Puncher._spray,
    (Firewall.RANDOM, Firewall.CONSISTENT): Puncher._open_many,
}


def _coerced(firewall: int) -> Firewall:
    """An open peer is as good as a consistent one; unknown numbers are unknown."""
    if firewall == Firewall.OPEN:
        return Firewall.CONSISTENT
    return Firewall(firewall) if firewall in Firewall.__members__.values() else Firewall.UNKNOWN
