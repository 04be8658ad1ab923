"""One UDX stream: both directions and their end.

    state        until                                        then
    OPEN         our END is acknowledged and the peer's here  StreamClosed(FINISHED), LINGER
                 DESTROY comes                                StreamClosed(RESET), GONE
                 the peer does not answer for 13 s            StreamClosed(TIMED_OUT), GONE
                 ``destroy``                                  StreamClosed(DESTROYED), LINGER
    LINGER       some seconds have passed                     GONE
    GONE

- A stream begins OPEN, known by its id only; what arrives is taken. After ``connect`` it also
  answers and sends. There are no packets for this: the ids reach the peer in another way.
- Every DATA and END is answered at once by a packet of its own, repeated ones as well.
- In LINGER a finished stream still acknowledges (npm ``udx-native`` does not, so its last
  acknowledgement can be lost), and a destroyed one answers with DESTROY.

Wire facts: specs/12-udx.md; npm ``udx-native``.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from ..errors import DecodeError, LocalProtocolError
from ..limits import (
    MAX_UDX_DATAGRAM_BYTES,
    MAX_UDX_MESSAGES,
    UDX_EARLY_WINDOW_BYTES,
    UDX_WINDOW_BYTES,
)
from .events import (
    CloseReason,
    MessageReceived,
    RemoteEnded,
    RemoteMoved,
    StreamClosed,
    UdxEvent,
)
from .mtu import MtuSearch
from .other_way import GREETING_SECONDS, OtherWay
from .packets import (
    ACK,
    DATA_OR_END,
    DESTROY,
    HEADER,
    HEADER_BYTES,
    HEARTBEAT,
    MAGIC,
    MESSAGE,
    SACK,
    VERSION,
    encode_ranges,
    ranges_of_body_untrusted,
    unwrap,
)
from .receiver import Receiver, ReorderBudget
from .sender import IPV4_AND_UDP_BYTES, IPV6_AND_UDP_BYTES, Datagram, Sender

# An END that is not acknowledged comes again after 1, 3, 5 and 7 seconds.
LINGER_SECONDS = 8.0
# Heartbeats in a row without any answer; as many as a packet may be repeated.
MAX_UNANSWERED_HEARTBEATS = 6

_MASK = 0xFFFFFFFF


class _State(Enum):
    OPEN = "open"
    LINGER = "linger"
    GONE = "gone"


class UdxStream:
    """One side of a stream.

    Nothing here waits or keeps a clock: ``now`` is in seconds on any clock that never goes back.
    Addresses are whatever the caller uses; they come back as they were given.

    Args:
      stream_id: by which the peer names this stream, drawn at random by the caller, 32 bits: it is
        all that keeps others from writing into the stream.
      budget: shared with the other streams of the node.
      window_bytes: unread bytes at which the peer has to stop.
      search_mtu: whether to look for packets larger than 1200 bytes.
      keep_alive: seconds of silence after which a HEARTBEAT leaves, or None.

    Attributes:
      stream_id: as given.
      remote_id, address: of the peer; None before ``connect``.
      heard: whether any packet has come for the stream.
    """

    def __init__(
        self,
        stream_id: int,
        *,
        budget: ReorderBudget,
        window_bytes: int = UDX_WINDOW_BYTES,
        search_mtu: bool = True,
        keep_alive: float | None = None,
    ) -> None:
        self.stream_id = stream_id
        self.remote_id: int | None = None
        self.address: object = None
        self.heard = False
        self._state = _State.OPEN
        self._window_bytes = window_bytes
        self._search_mtu = search_mtu
        self._receiver = Receiver(min(window_bytes, UDX_EARLY_WINDOW_BYTES), budget)
        self._sender = Sender(cycle_offset=stream_id, search_mtu=search_mtu)
        self._events: deque[UdxEvent] = deque()
        self._out: list[Datagram] = []
        self._ack_owed = False
        # The highest plain acknowledgement that the sender has not been told of, and its time.
        # Those that come together are one to it: this halves what sending costs.
        self._unsettled_ack: int | None = None
        self._messages: deque[bytes] = deque()
        self._unread_messages = 0
        # Numbers of the packet that the window was last taken from.
        self._window_seq = 0
        self._window_ack = 0
        self._remote_ended = False
        self._keep_alive = keep_alive
        self._heard_at = 0.0
        self._heartbeat_at: float | None = None
        self._greeting_at: float | None = None
        self._unanswered_heartbeats = 0
        self._linger_until: float | None = None
        self._destroyed = False
        self._moving_until: int | None = None
        self._way: OtherWay | None = None

    # What the caller may ask ----------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether ``connect`` was called."""
        return self.remote_id is not None

    @property
    def closed(self) -> bool:
        """Whether ``StreamClosed`` has been reported, or waits in ``next_event``."""
        return self._state is not _State.OPEN

    @property
    def gone(self) -> bool:
        """Whether the stream need not be kept any longer: it answers nothing."""
        return self._state is _State.GONE

    @property
    def unread_bytes(self) -> int:
        """Bytes that ``read`` would give."""
        return len(self._receiver.unread)

    @property
    def read_to_end(self) -> bool:
        """Whether the peer has ended and all it sent has been read."""
        return self._remote_ended and not self._receiver.unread

    @property
    def unsent_bytes(self) -> int:
        """Bytes written that have not left for the first time."""
        return self._sender.unsent_bytes

    @property
    def outstanding(self) -> bool:
        """Whether something written is not acknowledged."""
        self._settle()
        sender = self._sender
        return sender.outstanding or sender.unsent_bytes > 0

    @property
    def max_message_bytes(self) -> int:
        """The longest unordered message that fits into a packet now."""
        return self._sender.payload_bytes

    @property
    def mtu(self) -> int:
        """Bytes of the largest packet that the path is known to carry, IP header included."""
        return self._sender.mtu.mtu

    @property
    def round_trip_seconds(self) -> float:
        """Smoothed; 0.0 when unknown."""
        return self._sender.rtt.smoothed

    @property
    def sent_packets(self) -> int:
        """Transmissions of DATA and END packets."""
        return self._sender.sent_packets

    @property
    def lost_packets(self) -> int:
        """How many of them were taken for lost."""
        return self._sender.lost_packets

    def next_event(self) -> UdxEvent | None:
        """The next thing that happened, or None. That bytes can be read is not an event."""
        self._settle()
        if not self._events:
            return None
        event = self._events.popleft()
        if type(event) is MessageReceived:
            self._unread_messages -= 1
        return event

    # Opening and moving ---------------------------------------------------------------------------

    def connect(
        self,
        remote_id: int,
        address: object,
        now: float,
        *,
        ipv6: bool = False,
        proven: bool = True,
        greet: bool = False,
    ) -> None:
        """Say who the peer is. From now on packets leave.

        Args:
          remote_id: by which the peer knows the stream.
          proven: whether the peer is known to be at this address. If not, one packet is in flight
            at most until the first one comes from it: nobody shall be flooded in our name.
          greet: whether to send HEARTBEATs until the peer is heard: it answers them, and learns
            where we are.

        Raises:
          LocalProtocolError: it is connected already.
        """
        if self.remote_id is not None:
            raise LocalProtocolError("the stream is connected already")
        self.remote_id = remote_id
        self.address = address
        self._sender.proven = proven
        self._sender.overhead_bytes = HEADER_BYTES + (
            IPV6_AND_UDP_BYTES if ipv6 else IPV4_AND_UDP_BYTES
        )
        self._receiver.limit_bytes = self._window_bytes
        self._heard(now)
        if self._destroyed:
            self._send_control(DESTROY)
        elif self._ack_owed:
            # What came before could not be answered; without this the peer waits for its timer.
            self._acknowledge()
        if greet and not self.heard:
            self._greet(now)

    def _greet(self, now: float) -> None:
        self._send_control(HEARTBEAT)
        self._greeting_at = now + GREETING_SECONDS

    def try_way(self, remote_id: int, address: object, now: float) -> None:
        """Greet the peer at another address, too, until ``change_remote`` or for ten seconds.

        The stream stays where it is. The peer answers a greeting that arrives; once something
        comes from that address, packets are known to pass in both directions.

        Raises:
          LocalProtocolError: the stream was never connected.
        """
        if self.remote_id is None:
            raise LocalProtocolError("the stream is not connected")
        self._way = OtherWay(remote_id, address, now)

    @property
    def trying_way(self) -> bool:
        """Whether greetings of ``try_way`` go on."""
        return self._way is not None

    def way_to_send(self, now: float) -> Datagram | None:
        """The greeting of the other way that should leave now."""
        way = self._way
        if way is None or not way.greets(now):
            return None
        if way.exhausted:
            self._way = None
        return self._header(HEARTBEAT, way.remote_id), way.address

    def change_remote(self, remote_id: int, address: object) -> None:
        """Go on with the same peer at another address; the MTU is searched for anew.

        Raises:
          LocalProtocolError: the stream was never connected.
        """
        if self.remote_id is None:
            raise LocalProtocolError("the stream is not connected")
        self.remote_id = remote_id
        self.address = address
        self._way = None
        self._sender.mtu = MtuSearch(enabled=self._search_mtu)
        self._moving_until = self._sender.next_seq
        self._check_moved()

    # Receiving ------------------------------------------------------------------------------------

    def receive_packet_untrusted(self, data: bytes, address: object, now: float) -> None:
        """Take one datagram with this stream's id.

        The address is not compared: a peer may send from several, and answers only go to the one
        it is connected to. False statements are ignored, as a stranger may have made them.

        Raises:
          DecodeError: it is no packet of UDX; nothing has changed.
        """
        size = len(data)
        if not HEADER_BYTES <= size <= MAX_UDX_DATAGRAM_BYTES:
            raise DecodeError(f"a packet of {size} bytes")
        magic, version, kind, padding, _, window, wire_seq, wire_ack = HEADER.unpack_from(data)
        if magic != MAGIC or version != VERSION:
            raise DecodeError("not a packet of UDX")
        start = HEADER_BYTES + padding
        if start > size and not kind & HEARTBEAT:
            raise DecodeError("the padding goes past the end of the packet")
        if self._state is not _State.OPEN:
            self._answer_late(kind)
            return
        self._heard(now)
        if not self.heard:
            self.heard = True
            self._greeting_at = None
        if address == self.address:
            self._sender.proven = True
        if kind & HEARTBEAT:
            self._acknowledge()
            return
        receiver = self._receiver
        seq = unwrap(wire_seq, receiver.expected)
        answer = False
        if kind & DATA_OR_END:
            answer = receiver.receive(seq, kind, data[start:])
            if receiver.ended and not self._remote_ended:
                self._remote_ended = True
                self._events.append(RemoteEnded())
        elif kind & DESTROY and seq >= receiver.expected:
            self._close(CloseReason.RESET, now)
            return
        if kind & MESSAGE and self._unread_messages < MAX_UDX_MESSAGES:
            self._unread_messages += 1
            self._events.append(MessageReceived(data[start:]))
        sender = self._sender
        ack = unwrap(wire_ack, sender.oldest)
        if sender.oldest <= ack <= sender.next_seq:
            if seq > self._window_seq or (seq == self._window_seq and ack >= self._window_ack):
                self._window_seq = seq
                self._window_ack = ack
                sender.remote_window = window
            if kind & SACK:
                self._settle(ack, ranges_of_body_untrusted(data[HEADER_BYTES:], padding))
            elif ack > (self._unsettled_ack or sender.oldest):
                self._unsettled_ack = ack
        if answer:
            self._acknowledge()
        if self._remote_ended:
            self._settle()
            self._check_acknowledged(now)

    def read(self, max_bytes: int) -> bytes:
        """Take bytes in order; empty when there are none. Reading is what lets the peer go on."""
        receiver = self._receiver
        data = receiver.read(max_bytes)
        if self._state is _State.OPEN and receiver.worth_telling():
            self._acknowledge()
        return data

    def _heard(self, now: float) -> None:
        self._heard_at = now
        self._unanswered_heartbeats = 0

    def _settle(self, ack: int = 0, ranges: tuple[tuple[int, int], ...] = ()) -> None:
        """Tell the sender what it has not been told, with what a SACK says."""
        if self._unsettled_ack is not None:
            ack = max(ack, self._unsettled_ack)
            self._unsettled_ack = None
        if ack or ranges:
            self._sender.acknowledge(ack, ranges, self._heard_at)
            self._check_acknowledged(self._heard_at)

    def _check_acknowledged(self, now: float) -> None:
        if self._moving_until is not None:
            self._check_moved()
        if self._remote_ended and self._sender.ended and self._state is _State.OPEN:
            self._close(CloseReason.FINISHED, now)

    def _check_moved(self) -> None:
        if self._moving_until is not None and self._sender.oldest >= self._moving_until:
            self._moving_until = None
            self._events.append(RemoteMoved())

    # Sending --------------------------------------------------------------------------------------

    def write(self, data: bytes) -> int:
        """Queue bytes; gives how many of all written ones have not left yet.

        The queue takes any amount: a caller waits while it holds more than it likes. After the
        stream is closed nothing is queued.

        Raises:
          LocalProtocolError: ``end`` was called.
        """
        if self._sender.ending:
            raise LocalProtocolError("this side has ended")
        if self._state is _State.OPEN:
            self._sender.write(data)
        return self._sender.unsent_bytes

    def end(self) -> None:
        """Nothing will be written any more; the peer can still send."""
        self._sender.ending = True

    def send_message(self, data: bytes) -> None:
        """Send one unordered message as one packet; it is never repeated.

        Raises:
          LocalProtocolError: it does not fit into a packet.
        """
        if len(data) > self.max_message_bytes:
            raise LocalProtocolError(f"a message cannot have {len(data)} bytes")
        if self._state is _State.OPEN and len(self._messages) < MAX_UDX_MESSAGES:
            self._messages.append(data)

    def destroy(self, now: float) -> None:
        """End at once, in both directions; what was written may be lost."""
        if self._state is _State.OPEN:
            self._destroyed = True
            self._send_control(DESTROY)
            self._close(CloseReason.DESTROYED, now)

    def packets_to_send(self, now: float) -> list[Datagram]:
        """All datagrams that should leave now, each with its address."""
        remote_id = self.remote_id
        out = self._out
        if remote_id is None:
            return []
        self._settle()
        if self._state is _State.OPEN:
            while self._messages:
                out.append((self._header(MESSAGE) + self._messages.popleft(), self.address))
            receiver = self._receiver
            self._sender.transmit(
                out, self.address, remote_id, receiver.window(), receiver.expected, now
            )
            if self._sender.blocked_by_window and self._heartbeat_at is None:
                self._send_heartbeat(now)
        if not out:
            return []
        self._out = []
        return out

    def _header(self, kind: int, remote_id: int | None = None) -> bytes:
        if remote_id is None:
            remote_id = self.remote_id
        assert remote_id is not None
        receiver = self._receiver
        return HEADER.pack(
            MAGIC,
            VERSION,
            kind,
            0,
            remote_id,
            receiver.window(),
            self._sender.next_seq & _MASK,
            receiver.expected & _MASK,
        )

    def _send_control(self, kind: int) -> None:
        if self.remote_id is not None:
            self._out.append((self._header(kind), self.address))

    def _acknowledge(self) -> None:
        if self.remote_id is None:
            self._ack_owed = True
            return
        ranges = self._receiver.ranges
        if ranges:
            body = encode_ranges(self._receiver.sack_ranges())
            self._out.append((self._header(SACK) + body, self.address))
        else:
            self._out.append((self._header(ACK), self.address))

    # The end --------------------------------------------------------------------------------------

    def _answer_late(self, kind: int) -> None:
        if self._state is _State.LINGER and kind & (DATA_OR_END | HEARTBEAT):
            if self._destroyed:
                self._send_control(DESTROY)
            else:
                self._acknowledge()

    def _close(self, reason: CloseReason, now: float) -> None:
        lingers = reason in (CloseReason.FINISHED, CloseReason.DESTROYED)
        self._state = _State.LINGER if lingers else _State.GONE
        self._linger_until = now + LINGER_SECONDS if lingers else None
        self._heartbeat_at = None
        self._way = None
        self._sender.release()
        self._receiver.release()
        self._messages.clear()
        self._events.append(StreamClosed(reason))

    # Time -----------------------------------------------------------------------------------------

    def next_timer(self) -> float | None:
        """When to call ``handle_timer`` next, or None. Ask again after every other call."""
        self._settle()
        if self._state is not _State.OPEN:
            return self._linger_until
        if self.remote_id is None:
            return None
        earliest = self._sender.next_timer()
        way_at = None if self._way is None else self._way.next_at
        for at in (self._heartbeat_at, self._silent_until(), self._greeting_at, way_at):
            if at is not None and (earliest is None or at < earliest):
                earliest = at
        return earliest

    def handle_timer(self, now: float) -> None:
        """Time has passed; ask ``packets_to_send`` next."""
        self._settle()
        if self._state is not _State.OPEN:
            if self._linger_until is not None and now >= self._linger_until:
                self._state = _State.GONE
                self._linger_until = None
            return
        if self.remote_id is None:
            return
        self._sender.handle_timer(now)
        if self._greeting_at is not None and now >= self._greeting_at:
            self._greet(now)
        silent_until = self._silent_until()
        if self._heartbeat_at is not None and now >= self._heartbeat_at:
            self._heartbeat_at = None
            if self._sender.blocked_by_window:
                self._send_heartbeat(now)
        elif silent_until is not None and now >= silent_until:
            self._send_heartbeat(now)
        if self._sender.timed_out or self._unanswered_heartbeats > MAX_UNANSWERED_HEARTBEATS:
            # npm ``udx-native`` forgets a stream with its last acknowledgement. A peer that has
            # ended, took all data and only leaves our END unanswered has done so.
            finished = self._remote_ended and self._sender.only_end_outstanding
            self._close(CloseReason.FINISHED if finished else CloseReason.TIMED_OUT, now)

    def _silent_until(self) -> float | None:
        if self._keep_alive is None or self._heartbeat_at is not None or self._sender.outstanding:
            return None
        return self._heard_at + self._keep_alive * (1 + self._unanswered_heartbeats)

    def _send_heartbeat(self, now: float) -> None:
        self._send_control(HEARTBEAT)
        self._unanswered_heartbeats += 1
        if self._sender.blocked_by_window:
            self._heartbeat_at = now + 2 * self._sender.rtt.timeout
