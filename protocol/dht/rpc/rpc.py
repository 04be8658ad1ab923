"""A node of the bare network: asks, answers, and knows other nodes.

Datagrams come in at ``receive_datagram_untrusted``. Responses go to the request they answer;
requests are answered here when they are internal, and else handed to ``handler``. Upkeep (ticks,
refreshing, becoming persistent) is in ``upkeep``.

Wire facts: specs/13-dht.md sections 2 to 7; npm ``dht-rpc``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ...encoding.compact import Decoder
from ...errors import DecodeError
from ...limits import MAX_DELAYED_PING_SECONDS, MAX_DELAYED_PINGS
from ..addresses import Address, decode_address_untrusted, node_id
from ..events import Event
from ..punching.puncher import PunchSockets
from .delayed import DelayedReplies
from .later import Later
from .messages import (
    PASSED_ON,
    ErrorCode,
    Internal,
    Request,
    Response,
    decode_packet_untrusted,
    encode_request,
    encode_response,
)
from .nat_sampler import NatSampler
from .requests import (
    CLIENT_SOCKET,
    FIRST_FREE_SOCKET,
    RETRIES,
    SERVER_SOCKET,
    TIMEOUT_SECONDS,
    Answer,
    Datagram,
    Outstanding,
    RandomBytes,
    Requests,
)
from .return_paths import Held, ReturnPaths
from .routing_table import ROW_NODES, RoutingTable
from .tokens import SECRETS_BYTES, Tokens
from .upkeep import Upkeep


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """How a node takes part.

    Attributes:
      bootstrap: nodes to ask first. None of them: the network begins with this node.
      address: our public address if it is known; the node is persistent and open at once.
      ephemeral: True: never serve others; False: as soon as the address is known; None: after 20
        minutes of having been reachable.
      firewalled: False when the server socket is known to be reachable by everybody.
      check_reachability: whether to find out if it is; else a firewalled node stays so.
      client_socket: whether the shell has a second socket, which a firewalled node asks from;
        without one reachability cannot be found out.
      local_port: the port of the server socket.
      local_hosts: hosts of the machine's own interfaces, to tell peers in handshakes.
      limit_subnets: whether few nodes of one /24 are kept in each row; not for loopback.
      unix_time_at_zero: seconds since 1970 at the time 0 of this node's clock.
    """

    bootstrap: tuple[Address, ...] = ()
    address: Address | None = None
    ephemeral: bool | None = None
    firewalled: bool = True
    check_reachability: bool = True
    client_socket: bool = False
    local_port: int = 0
    local_hosts: tuple[str, ...] = ()
    limit_subnets: bool = True
    unix_time_at_zero: float = 0.0


class Incoming(NamedTuple):
    """A request from another node.

    Attributes:
      request: what it asks.
      source: where it came from; our answers are known to arrive there.
      socket: at which of our sockets.
      size: bytes of its datagram.
    """

    request: Request
    source: Address
    socket: int
    size: int


def _nothing(_answer: Answer) -> None:
    pass


def _nobody() -> None:
    pass


class Rpc:
    """Requests, responses, the routing table.

    Args:
      config: how to take part.
      random_bytes: gives so many random bytes, of cryptographic quality.
      handler: takes the requests of HyperDHT.
      now: the time.
    """

    def __init__(
        self,
        config: NodeConfig,
        random_bytes: RandomBytes,
        handler: Callable[[Incoming], None],
        now: float,
    ) -> None:
        self.now = now
        self.config = config
        self.random_bytes = random_bytes
        self.outbox: deque[Datagram] = deque()
        self.events: deque[Event] = deque()
        self.requests = Requests(random_bytes, self.outbox, now)
        self.return_paths = ReturnPaths()
        self.tokens = Tokens(random_bytes(SECRETS_BYTES), now)
        self.nat = NatSampler()
        self.table = RoutingTable(random_bytes(32), limit_subnets=config.limit_subnets)
        self.delayed = DelayedReplies(MAX_DELAYED_PINGS)
        self.later = Later()
        # Announces that are being taken back.
        self.farewells = 0
        self.sockets = PunchSockets(self)
        self.firewalled = config.firewalled and config.address is None
        self._handler = handler
        self._id: bytes | None = None
        self._address: Address | None = None
        self.upkeep = Upkeep(self)
        if config.address is not None:
            self.become_persistent(config.address)

    # ourselves ------------------------------------------------------------------------------------

    @property
    def id(self) -> bytes | None:
        """Our node id, 32 bytes, while the node is persistent."""
        return self._id

    @property
    def address(self) -> Address | None:
        """Our public address, as configured or as most others see it."""
        return self._address or self.nat.address

    @property
    def request_socket(self) -> int:
        """The socket that requests leave from."""
        asks_apart = self.firewalled and self.config.client_socket
        return CLIENT_SOCKET if asks_apart else SERVER_SOCKET

    def become_persistent(self, address: Address) -> None:
        """Serve others under the id of this address."""
        self._address = address
        self._id = node_id(address)
        self.table = self.table.rebuilt(self._id)
        self.table.remove(self._id)

    def become_ephemeral(self) -> None:
        """Serve nobody, under no id."""
        self._address = None
        self._id = None
        self.table = self.table.rebuilt(self.random_bytes(32))

    def is_self(self, address: Address) -> bool:
        """Whether this is our own address, which is never asked."""
        return address == self._address

    # sending --------------------------------------------------------------------------------------

    def request(
        self,
        to: Address,
        command: int,
        *,
        internal: bool = False,
        target: bytes | None = None,
        value: bytes | None = None,
        token: bytes | None = None,
        retries: int = RETRIES,
        timeout: float = TIMEOUT_SECONDS,
        on_answer: Callable[[Answer], None] = _nothing,
        on_failure: Callable[[], None] = _nobody,
        on_slow: Callable[[], None] | None = None,
        any_port: bool = False,
        socket: int | None = None,
    ) -> Outstanding:
        """Ask a node; the callbacks come with later calls, never from this one.

        Raises:
          LocalProtocolError: too many requests wait.
        """
        tid = self.requests.new_tid()
        out = self.request_socket if socket is None else socket
        sender = self._id_for(out)
        packet = Request(tid, to, internal, command, sender, token, target, value)

        def failed() -> None:
            if not internal and command in PASSED_ON:
                # Perhaps it is not the relay that is silent.
                self.upkeep.down_hint(to)
            elif out < FIRST_FREE_SOCKET:
                # A puncher's socket may be what the NAT does not let through.
                self.table.remove(node_id(to))
            on_failure()

        outstanding = Outstanding(
            tid,
            to,
            encode_request(packet),
            out,
            retries,
            timeout,
            on_answer,
            failed,
            on_slow,
            any_port,
        )
        self.requests.send(outstanding, self.now)
        return outstanding

    def ping(
        self,
        to: Address,
        on_answer: Callable[[Answer], None] = _nothing,
        on_failure: Callable[[], None] = _nobody,
        retries: int = RETRIES,
        socket: int | None = None,
    ) -> Outstanding:
        """Ask a node whether it is there."""
        return self.request(
            to,
            Internal.PING,
            internal=True,
            on_answer=on_answer,
            on_failure=on_failure,
            retries=retries,
            socket=socket,
        )

    def forward(
        self, to: Address, tid: int, command: int, target: bytes | None, value: bytes, socket: int
    ) -> None:
        """Pass a request on under its own number; nobody waits for an answer."""
        packet = Request(tid, to, False, command, self._id_for(socket), None, target, value)
        self.outbox.append(Datagram(encode_request(packet), to, socket))

    def forward_response(self, to: Address, tid: int, value: bytes, socket: int) -> None:
        """Pass an answer on to whoever waits for this number."""
        packet = Response(tid, to, self._id_for(socket), value=value)
        self.outbox.append(Datagram(encode_response(packet), to, socket))

    def reply(
        self,
        incoming: Incoming,
        *,
        value: bytes | None = None,
        error: int = 0,
        token: bool = True,
        closer: bool = True,
        to: Address | None = None,
    ) -> None:
        """Answer a request; with a token and closer nodes unless told otherwise.

        A host not proven gets no more bytes than it sent: of these answers only those without
        anything but our id can come up, and they leave the id out.
        """
        request, source = incoming.request, to or incoming.source
        target = request.target
        response = Response(
            tid=request.tid,
            to=source,
            id=self._id_for(incoming.socket),
            token=self.tokens.issue(source.host, target, self.now) if token else None,
            closer_nodes=self.closer_nodes(target) if closer and target is not None else (),
            error=error,
            value=value,
        )
        data = encode_response(response)
        if len(data) > incoming.size and not self.return_paths.is_proven(source.host, self.now):
            data = encode_response(Response(request.tid, source, error=error))
            if len(data) > incoming.size:
                return
        self.outbox.append(Datagram(data, source, incoming.socket))

    def closer_nodes(self, target: bytes) -> tuple[Address, ...]:
        """What we tell others about the way to a target."""
        return tuple(node.address for node in self.table.closest(target, ROW_NODES))

    def _id_for(self, socket: int) -> bytes | None:
        return self._id if socket == SERVER_SOCKET else None

    # receiving ------------------------------------------------------------------------------------

    def receive_datagram_untrusted(self, data: bytes, source: Address, socket: int) -> None:
        """Take a datagram. Nothing is raised: what is not a packet is dropped."""
        if len(data) == 1:
            self.sockets.receive(socket, source)
            return
        try:
            packet = decode_packet_untrusted(data)
        except DecodeError:
            return
        sender = packet.id if packet.id is not None and packet.id == node_id(source) else None
        if isinstance(packet, Response):
            self._take_response(Answer(packet, source, sender, socket))
        else:
            self._take_request(Incoming(packet, source, socket, len(data)), sender)

    def _take_response(self, answer: Answer) -> None:
        request = self.requests.take_answer_untrusted(answer, self.now)
        if request is None:
            return
        # Other sockets are seen at other ports.
        to = answer.response.to if answer.socket == self.request_socket else None
        self.upkeep.heard(answer.source, answer.id, to)
        for held in self.return_paths.prove(answer.source.host, self.now):
            self._dispatch(Incoming(held.request, held.source, held.socket, held.size))
        request.on_answer(answer)

    def _take_request(self, incoming: Incoming, sender: bytes | None) -> None:
        request, source = incoming.request, incoming.source
        if request.token is not None:
            good = self.tokens.check_untrusted(request.token, source.host, request.target, self.now)
            if good:
                self.return_paths.prove(source.host, self.now)
            elif self.return_paths.is_proven(source.host, self.now):
                self.reply(incoming, error=ErrorCode.INVALID_TOKEN)
                return
        proven = self.return_paths.is_proven(source.host, self.now)
        if sender is not None and proven:
            self.upkeep.heard(source, sender, None)
        is_short = request.internal and request.command != Internal.FIND_NODE
        if proven or is_short:
            self._dispatch(incoming)
            return
        held = Held(request, incoming.size, source, incoming.socket)
        if self.return_paths.hold(held, self.now):
            self._challenge(source, incoming.socket)

    def _challenge(self, source: Address, socket: int) -> None:
        """Ask a host whether it is there, from where it asked us, in as few bytes as possible."""
        tid = self.requests.new_tid()
        data = encode_request(Request(tid, source, True, Internal.PING))
        self.requests.send(
            Outstanding(tid, source, data, socket, 0, TIMEOUT_SECONDS, _nothing, _nobody), self.now
        )

    def _dispatch(self, incoming: Incoming) -> None:
        request = incoming.request
        if request.token is not None and not self.tokens.check_untrusted(
            request.token, incoming.source.host, request.target, self.now
        ):
            self.reply(incoming, error=ErrorCode.INVALID_TOKEN)
        elif request.internal:
            self._answer_internal(incoming)
        else:
            self._handler(incoming)

    def _answer_internal(self, incoming: Incoming) -> None:
        request = incoming.request
        value = request.value or b""
        if request.command == Internal.PING:
            self.reply(incoming, token=False, closer=False)
        elif request.command == Internal.FIND_NODE:
            if request.target is not None:
                self.reply(incoming, token=False)
        elif request.command == Internal.PING_NAT:
            port = int.from_bytes(value[:2], "little")
            if len(value) >= 2 and port:
                to = Address(incoming.source.host, port)
                self.reply(incoming, token=False, closer=False, to=to)
        elif request.command == Internal.DOWN_HINT:
            if len(value) >= 6:
                self.upkeep.down_hint(decode_address_untrusted(Decoder(value)))
                self.reply(incoming, token=False, closer=False)
        elif request.command == Internal.DELAYED_PING:
            milliseconds = int.from_bytes(value[:4], "little")
            if len(value) >= 4 and milliseconds <= MAX_DELAYED_PING_SECONDS * 1000:
                self.delayed.add(incoming, self.now + milliseconds / 1000)
        else:
            self.reply(incoming, error=ErrorCode.UNKNOWN_COMMAND, token=False)

    # time -----------------------------------------------------------------------------------------

    def next_timer(self) -> float:
        """When ``handle_timer`` should be called at the latest."""
        times = (
            self.requests.next_timer(),
            self.upkeep.next_timer(),
            self.delayed.next_timer(),
            self.later.next_timer(),
        )
        return min(time for time in times if time is not None)

    def handle_timer(self) -> None:
        """Time has passed."""
        self.requests.handle_timer(self.now)
        for incoming in self.delayed.due(self.now):
            self.reply(incoming, token=False, closer=False)
        self.later.handle_timer(self.now)
        self.upkeep.handle_timer()

    def close(self, outstanding: Iterable[Outstanding]) -> None:
        """Wait for none of these any more."""
        for request in outstanding:
            self.requests.cancel(request)
