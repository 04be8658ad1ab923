"""Who sends to DHT nodes without taking part, as floods or in the name of others; and a victim."""

from __future__ import annotations

import trio

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import SEED_BYTES, KeyPair
from protocol.dht.addresses import Address
from protocol.dht.handshake.handshake_box import (
    HandshakeBox,
    HolepunchBox,
    Mode,
    encode_handshake_box,
    encode_holepunch_box,
)
from protocol.dht.rpc.messages import (
    Command,
    Internal,
    Request,
    Response,
    decode_packet_untrusted,
    encode_request,
    encode_response,
)
from protocol.errors import DecodeError
from vitra_node.net.udx.udp import DatagramSocket, SocketAddress

from ..host import Host

PORT = 40000
STEP_SECONDS = 0.05
# What follows the first 32 bytes of a first handshake message.
NOISE_BYTES = 140


def first_message(server: Address, key: bytes, tid: int, noise: bytes) -> bytes:
    """The datagram that begins a handshake with a key, 32 bytes.

    ``noise`` begins with a public key, so that the server has to compute if it takes it.
    """
    value = encode_handshake_box(HandshakeBox(Mode.FROM_CLIENT, noise))
    target = blake2b_256(key)
    return encode_request(
        Request(tid, server, False, Command.PEER_HANDSHAKE, target=target, value=value)
    )


def questions(node: Address, key: bytes) -> list[Request]:
    """One of every kind that a node might answer at length; about the server of ``key``."""
    target = blake2b_256(key)
    handshake = encode_handshake_box(HandshakeBox(Mode.FROM_CLIENT, key + bytes(NOISE_BYTES)))
    punch = encode_holepunch_box(HolepunchBox(Mode.FROM_CLIENT, 0, bytes(80)))
    asked: list[tuple[int, bool, bytes | None, bytes | None, bytes | None]] = [
        (command, False, target, None, None) for command in Command
    ]
    asked += [(command, False, target, None, bytes(32)) for command in Command]
    asked += [(command, True, target, bytes(6), None) for command in Internal]
    asked += [(99, False, target, None, None), (99, True, target, None, None)]
    asked += [
        (Command.PEER_HANDSHAKE, False, target, handshake, None),
        (Command.PEER_HOLEPUNCH, False, target, punch, None),
        (Command.MUTABLE_GET, False, target, b"\x00", None),
        (Command.IMMUTABLE_GET, False, blake2b_256(b"x" * 900), None, None),
    ]
    return [
        Request(tid, node, internal, command, None, token, target, value)
        for tid, (command, internal, target, value, token) in enumerate(asked)
    ]


class Flooder:
    """Sends first handshake messages to a server, so many each second, and answers its pings.

    Attributes:
      sent: how many so far.
    """

    def __init__(self, host: Host, server: SocketAddress, key: bytes, per_second: float) -> None:
        self.host = host
        self.sent = 0
        self._server = Address(*server)
        self._key = key
        self._per_step = per_second * STEP_SECONDS
        # A point that is one; made up ones are found out before they cost anything.
        self._ephemeral = KeyPair.from_seed(host.world.random_bytes(SEED_BYTES)).public_key

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        socket = host.world.bind_datagrams(host.address, PORT)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer_pings, socket)
            while True:
                due = (trio.current_time() - began) / STEP_SECONDS * self._per_step
                while self.sent < due:
                    noise = self._ephemeral + host.world.random_bytes(NOISE_BYTES)
                    data = first_message(self._server, self._key, self.sent & 0xFFFF, noise)
                    socket.send([(data, self._server)])
                    self.sent += 1
                await trio.sleep(STEP_SECONDS)


async def answer_pings(socket: DatagramSocket) -> None:
    """Pong, as an honest node would, for ever."""
    while True:
        for data, source in await socket.receive():
            try:
                packet = decode_packet_untrusted(data)
            except DecodeError:
                continue
            if isinstance(packet, Request) and packet.internal:
                pong = encode_response(Response(packet.tid, Address(*source)))
                socket.send([(pong, source)])


class Spoofer:
    """Asks nodes in the name of a victim, which asked nothing.

    Attributes:
      sent_bytes: that it sent for this.
    """

    def __init__(
        self, host: Host, victim: SocketAddress, nodes: list[SocketAddress], key: bytes
    ) -> None:
        """``key``: of a server that the nodes know."""
        self.host = host
        self.sent_bytes = 0
        self._victim = victim
        self._nodes = nodes
        self._key = key

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        while True:
            for node in self._nodes:
                for request in questions(Address(*node), self._key):
                    data = encode_request(request)
                    self.sent_bytes += len(data)
                    host.forge(self._victim, data, node)
                await trio.sleep(4 * STEP_SECONDS)


class Victim:
    """A host that takes no part in anything.

    Attributes:
      received_bytes: what it was sent.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.received_bytes = 0

    @property
    def address(self) -> SocketAddress:
        """Where it is."""
        return self.host.address, PORT

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        socket = host.world.bind_datagrams(host.address, PORT)
        while True:
            for data, _ in await socket.receive():
                self.received_bytes += len(data)
