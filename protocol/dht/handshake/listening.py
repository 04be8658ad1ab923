"""Being found by key: the server's side of the peer handshake.

    handshake message --admitted, decrypted--> asked (the shell decides) --accept--> answered
                                                          '--refuse--> silent
    answered --settled, or 20 seconds--> forgotten 10 seconds later
    answered, and we are not open --holepunch messages--> ``punch_answers``

One client sends the same message through several relays, and repeats it. The message is the key of
the session: every copy gets the same bytes back, and all make one connection. Messages are counted
against limits before anything is computed (hyperdht issue 294).

Wire facts: specs/13-dht.md sections 9 and 10; npm ``hyperdht``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ...crypto.hashes import blake2b_256
from ...crypto.keys import SEED_BYTES, KeyPair
from ...errors import LocalProtocolError
from ...limits import (
    HANDSHAKE_LINGER_SECONDS,
    HANDSHAKE_SECONDS,
    MAX_DHT_RELAYS,
    MAX_HALF_OPEN_HANDSHAKES,
    MAX_ROUTES_PER_HANDSHAKE,
    MEETING_SECONDS,
    PUNCHED_MEETING_SECONDS,
)
from ...noise.handshake import Handshake
from .. import namespaces
from ..addresses import Address
from ..events import ConnectionReady, HandshakeReceived, RelayWanted
from ..punching.holepunch_payload import holepunch_secret
from ..punching.punch_answers import PunchAnswers
from ..rpc.messages import Command
from ..rpc.rate_limits import HandshakeLimits
from ..rpc.rpc import Incoming, Rpc
from .announcer import Announcer
from .handshake_box import HandshakeBox, HolepunchBox, Mode, encode_handshake_box
from .noise_payload import (
    RELAY_TOKEN_BYTES,
    VERSION,
    Firewall,
    HolepunchInfo,
    NoisePayload,
    PayloadError,
    RelayThrough,
    UdxInfo,
    decode_noise_payload_untrusted,
    encode_noise_payload,
)


class _Route(NamedTuple):
    """A way back to the client: directly, or by ``relay`` under the client's number."""

    incoming: Incoming
    client: Address
    relay: Address | None


@dataclass(slots=True, eq=False)
class _Session:
    number: int
    noise: bytes
    handshake: Handshake
    remote: NoisePayload
    routes: list[_Route]
    expires_at: float
    answer: bytes | None = field(default=None)
    refused: bool = False
    punch: PunchAnswers | None = None


class Sessions:
    """The handshakes of all servers of one node, and what they share.

    Attributes:
      limits: who may make us compute.
    """

    def __init__(self) -> None:
        self.limits = HandshakeLimits()
        self.by_number: dict[int, tuple[Server, _Session]] = {}
        self._count = 0

    def next_number(self) -> int:
        """A fresh number."""
        self._count += 1
        return self._count

    def take(self, number: int) -> tuple[Server, _Session] | None:
        """The session with this number, if it was not forgotten."""
        return self.by_number.get(number)


class Server:
    """One key that listens.

    Attributes:
      key_pair: of the server.
      announcer: makes the key findable.
    """

    def __init__(
        self, rpc: Rpc, sessions: Sessions, key_pair: KeyPair, relay_through: bytes | None = None
    ) -> None:
        self.key_pair = key_pair
        self._relay_through = relay_through
        self.announcer = Announcer(rpc, key_pair)
        self.target = blake2b_256(key_pair.public_key)
        self._rpc = rpc
        self._shared = sessions
        self._by_noise: dict[bytes, _Session] = {}

    # what comes in --------------------------------------------------------------------------------

    def take_handshake_untrusted(self, incoming: Incoming, box: HandshakeBox) -> None:
        """A copy of a client's message.

        Raises:
          RemoteProtocolError: it does not authenticate, or makes no sense.
        """
        route = self._route(incoming, box)
        if route is None:
            return
        session = self._by_noise.get(box.noise)
        if session is None:
            self._begin_untrusted(box.noise, route)
        elif session.answer is not None:
            self._send(session, route)
        elif not session.refused and len(session.routes) < MAX_ROUTES_PER_HANDSHAKE:
            session.routes.append(route)

    def take_holepunch_untrusted(self, incoming: Incoming, box: HolepunchBox) -> None:
        """A client's message about a hole punch that it was offered.

        Raises:
          RemoteProtocolError: it does not authenticate, or makes no sense.
        """
        found = self._shared.by_number.get(box.id)
        if found is None or found[0] is not self or box.mode != Mode.FROM_RELAY:
            return
        punch = found[1].punch
        if punch is not None:
            own_relay = self.announcer.is_relay(incoming.source)
            punch.take_untrusted(incoming, box, own_relay=own_relay)

    def _route(self, incoming: Incoming, box: HandshakeBox) -> _Route | None:
        """The way back; None for relays that we did not choose."""
        if box.mode == Mode.FROM_CLIENT:
            return _Route(incoming, incoming.source, None)
        if box.peer_address is None or not self.announcer.is_relay(incoming.source):
            return None
        if box.mode == Mode.FROM_RELAY:
            return _Route(incoming, box.peer_address, incoming.source)
        if box.mode != Mode.FROM_SECOND_RELAY or box.relay_address is None:
            return None
        # Only towards a node that was seen to receive there.
        if not self._rpc.return_paths.is_proven(box.relay_address.host, self._rpc.now):
            return None
        return _Route(incoming, box.peer_address, box.relay_address)

    def _begin_untrusted(self, noise: bytes, route: _Route) -> None:
        now, shared = self._rpc.now, self._shared
        if not shared.limits.admit(route.client, route.relay is not None, now):
            return
        self._make_room()
        handshake = Handshake(
            "IK",
            False,
            self.key_pair,
            ephemeral_seed=self._rpc.random_bytes(SEED_BYTES),
            prologue=namespaces.PEER_HANDSHAKE,
        )
        remote = decode_noise_payload_untrusted(handshake.read_untrusted(noise))
        remote_key = handshake.remote_public_key
        if remote_key is None:
            return
        number = shared.next_number()
        session = _Session(number, noise, handshake, remote, [route], now + HANDSHAKE_SECONDS)
        self._by_noise[noise] = session
        shared.by_number[number] = (self, session)
        if remote.version != VERSION:
            self._answer(session, NoisePayload(error=PayloadError.VERSION_MISMATCH))
        elif remote.error or remote.udx is None or not remote.secret_stream:
            self._answer(session, NoisePayload(error=PayloadError.ABORTED))
        else:
            self._rpc.events.append(
                HandshakeReceived(number, self.key_pair.public_key, remote_key, remote)
            )

    # what the shell decides -----------------------------------------------------------------------

    def accept(self, session: _Session, stream_id: int) -> None:
        """Answer the client, with our end of the stream; ``ConnectionReady`` follows."""
        if session.answer is not None or session.refused:
            raise LocalProtocolError("this handshake was already decided")
        route = session.routes[0]
        is_direct = route.relay is None
        can_dial = is_direct or session.remote.firewall == Firewall.OPEN
        host = route.client.host
        relay: RelayThrough | None = None
        if self._relay_through is not None and not can_dial:
            token = self._rpc.random_bytes(RELAY_TOKEN_BYTES)
            relay = RelayThrough(self._relay_through, token)
        payload = replace(self._payload(session.number, stream_id), relay_through=relay)
        self._answer(session, payload)
        if not can_dial:
            self._meet_at_relay(session, stream_id, relay)
        seconds = MEETING_SECONDS
        if payload.holepunch is not None and not can_dial:
            secret = holepunch_secret(session.handshake.result.hash)
            session.punch = PunchAnswers(self._rpc, self.target, secret)
            seconds = PUNCHED_MEETING_SECONDS
            session.expires_at = self._rpc.now + seconds
        self._rpc.events.append(
            ConnectionReady(
                attempt=None,
                session=session.number,
                local_public_key=self.key_pair.public_key,
                handshake=session.handshake.result,
                local_stream_id=stream_id,
                remote=session.remote,
                address=route.client if can_dial else None,
                proven=is_direct or self._rpc.return_paths.is_proven(host, self._rpc.now),
                socket=route.incoming.socket,
                relayed=not is_direct,
                seconds=seconds,
            )
        )

    def _meet_at_relay(self, session: _Session, stream_id: int, own: RelayThrough | None) -> None:
        relay = own or session.remote.relay_through
        if relay is not None:
            self._rpc.events.append(
                RelayWanted(
                    attempt=None,
                    session=session.number,
                    local_public_key=self.key_pair.public_key,
                    handshake=session.handshake.result,
                    local_stream_id=stream_id,
                    remote=session.remote,
                    relay=relay,
                    is_initiator=own is not None,
                )
            )

    def refuse(self, session: _Session) -> None:
        """Never answer this client's message; it does not learn that we are here."""
        session.refused = True
        session.routes.clear()

    def settle(self, session: _Session) -> None:
        """The connection is there, or failed: forget the handshake soon."""
        if session.punch is not None:
            session.punch.close()
        session.expires_at = min(session.expires_at, self._rpc.now + HANDSHAKE_LINGER_SECONDS)

    def close(self) -> None:
        """Stop listening."""
        self.announcer.close()
        for session in list(self._by_noise.values()):
            self._forget(session)

    def _payload(self, session: int, stream_id: int) -> NoisePayload:
        rpc, routes = self._rpc, self.announcer.relays
        public = None if rpc.firewalled else rpc.address
        local = tuple(Address(host, rpc.config.local_port) for host in rpc.config.local_hosts)
        relays = tuple(route.relay_address for route in routes)
        own = () if public is None else (public,)
        return NoisePayload(
            firewall=Firewall.UNKNOWN if public is None else Firewall.OPEN,
            holepunch=HolepunchInfo(session, routes) if public is None and routes else None,
            addresses4=own + tuple(address for address in local if address != public),
            udx=UdxInfo(stream_id),
            relay_addresses=(own + relays)[:MAX_DHT_RELAYS],
        )

    def _answer(self, session: _Session, payload: NoisePayload) -> None:
        if payload.udx is None:
            payload = NoisePayload(error=payload.error, udx=UdxInfo(0))
        session.answer = session.handshake.write(encode_noise_payload(payload))
        for route in session.routes:
            self._send(session, route)
        del session.routes[1:]

    def _send(self, session: _Session, route: _Route) -> None:
        incoming, client, relay = route
        noise = session.answer or b""
        if relay is None:
            value = encode_handshake_box(HandshakeBox(Mode.REPLY, noise))
            self._rpc.reply(incoming, value=value, token=False, closer=False)
            return
        box = HandshakeBox(Mode.FROM_SERVER, noise, peer_address=client)
        self._rpc.forward(
            relay,
            incoming.request.tid,
            Command.PEER_HANDSHAKE,
            self.target,
            encode_handshake_box(box),
            incoming.socket,
        )

    def _make_room(self) -> None:
        """Forget sessions that expired, and the oldest rather than refuse a new one."""
        now, sessions = self._rpc.now, self._shared.by_number
        for server, session in list(sessions.values()):
            if session.expires_at <= now:
                server._forget(session)
        if len(sessions) >= MAX_HALF_OPEN_HANDSHAKES:
            server, session = next(iter(sessions.values()))
            server._forget(session)

    def _forget(self, session: _Session) -> None:
        if session.punch is not None:
            session.punch.close()
        self._shared.by_number.pop(session.number, None)
        self._by_noise.pop(session.noise, None)
