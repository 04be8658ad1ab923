"""The client's side of a hole punch: two rounds of messages through relays, then bytes.

    probe   "this is my NAT, I opened a way to you"        answer: the server's NAT, its token
      again when the server did not know its NAT yet
    punch   "I punch now", both tokens                     answer: it punches, too
    then both send until the client hears a byte

Wire facts: specs/14-hole-punching.md; npm ``hyperdht``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...crypto.hashes import blake2b_256
from ...errors import RemoteProtocolError
from ..addresses import Address
from ..handshake.handshake_box import (
    HolepunchBox,
    Mode,
    decode_holepunch_box_untrusted,
    encode_holepunch_box,
)
from ..handshake.noise_payload import Firewall, HolepunchInfo, PayloadError, RelayRoute
from ..rpc.messages import Command
from ..rpc.requests import Answer, Outstanding
from ..rpc.rpc import Rpc
from .holepunch_payload import (
    NONCE_BYTES,
    HolepunchPayload,
    open_holepunch_untrusted,
    seal_holepunch,
)
from .puncher import Puncher

# A server that does not know its NAT yet gets this long to find out.
_WAIT_SECONDS = 1.0
_SECRET_BYTES = 32

CANNOT = "both sides are behind NATs that give every connection a random port"
UNKNOWN_NAT = "too few nodes answered to find out how to get through the NATs"


def host_token(secret: bytes, host: str) -> bytes:
    """32 bytes that prove, when they come back, that a message reached this host."""
    return blake2b_256(host.encode(), key=secret)


@dataclass(frozen=True, slots=True)
class PunchPlan:
    """What a client knows when it begins.

    Attributes:
      target: hash of the server's key.
      offer: the server's offer.
      secret: of the handshake, 32 bytes.
      server: where the server answered the handshake from, as the relay saw it.
      relay: through which it did.
    """

    target: bytes
    offer: HolepunchInfo
    secret: bytes
    server: Address
    relay: Address


class PunchRounds:
    """One attempt.

    Args:
      rpc: the node.
      plan: where to.
      on_connect: told the socket and address of the peer's first byte.
      on_failure: told why it did not work.
    """

    def __init__(
        self,
        rpc: Rpc,
        plan: PunchPlan,
        on_connect: Callable[[int, Address], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self._rpc = rpc
        self._plan = plan
        self._on_connect = on_connect
        self._on_failure = on_failure
        self._server = plan.server
        self._route = _pick(plan.offer.relays, plan.relay)
        self._local_secret = rpc.random_bytes(_SECRET_BYTES)
        self._token: bytes | None = None
        self._round = 0
        self._probes_left = 2
        self._request: Outstanding | None = None
        self._over = False
        self._puncher = Puncher(
            rpc,
            initiator=True,
            on_connect=self._connected,
            on_end=lambda: self._fail("the peer could not be reached through its NAT"),
        )

    def start(self) -> None:
        """Send the first message."""
        self._puncher.open_session(self._server)
        self._probe()

    def cancel(self) -> None:
        """Stop; nothing is called."""
        self._over = True
        if self._request is not None:
            self._rpc.close((self._request,))
        self._puncher.close()

    def _connected(self, socket: int, address: Address) -> None:
        if not self._over:
            self._over = True
            if self._request is not None:
                self._rpc.close((self._request,))
            self._on_connect(socket, address)
            self._puncher.close()

    def _fail(self, reason: str, *, tell: bool = False) -> None:
        if self._over:
            return
        if tell:
            aborted = HolepunchPayload(error=PayloadError.ABORTED, round=self._round)
            self._send(self._route.relay_address, self._route.peer_address, aborted, None)
        self._over = True
        self._puncher.close()
        self._on_failure(reason)

    # messages -------------------------------------------------------------------------------------

    def _send(
        self,
        relay: Address,
        peer: Address,
        payload: HolepunchPayload,
        then: Callable[[HolepunchPayload, Address], None] | None,
    ) -> None:
        """Send a message through a relay; ``then`` gets the answer and where the server is."""

        def answered(answer: Answer) -> None:
            if self._over or then is None:
                return
            try:
                box = decode_holepunch_box_untrusted(answer.response.value or b"")
                if box.mode != Mode.REPLY:
                    raise RemoteProtocolError("a node answers a holepunch with something else")
                said = open_holepunch_untrusted(box.payload, self._plan.secret)
            except RemoteProtocolError:
                self._fail("the peer's answer to the hole punch makes no sense")
                return
            self._puncher.nat.add(answer.response.to, answer.source)
            self._take(payload, said, peer)
            if not said.error:
                then(said, box.peer_address or peer)

        sealed = seal_holepunch(payload, self._plan.secret, self._rpc.random_bytes(NONCE_BYTES))
        box = HolepunchBox(Mode.FROM_CLIENT, self._plan.offer.id, sealed, peer)
        self._round += 1
        request = self._rpc.request(
            relay,
            Command.PEER_HOLEPUNCH,
            target=self._plan.target,
            value=encode_holepunch_box(box),
            socket=self._puncher.socket,
            on_answer=answered,
            on_failure=lambda: None if then is None else self._fail("the peer's relay is gone"),
            retries=0 if then is None else 3,
        )
        if then is not None:
            self._request = request

    def _take(self, asked: HolepunchPayload, said: HolepunchPayload, peer: Address) -> None:
        if said.error == PayloadError.TRY_LATER:
            self._fail("the peer is busy with another hole punch; try again later")
        elif said.error:
            self._puncher.when_known(self._given_up)
        else:
            echoed = asked.token is not None and said.remote_token == asked.token
            self._puncher.update(said, peer.host if echoed else None)

    def _given_up(self) -> None:
        """JS peers say no more than this, also where both NATs are random."""
        own = self._puncher.nat.firewall
        why = f"; perhaps {CANNOT}" if own >= Firewall.RANDOM else ""
        self._fail(f"the peer gave the hole punch up{why}")

    def _own(self) -> HolepunchPayload:
        nat = self._puncher.nat
        return HolepunchPayload(firewall=nat.firewall, round=self._round, addresses=nat.addresses)

    # the rounds -----------------------------------------------------------------------------------

    def _probe(self) -> None:
        self._probes_left -= 1
        payload = replace(self._own(), remote_address=self._server)
        self._send(self._route.relay_address, self._route.peer_address, payload, self._probed)

    def _probed(self, said: HolepunchPayload, seen_at: Address) -> None:
        if said.token is not None:
            self._token = said.token

        def look() -> None:
            if not self._over:
                self._puncher.when_known(lambda: self._weigh(seen_at))

        if self._puncher.remote_firewall == Firewall.UNKNOWN:
            self._rpc.later.at(self._rpc.now + _WAIT_SECONDS, look)
        else:
            look()

    def _weigh(self, seen_at: Address) -> None:
        puncher = self._puncher
        if self._over:
            return
        if puncher.unstable and puncher.reopen():
            # A fresh socket: its NAT has to be told anew.
            puncher.when_known(lambda: self._reopened(seen_at))
            return
        self._decide(seen_at)

    def _reopened(self, seen_at: Address) -> None:
        if self._over:
            return
        if self._puncher.unstable:
            self._weigh(seen_at)
            return
        self._puncher.open_session(self._server)
        self._probes_left = max(self._probes_left, 1)
        self._probe()

    def _decide(self, seen_at: Address) -> None:
        puncher = self._puncher
        remote, own = puncher.remote_firewall, puncher.nat.firewall
        if (remote == Firewall.UNKNOWN or self._token is None) and self._probes_left:
            self._probe()
        elif Firewall.UNKNOWN in (remote, own):
            self._fail(UNKNOWN_NAT)
        elif remote >= Firewall.RANDOM and own >= Firewall.RANDOM:
            self._fail(CANNOT, tell=True)
        elif puncher.must_wait:
            self._fail("another hole punch is under way here; try again later", tell=True)
        else:
            self._punch(seen_at)

    def _punch(self, seen_at: Address) -> None:
        if self._route.relay_address == self._plan.relay and seen_at != self._server:
            # The server answers from another socket by now.
            self._server = seen_at
            self._puncher.open_session(seen_at)
        self._puncher.nat.frozen = True
        payload = replace(
            self._own(),
            punching=True,
            token=host_token(self._local_secret, self._server.host),
            remote_token=self._token,
        )
        self._send(self._plan.relay, self._server, payload, self._punched)

    def _punched(self, _said: HolepunchPayload, _seen_at: Address) -> None:
        if not self._puncher.remote_punching:
            self._fail("the peer does not punch")
        elif not self._puncher.punch():
            self._fail("the peer cannot be reached through its NAT")


def _pick(routes: tuple[RelayRoute, ...], relay: Address) -> RelayRoute:
    """The server's relay that we know already, else any."""
    return next((route for route in routes if route.relay_address == relay), routes[0])
