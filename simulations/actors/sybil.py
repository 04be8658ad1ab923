"""A node of the DHT that knows only its own kind: whoever asks it is led to others like it."""

from __future__ import annotations

import trio

from protocol.dht.addresses import ID_BYTES, Address, distance, node_id
from protocol.dht.rpc.messages import (
    Internal,
    Request,
    Response,
    decode_packet_untrusted,
    encode_request,
    encode_response,
)
from protocol.dht.rpc.routing_table import ROW_NODES
from protocol.errors import DecodeError
from vitra_node.net.udx.udp import DatagramSocket, SocketAddress

from ..host import Host

# It makes itself known to so many nodes each second, again and again.
VISITS = 3


class Conspiracy:
    """The Sybils of one attacker.

    Attributes:
      members: where they are.
    """

    def __init__(self) -> None:
        self.members: list[Address] = []

    def nearest(self, target: bytes) -> tuple[Address, ...]:
        """The members that lie nearest to 32 bytes."""
        ordered = sorted(self.members, key=lambda each: distance(target, node_id(each)))
        return tuple(ordered[:ROW_NODES])


class Sybil:
    """Answers every question, takes every record, and gives none of them out.

    Attributes:
      address: where it is.
      answered: how many questions.
    """

    def __init__(
        self, host: Host, bootstrap: SocketAddress, conspiracy: Conspiracy, port: int
    ) -> None:
        """``port``: decides its node id, together with the host's address."""
        self.host = host
        self.address = Address(host.address, port)
        self.answered = 0
        self._id = node_id(self.address)
        self._conspiracy = conspiracy
        self._known = [Address(*bootstrap)]
        conspiracy.members.append(self.address)

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        socket = host.world.bind_datagrams(host.address, self.address.port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._answer, socket)
            turn = 0
            while True:
                # Who is asked takes the sender for one more node.
                for _ in range(VISITS):
                    node = self._known[turn % len(self._known)]
                    turn += 1
                    self._ask(socket, node, turn)
                await trio.sleep(1.0)

    def _ask(self, socket: DatagramSocket, node: Address, turn: int) -> None:
        target = self.host.world.random_bytes(ID_BYTES)
        request = Request(turn & 0xFFFF, node, True, Internal.FIND_NODE, id=self._id, target=target)
        socket.send([(encode_request(request), node)])

    async def _answer(self, socket: DatagramSocket) -> None:
        while True:
            for data, source in await socket.receive():
                try:
                    packet = decode_packet_untrusted(data)
                except DecodeError:
                    continue
                if isinstance(packet, Response):
                    new = [each for each in packet.closer_nodes if each not in self._known]
                    self._known += [n for n in new if n not in self._conspiracy.members]
                else:
                    self.answered += 1
                    socket.send([(self._false_answer(packet, Address(*source)), source)])

    def _false_answer(self, request: Request, source: Address) -> bytes:
        response = Response(request.tid, source, id=self._id)
        if request.target is not None:
            response = Response(
                request.tid,
                source,
                id=self._id,
                token=bytes(ID_BYTES),
                closer_nodes=self._conspiracy.nearest(request.target),
            )
        return encode_response(response)
