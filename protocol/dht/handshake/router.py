"""Introducing peers: passing handshakes and holepunch messages between clients and servers.

    client --FROM_CLIENT--> relay --FROM_RELAY--> server
    client <----REPLY------ relay <--FROM_SERVER-- server

Each leg is a fresh packet with the client's own number and target. Upstream's relays remember
nothing, so anybody can have them send to any address. Here a relay

* passes on to servers that announced themselves to it, which takes a token, or to nodes it knows;
* passes answers back only to clients whose question it passed on within the last seconds, and that
  were seen to receive at their host (hyperdht issue 296).

Wire facts: specs/13-dht.md sections 9 and 12; npm ``hyperdht``.
"""

from __future__ import annotations

from typing import Protocol

from ...limits import FORWARDED_SECONDS, MAX_FORWARDED
from ..addresses import Address, node_id
from ..records.generations import Generations
from ..records.store import Store
from ..rpc.messages import Command
from ..rpc.rpc import Incoming, Rpc
from .handshake_box import (
    HandshakeBox,
    HolepunchBox,
    Mode,
    decode_handshake_box_untrusted,
    decode_holepunch_box_untrusted,
    encode_handshake_box,
    encode_holepunch_box,
)


class LocalServer(Protocol):
    """A key that listens on this node."""

    def take_handshake_untrusted(self, incoming: Incoming, box: HandshakeBox) -> None:
        """A handshake message for the key, from a client or a relay."""

    def take_holepunch_untrusted(self, incoming: Incoming, box: HolepunchBox) -> None:
        """A holepunch message for the key, from a client or a relay."""


class Router:
    """Relays of one node, and the way to its own servers.

    Attributes:
      servers: the keys that listen here, by the hash of the key.
    """

    def __init__(self, rpc: Rpc, store: Store) -> None:
        self.servers: dict[bytes, LocalServer] = {}
        self._rpc = rpc
        self._store = store
        # What was passed on to servers, for the answers: number, target, client.
        self._forwarded: Generations[tuple[int, bytes, Address], bool] = Generations(
            MAX_FORWARDED, FORWARDED_SECONDS, rpc.now
        )

    def _relay_of(self, target: bytes) -> Address | None:
        entry = self._store.routes.get(target, self._rpc.now)
        return None if entry is None else entry.relay

    def _remember(self, incoming: Incoming, target: bytes) -> None:
        key = (incoming.request.tid, target, incoming.source)
        self._forwarded.put(key, True, self._rpc.now)

    def _was_forwarded(self, incoming: Incoming, target: bytes, client: Address) -> bool:
        key = (incoming.request.tid, target, client)
        return self._forwarded.get(key, self._rpc.now, revive=False) is not None

    # handshakes -----------------------------------------------------------------------------------

    def take_handshake_untrusted(self, incoming: Incoming) -> None:
        """Answer or pass on a PEER_HANDSHAKE.

        Raises:
          RemoteProtocolError: its value makes no sense; there is no answer.
        """
        target = incoming.request.target
        if target is None:
            return
        box = decode_handshake_box_untrusted(incoming.request.value or b"")
        server = self.servers.get(target)
        if server is not None and box.mode != Mode.FROM_SERVER:
            server.take_handshake_untrusted(incoming, box)
        elif box.mode == Mode.FROM_CLIENT:
            self._handshake_from_client(incoming, target, box)
        elif box.mode == Mode.FROM_RELAY:
            self._handshake_from_relay(incoming, target, box)
        elif box.mode == Mode.FROM_SERVER:
            self._handshake_from_server(incoming, target, box)

    def _handshake_from_client(self, incoming: Incoming, target: bytes, box: HandshakeBox) -> None:
        to = self._relay_of(target)
        if box.relay_address is not None and self._rpc.table.get(node_id(box.relay_address)):
            to = box.relay_address
        if to is None:
            self._rpc.reply(incoming, token=False)
            return
        self._remember(incoming, target)
        self._pass_on(
            incoming, to, HandshakeBox(Mode.FROM_RELAY, box.noise, peer_address=incoming.source)
        )

    def _handshake_from_relay(self, incoming: Incoming, target: bytes, box: HandshakeBox) -> None:
        to = self._relay_of(target)
        if to is not None and box.peer_address is not None:
            second = HandshakeBox(
                Mode.FROM_SECOND_RELAY, box.noise, box.peer_address, incoming.source
            )
            self._pass_on(incoming, to, second)

    def _handshake_from_server(self, incoming: Incoming, target: bytes, box: HandshakeBox) -> None:
        client = box.peer_address
        if client is not None and self._was_forwarded(incoming, target, client):
            reply = HandshakeBox(Mode.REPLY, box.noise, peer_address=incoming.source)
            self._rpc.forward_response(
                client, incoming.request.tid, encode_handshake_box(reply), incoming.socket
            )

    def _pass_on(self, incoming: Incoming, to: Address, box: HandshakeBox) -> None:
        request = incoming.request
        self._rpc.forward(
            to,
            request.tid,
            Command.PEER_HANDSHAKE,
            request.target,
            encode_handshake_box(box),
            incoming.socket,
        )

    # holepunch messages ---------------------------------------------------------------------------

    def take_holepunch_untrusted(self, incoming: Incoming) -> None:
        """Answer or pass on a PEER_HOLEPUNCH. Errors are never answered: JS clients would give up.

        Raises:
          RemoteProtocolError: its value makes no sense; there is no answer.
        """
        target = incoming.request.target
        if target is None:
            return
        box = decode_holepunch_box_untrusted(incoming.request.value or b"")
        server = self.servers.get(target)
        if server is not None and box.mode != Mode.FROM_SERVER:
            server.take_holepunch_untrusted(incoming, box)
        elif box.mode == Mode.FROM_CLIENT:
            self._holepunch_from_client(incoming, target, box)
        elif box.mode == Mode.FROM_SERVER:
            self._holepunch_from_server(incoming, target, box)

    def _holepunch_from_client(self, incoming: Incoming, target: bytes, box: HolepunchBox) -> None:
        to = self._relay_of(target)
        if to is None:
            return
        if box.peer_address is not None and box.peer_address.host == to.host:
            to = box.peer_address
        self._remember(incoming, target)
        onward = HolepunchBox(Mode.FROM_RELAY, box.id, box.payload, incoming.source)
        self._rpc.forward(
            to,
            incoming.request.tid,
            Command.PEER_HOLEPUNCH,
            target,
            encode_holepunch_box(onward),
            incoming.socket,
        )

    def _holepunch_from_server(self, incoming: Incoming, target: bytes, box: HolepunchBox) -> None:
        client = box.peer_address
        if client is not None and self._was_forwarded(incoming, target, client):
            reply = HolepunchBox(Mode.REPLY, box.id, box.payload, incoming.source)
            self._rpc.forward_response(
                client, incoming.request.tid, encode_holepunch_box(reply), incoming.socket
            )
