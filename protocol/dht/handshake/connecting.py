"""Finding a peer by its key: the client's side of the peer handshake.

    searching: FIND_PEER, and the relays known from before
        each node that knows the way gets the same handshake message, two at a time
    first good answer --> where to connect --> ConnectionReady
                      '-> not known yet: a hole punch, and the peer's local address if we share a
                          public one; whichever is first --> ConnectionReady
    nobody left --> ConnectFailed

Wire facts: specs/13-dht.md sections 9 and 10; npm ``hyperdht``.
"""

from __future__ import annotations

from collections import deque

from ...crypto.hashes import blake2b_256
from ...crypto.keys import SEED_BYTES, KeyPair
from ...encoding.compact import Decoder
from ...errors import DecodeError, HandshakeError, RemoteProtocolError
from ...noise.handshake import Handshake
from .. import namespaces
from ..addresses import Address, is_reserved
from ..events import ConnectFailed, ConnectionReady, RelayWanted
from ..punching.holepunch_payload import holepunch_secret
from ..punching.punch_rounds import UNKNOWN_NAT, PunchPlan, PunchRounds
from ..queries.query_run import QueryResult, QueryRun
from ..records.encoding import read_peer_record_untrusted
from ..rpc.messages import Command
from ..rpc.requests import SERVER_SOCKET, Answer, Outstanding
from ..rpc.rpc import Rpc
from .handshake_box import (
    HandshakeBox,
    Mode,
    decode_handshake_box_untrusted,
    encode_handshake_box,
)
from .noise_payload import (
    RELAY_TOKEN_BYTES,
    VERSION,
    Firewall,
    NoisePayload,
    PayloadError,
    RelayThrough,
    UdxInfo,
    decode_noise_payload_untrusted,
    encode_noise_payload,
)

_PARALLEL = 2
# For the peer's local address before the hole punch: npm ``hyperdht`` gives the whole connection up
# when it finds too few nodes to punch.
_HEAD_START_SECONDS = 0.2


class Connect:
    """One attempt.

    Args:
      rpc: the node.
      attempt: its number in events.
      key_pair: ours.
      public_key: the peer's, 32 bytes.
      stream_id: our end of the UDX stream.
      relays: nodes that may know the way, tried first.
      relay_through: key of a blind relay to meet at while the direct way is looked for.

    Raises:
      HandshakeError: the public key is not one.
    """

    def __init__(
        self,
        rpc: Rpc,
        attempt: int,
        key_pair: KeyPair,
        public_key: bytes,
        stream_id: int,
        relays: tuple[Address, ...],
        relay_through: bytes | None = None,
    ) -> None:
        self.attempt = attempt
        self._rpc = rpc
        self._key_pair = key_pair
        self._public_key = public_key
        self._target = blake2b_256(public_key)
        self._stream_id = stream_id
        self._relay: RelayThrough | None = None
        if relay_through is not None:
            self._relay = RelayThrough(relay_through, rpc.random_bytes(RELAY_TOKEN_BYTES))
        self._ephemeral_seed = rpc.random_bytes(SEED_BYTES)
        own = self._own_payload()
        # What the peer was told, and goes by; we may find out otherwise before it answers.
        self._told_open = own.firewall == Firewall.OPEN
        self._payload = encode_noise_payload(own)
        self._handshake, self._message = self._new_handshake()
        self._candidates: deque[Address] = deque(relays)
        self._seen: set[Address] = set(relays)
        self._outstanding: set[Outstanding] = set()
        self._heard = False
        self._searching = True
        self._relayed = False
        self._punch_failed = ""
        self._punch: PunchRounds | None = None
        self._local_ping: Outstanding | None = None
        self.done = False
        self._run = QueryRun(
            rpc,
            Command.FIND_PEER,
            self._target,
            nodes=relays,
            on_reply=self._found,
            on_done=self._searched,
        )

    def start(self) -> None:
        """Send the first requests."""
        self._rpc.upkeep.activity()
        self._run.start()
        self._try_candidates()

    def cancel(self) -> None:
        """Stop; no event comes."""
        self.done = True
        self._stop_asking()
        if self._punch is not None:
            self._punch.cancel()
        if self._local_ping is not None:
            self._rpc.close((self._local_ping,))

    def _stop_asking(self) -> None:
        self._run.cancel()
        self._searching = False
        self._candidates.clear()
        self._rpc.close(self._outstanding)
        self._outstanding.clear()

    # the handshake --------------------------------------------------------------------------------

    def _own_payload(self) -> NoisePayload:
        rpc = self._rpc
        public = None if rpc.firewalled else rpc.address
        local = tuple(Address(host, rpc.config.local_port) for host in rpc.config.local_hosts)
        return NoisePayload(
            firewall=Firewall.UNKNOWN if public is None else Firewall.OPEN,
            addresses4=local if public is None else (public, *local),
            udx=UdxInfo(self._stream_id),
            relay_through=self._relay,
        )

    def _new_handshake(self) -> tuple[Handshake, bytes]:
        """The same every time, so that a forged answer costs nothing but the work."""
        handshake = Handshake(
            "IK",
            True,
            self._key_pair,
            ephemeral_seed=self._ephemeral_seed,
            remote_public_key=self._public_key,
            prologue=namespaces.PEER_HANDSHAKE,
        )
        return handshake, handshake.write(self._payload)

    # searching ------------------------------------------------------------------------------------

    def _found(self, address: Address, answer: Answer) -> None:
        """A node that answered the query; those with a record of the key know the way."""
        self._heard = True
        if answer.response.value is None or address in self._seen:
            return
        try:
            record = read_peer_record_untrusted(Decoder(answer.response.value))
        except DecodeError:
            return
        if record.public_key != self._public_key:
            return
        self._seen.add(address)
        self._candidates.append(address)
        self._try_candidates()

    def _searched(self, _result: QueryResult) -> None:
        self._searching = False
        self._fail_if_over()

    def _try_candidates(self) -> None:
        while self._candidates and len(self._outstanding) < _PARALLEL and not self.done:
            self._send(self._candidates.popleft())

    def _send(self, to: Address) -> None:
        def answered(answer: Answer) -> None:
            self._outstanding.discard(request)
            if not self.done:
                self._take_answer(to, answer)

        def failed() -> None:
            self._outstanding.discard(request)
            if not self.done:
                self._try_candidates()
                self._fail_if_over()

        request = self._rpc.request(
            to,
            Command.PEER_HANDSHAKE,
            target=self._target,
            value=encode_handshake_box(HandshakeBox(Mode.FROM_CLIENT, self._message)),
            on_answer=answered,
            on_failure=failed,
        )
        self._outstanding.add(request)

    def _fail_if_over(self) -> None:
        if self._searching or self._outstanding or self._candidates or self.done:
            return
        if self._seen:
            self._fail("the peer does not answer")
        elif self._heard:
            self._fail("nobody knows the way to the peer")
        else:
            self._fail("no node of the network answers")

    def _fail(self, reason: str) -> None:
        self.cancel()
        self._rpc.events.append(ConnectFailed(self.attempt, reason))

    # the answer -----------------------------------------------------------------------------------

    def _take_answer(self, to: Address, answer: Answer) -> None:
        try:
            box = decode_handshake_box_untrusted(answer.response.value or b"")
            if box.mode != Mode.REPLY or not box.noise:
                raise HandshakeError("a node answers a handshake with something else")
            payload = decode_noise_payload_untrusted(self._handshake.read_untrusted(box.noise))
        except RemoteProtocolError:
            # A relay that lies, or does not know the way; another may.
            self._handshake, _ = self._new_handshake()
            self._try_candidates()
            self._fail_if_over()
            return
        if payload.version != VERSION or payload.error == PayloadError.VERSION_MISMATCH:
            self._fail("the peer speaks another version")
        elif payload.error == PayloadError.TRY_LATER:
            self._fail("the peer asks to try again later")
        elif payload.error or payload.udx is None or not payload.secret_stream:
            self._fail("the peer refuses")
        else:
            self._choose_address(to, box.peer_address, payload, answer)

    def _choose_address(
        self, asked: Address, relayed: Address | None, payload: NoisePayload, answer: Answer
    ) -> None:
        """Where to connect to, by what both sides know of their ways."""
        peer = relayed or asked
        self._relayed = relayed is not None
        routes = payload.holepunch.relays if payload.holepunch is not None else ()
        if relayed is None:
            self._ready(peer, payload, answer, proven=True)
        elif payload.firewall == Firewall.OPEN or not routes:
            public = (a for a in payload.addresses4 if not is_reserved(a.host))
            self._ready(next(public, peer), payload, answer)
        elif self._told_open:
            self._meet_at_relay(payload)
            self._ready(None, payload, answer)
        else:
            self._stop_asking()
            self._meet_at_relay(payload)
            start = self._rpc.now
            if answer.response.to.host == peer.host and self._try_neighbour(payload, answer):
                start += _HEAD_START_SECONDS

            def punch() -> None:
                if not self.done:
                    self._punch_hole(asked, peer, payload, answer)

            self._rpc.later.at(start, punch)

    def _meet_at_relay(self, payload: NoisePayload) -> None:
        relay = payload.relay_through or self._relay
        if relay is not None:
            self._rpc.events.append(
                RelayWanted(
                    attempt=self.attempt,
                    session=None,
                    local_public_key=self._key_pair.public_key,
                    handshake=self._handshake.result,
                    local_stream_id=self._stream_id,
                    remote=payload,
                    relay=relay,
                    is_initiator=payload.relay_through is None,
                )
            )

    def _try_neighbour(self, payload: NoisePayload, answer: Answer) -> bool:
        """Both are behind one address: try the peer's local one. Gives whether it has one."""
        local = _nearest(payload.addresses4, self._rpc.config.local_hosts)
        if local is None:
            return False

        def here(pong: Answer) -> None:
            self._local_ping = None
            if not self.done:
                self._ready(local, payload, answer, proven=True, socket=pong.socket)

        def gone() -> None:
            self._local_ping = None
            if not self.done and self._punch_failed:
                self._fail(self._punch_failed)

        self._local_ping = self._rpc.ping(local, here, gone, retries=1, socket=SERVER_SOCKET)
        return True

    def _punch_hole(
        self, relay: Address, peer: Address, payload: NoisePayload, answer: Answer
    ) -> None:
        assert payload.holepunch is not None
        secret = holepunch_secret(self._handshake.result.hash)
        plan = PunchPlan(self._target, payload.holepunch, secret, peer, relay)

        def connected(socket: int, address: Address) -> None:
            if not self.done:
                self._ready(address, payload, answer, proven=True, socket=socket)

        def failed(reason: str) -> None:
            self._punch_failed = reason
            if self.done:
                return
            if reason == UNKNOWN_NAT:
                # A network too small to tell; perhaps there is no NAT at all.
                self._ready(peer, payload, answer)
            elif self._local_ping is None:
                self._fail(reason)

        if self._rpc.sockets.full:
            failed("too many hole punches are under way here; try again later")
            return
        self._punch = PunchRounds(self._rpc, plan, connected, failed)
        self._punch.start()

    def _ready(
        self,
        address: Address | None,
        payload: NoisePayload,
        answer: Answer,
        *,
        proven: bool = False,
        socket: int | None = None,
    ) -> None:
        result = self._handshake.result
        known = address is not None and self._rpc.return_paths.is_proven(
            address.host, self._rpc.now
        )
        self._rpc.events.append(
            ConnectionReady(
                attempt=self.attempt,
                session=None,
                local_public_key=self._key_pair.public_key,
                handshake=result,
                local_stream_id=self._stream_id,
                remote=payload,
                address=address,
                proven=proven or known,
                socket=answer.socket if socket is None else socket,
                relayed=self._relayed,
            )
        )
        # Only now, so that the socket is in use before it is let go.
        self.cancel()


def _nearest(theirs: tuple[Address, ...], ours: tuple[str, ...]) -> Address | None:
    """The peer's address that shares the most leading numbers with one of our hosts."""

    def shared(a: str, b: str) -> int:
        pairs = zip(a.split(".")[:3], b.split(".")[:3], strict=False)
        count = 0
        for x, y in pairs:
            if x != y:
                break
            count += 1
        return count

    usable = [address for address in theirs if address.port and not address.host.startswith("0.")]
    if not usable or not ours:
        return None
    return max(usable, key=lambda address: max(shared(address.host, host) for host in ours))
