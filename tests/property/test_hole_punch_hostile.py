"""Peers that hold the keys of a handshake and say anything about a hole punch, in any order."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.dht.addresses import Address
from protocol.dht.handshake.handshake_box import (
    HolepunchBox,
    Mode,
    decode_holepunch_box_untrusted,
    encode_holepunch_box,
)
from protocol.dht.handshake.noise_payload import HolepunchInfo, RelayRoute
from protocol.dht.punching.holepunch_payload import HolepunchPayload, seal_holepunch
from protocol.dht.punching.punch_answers import PunchAnswers
from protocol.dht.punching.punch_rounds import PunchPlan, PunchRounds
from protocol.dht.punching.puncher import PUNCH
from protocol.dht.rpc.messages import Command, Request, Response, decode_packet_untrusted
from protocol.dht.rpc.messages import encode_response as encode
from protocol.dht.rpc.requests import FIRST_FREE_SOCKET, Datagram
from protocol.dht.rpc.rpc import Incoming
from protocol.errors import RemoteProtocolError
from protocol.limits import MAX_PUNCHERS
from tests.dht_network import BOOTSTRAP, Host, build

SECRET = bytes(32)
TARGET = bytes(range(32))
PEER = Address("5.9.2.1", 7)

ADDRESSES = st.builds(Address, st.sampled_from(["5.9.2.1", "5.9.9.9"]), st.sampled_from([0, 7, 8]))
TOKENS = st.none() | st.binary(min_size=32, max_size=32)
PAYLOADS = st.builds(
    HolepunchPayload,
    error=st.sampled_from([0, 0, 0, 1, 3, 9]),
    firewall=st.integers(0, 5),
    round=st.integers(0, 3),
    connected=st.booleans(),
    punching=st.booleans(),
    addresses=st.none() | st.lists(ADDRESSES, max_size=4).map(tuple),
    remote_address=st.none() | ADDRESSES,
    token=TOKENS,
    remote_token=TOKENS,
)
# A message, seconds that pass, how pings are answered from now on, or a byte to a socket.
STEPS = st.lists(
    PAYLOADS
    | st.floats(0, 20)
    | st.sampled_from(["silent", "consistent", "random"])
    | st.integers(FIRST_FREE_SOCKET, FIRST_FREE_SOCKET + 5),
    max_size=12,
)


class Bench:
    """A node whose pings from puncher sockets are answered as the test says."""

    def __init__(self) -> None:
        self.network = build(41, 8)
        self.host: Host = self.network.hosts[BOOTSTRAP]
        self.rpc = self.host.node._rpc
        self.pings = "consistent"
        self.count = 0
        # What to do with other requests that leave.
        self.on_request: Callable[[Datagram, Request], None] = lambda _datagram, _request: None

    def flush(self) -> None:
        while datagrams := self.host.node.datagrams_to_send(self.network.now):
            for datagram in datagrams:
                if datagram.socket >= FIRST_FREE_SOCKET and datagram.data != PUNCH:
                    self._handle(datagram)
        while self.host.node.next_event() is not None:
            pass

    def _handle(self, datagram: Datagram) -> None:
        packet = decode_packet_untrusted(datagram.data)
        if not isinstance(packet, Request):
            return
        if not packet.internal:
            self.on_request(datagram, packet)
        elif self.pings != "silent":
            self.count += 1
            port = 900 if self.pings == "consistent" else 900 + self.count
            self.respond(datagram, Response(packet.tid, Address("5.9.1.1", port)))

    def respond(self, datagram: Datagram, response: Response) -> None:
        node, now = self.host.node, self.network.now
        node.receive_datagram_untrusted(encode(response), datagram.address, now, datagram.socket)

    def step(self, step: float | str | int) -> None:
        if isinstance(step, str):
            self.pings = step
        elif isinstance(step, int):
            now = self.network.now
            self.host.node.receive_datagram_untrusted(PUNCH, PEER, now, step)
        else:
            end = self.network.now + step
            while self.network.now < end:
                self.network.now = min(end, max(self.network.now, self.host.node.next_timer()))
                self.host.node.handle_timer(self.network.now)
                self.flush()
        self.flush()


def seal(payload: HolepunchPayload) -> bytes:
    return seal_holepunch(payload, SECRET, bytes(24))


@settings(max_examples=60)
@given(STEPS, st.booleans())
def test_a_server_survives_its_clients(steps: list[object], own_relay: bool) -> None:
    bench = Bench()
    answers = PunchAnswers(bench.rpc, TARGET, SECRET)
    for step in steps:
        if isinstance(step, HolepunchPayload):
            box = HolepunchBox(Mode.FROM_RELAY, 1, seal(step), PEER)
            value = encode_holepunch_box(box)
            request = Request(
                1, BOOTSTRAP, False, Command.PEER_HOLEPUNCH, None, None, TARGET, value
            )
            incoming = Incoming(request, Address("10.1.1.7", 1), 0, len(value))
            try:
                answers.take_untrusted(incoming, box, own_relay=own_relay)
            except RemoteProtocolError as error:
                raise AssertionError("a sealed message is well-formed") from error
            bench.flush()
        else:
            bench.step(step)  # type: ignore[arg-type]
        assert bench.rpc.sockets.open_punchers <= MAX_PUNCHERS
    answers.close()
    bench.flush()
    assert bench.rpc.sockets.punchers == {}
    assert bench.rpc.sockets.open_punchers == 0


@settings(max_examples=60)
@given(STEPS)
def test_a_client_survives_its_server(steps: list[object]) -> None:
    bench = Bench()
    said: list[HolepunchPayload] = [s for s in steps if isinstance(s, HolepunchPayload)]
    ended: list[object] = []

    def answer(datagram: Datagram, request: Request) -> None:
        asked = decode_holepunch_box_untrusted(request.value or b"")
        assert asked.mode == Mode.FROM_CLIENT
        if said:
            box = HolepunchBox(Mode.REPLY, 0, seal(said.pop()), PEER)
            response = Response(request.tid, Address("5.9.1.1", 900))
            reply = Response(response.tid, response.to, value=encode_holepunch_box(box))
            bench.respond(datagram, reply)

    bench.on_request = answer
    relay = next(node.address for node in bench.rpc.table)
    plan = PunchPlan(TARGET, HolepunchInfo(1, (RelayRoute(relay, PEER),)), SECRET, PEER, relay)
    rounds = PunchRounds(bench.rpc, plan, lambda *where: ended.append(where), ended.append)
    rounds.start()
    bench.flush()
    for step in steps:
        if not isinstance(step, HolepunchPayload):
            bench.step(step)  # type: ignore[arg-type]
    # Whatever was said, it comes to an end by itself.
    bench.step(120.0)
    assert len(ended) == 1
    assert bench.rpc.sockets.punchers == {}
    assert bench.rpc.sockets.open_punchers == 0
