"""The sending half: what waits, what is in flight, what is lost; and when each leaves.

    queue  --next number-->  flight  --acknowledged-->  forgotten
                             |    ^
                        lost v    | sent again
                             (lost)

- A packet is lost when one that was sent later has arrived, and a reordering window has passed
  (RACK, RFC 8985). When nothing arrives any more, a probe asks after two round trips (TLP, ibid.),
  and the retransmission timer gives up on the oldest packet.
- ``flight`` is a dict in the order of transmission, so loss detection looks at its head only.
- What a SACK reports is forgotten like what is acknowledged: npm ``udx-native`` never takes it
  back, nor do we.

Wire facts: specs/12-udx.md, 12.5.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

from ..limits import MAX_UDX_FLIGHT_PACKETS
from .bbr import Bbr
from .mtu import MtuSearch
from .pacer import ONE_PACKET, Pacer
from .packets import DATA, END, HEADER, HEADER_BYTES, MAGIC, VERSION, unwrap
from .ranges import RangeSet
from .rtt import RoundTripTime
from .sent_packet import SentPacket

Datagram = tuple[bytes, object]

# With an initial timeout of 1 s these end a silent stream after 13 s, as with npm udx-native.
MAX_TIMEOUTS_PER_PACKET = 6
TIMEOUT_BACKOFF = 2.0
# On top of two round trips: what the peer's timer and ours may be late together.
PROBE_SLACK_SECONDS = 0.002
REORDERING_SACKS = 3

IPV4_AND_UDP_BYTES = 28
IPV6_AND_UDP_BYTES = 48

_MASK = 0xFFFFFFFF


class Sender:
    """Bytes of one direction.

    Attributes:
      next_seq: number of the next new packet.
      oldest: lowest number that is not acknowledged; ``next_seq`` when there is none.
      remote_window: bytes that the peer takes beyond ``oldest``.
      unsent_bytes: written and never sent.
      ending: END was asked for.
      ended: END was acknowledged.
      timed_out: the peer did not answer for too long.
      rtt, congestion, mtu: what sending goes by.
      proven: whether the peer has been heard from; until then one packet is in flight.
      lost_packets, sent_packets: counts, of transmissions.
    """

    __slots__ = (
        "_end_is_alone",
        "_end_sent",
        "_flight",
        "_highest",
        "_lost",
        "_lost_order",
        "_order",
        "_pacer",
        "_probe_at",
        "_probe_due",
        "_probing",
        "_queue",
        "_queue_offset",
        "_rack_order",
        "_rack_rtt",
        "_rack_sent_at",
        "_recovery_until",
        "_reordering",
        "_sacked",
        "_sacked_packets",
        "_timeout_at",
        "_timeout_due",
        "_wakes_at",
        "congestion",
        "ended",
        "ending",
        "lost_packets",
        "mtu",
        "next_seq",
        "oldest",
        "overhead_bytes",
        "paced_until",
        "proven",
        "remote_window",
        "rtt",
        "sent_packets",
        "timed_out",
        "unsent_bytes",
    )

    def __init__(self, *, cycle_offset: int, search_mtu: bool) -> None:
        self.next_seq = 0
        self.oldest = 0
        self.remote_window = 1 << 22
        self.unsent_bytes = 0
        self.ending = False
        self.ended = False
        self.timed_out = False
        self.proven = True
        self.overhead_bytes = IPV4_AND_UDP_BYTES + HEADER_BYTES
        self.rtt = RoundTripTime()
        self.congestion = Bbr(cycle_offset)
        self.mtu = MtuSearch(enabled=search_mtu)
        self.lost_packets = 0
        self.sent_packets = 0
        self.paced_until: float | None = None
        self._pacer = Pacer()
        self._queue: deque[bytes] = deque()
        self._queue_offset = 0
        self._end_sent = False
        self._end_is_alone = False
        self._flight: dict[int, SentPacket] = {}
        self._lost: dict[int, SentPacket] = {}
        self._lost_order: list[int] = []
        self._order = 0
        self._sacked = RangeSet()
        self._sacked_packets = 0
        self._highest = -1
        self._reordering = False
        self._rack_order = -1
        self._rack_sent_at = 0.0
        self._rack_rtt = 0.0
        self._recovery_until: int | None = None
        self._timeout_at: float | None = None
        self._probe_at: float | None = None
        self._probe_due = False
        self._probing = False
        self._timeout_due = False
        self._wakes_at: float | None = None

    # What the stream asks -------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Packets that are neither acknowledged nor known to be lost."""
        return len(self._flight)

    @property
    def outstanding(self) -> bool:
        """Whether something sent is not acknowledged."""
        return self.oldest != self.next_seq

    @property
    def only_end_outstanding(self) -> bool:
        """Whether all data has arrived, and nothing but END has not."""
        return self._end_is_alone and self.oldest + 1 == self.next_seq

    @property
    def blocked_by_window(self) -> bool:
        """Whether the peer's closed window alone keeps data or END back."""
        waits = self._queue or (self.ending and not self._end_sent)
        return bool(waits) and self.remote_window == 0 and not self.outstanding

    @property
    def payload_bytes(self) -> int:
        """Bytes of a full packet."""
        return self.mtu.mtu - self.overhead_bytes

    def write(self, data: bytes) -> None:
        """Queue bytes behind all others."""
        if data:
            self._queue.append(data)
            self.unsent_bytes += len(data)

    def release(self) -> None:
        """Forget everything; the stream is over."""
        self._queue.clear()
        self._flight.clear()
        self._lost.clear()
        self._lost_order.clear()
        self.unsent_bytes = 0
        self._sacked = RangeSet()
        self._timeout_at = self._probe_at = self._wakes_at = self.paced_until = None

    # Sending --------------------------------------------------------------------------------------

    def transmit(
        self,
        out: list[Datagram],
        address: object,
        stream_id: int,
        window: int,
        ack: int,
        now: float,
    ) -> None:
        """Append to ``out`` all that may leave now; ``window`` and ``ack`` go into the headers."""
        self.paced_until = None
        flight = self._flight
        congestion = self.congestion
        in_flight = len(flight)
        if not (self._lost or self._queue or self._probe_due or self.ending):
            if in_flight < congestion.window and not congestion.app_limited_until:
                congestion.app_limited(in_flight)
            return
        pacer = self._pacer
        pacer.fill(congestion.pacing_rate, now)
        limit = congestion.window if self.proven else 1
        sent = 0
        ack &= _MASK
        pack = HEADER.pack
        while True:
            forced = self._probe_due or self._timeout_due
            if in_flight >= limit and not forced:
                break
            if pacer.tokens < ONE_PACKET and not forced:
                if self._lost or self._queue or (self.ending and not self._end_sent):
                    self.paced_until = pacer.ready_at()
                break
            packet = self._next_lost() or self._next_new()
            if packet is None and self._probe_due and flight:
                packet = self._last_in_flight()
                in_flight -= 1
            self._probing |= self._probe_due
            self._probe_due = self._timeout_due = False
            if packet is None:
                if in_flight < limit:
                    congestion.app_limited(in_flight)
                break
            if in_flight == 0:
                congestion.sending_after_idle(now)
            self._stamp(packet, now)
            padding = packet.padding
            header = pack(
                MAGIC, VERSION, packet.kind, padding, stream_id, window, packet.seq & _MASK, ack
            )
            if padding:
                header += bytes(padding)
            out.append((header + packet.payload, address))
            pacer.tokens -= 1.0
            in_flight += 1
            sent += 1
        if sent:
            self.sent_packets += sent
            if self._timeout_at is None:
                self._timeout_at = now + self.rtt.timeout
            self._arm_probe(now)

    def _stamp(self, packet: SentPacket, now: float) -> None:
        congestion = self.congestion
        self._order += 1
        packet.order = self._order
        packet.sent_at = now
        packet.transmissions += 1
        packet.delivered = congestion.delivered
        packet.delivered_at = congestion.delivered_at
        packet.first_sent_at = congestion.first_sent_at
        packet.app_limited = congestion.app_limited_until != 0
        self._flight[packet.seq] = packet

    def _last_in_flight(self) -> SentPacket:
        _, packet = self._flight.popitem()
        if packet.padding:
            # It may be too large for the path; nothing shall depend on that.
            packet.padding = 0
            self.mtu.probe_lost()
        return packet

    def _next_lost(self) -> SentPacket | None:
        while self._lost_order:
            packet = self._lost.pop(heappop(self._lost_order), None)
            if packet is not None:
                # The padding may be why it was lost.
                if packet.padding:
                    packet.padding = 0
                return packet
        return None

    def _next_new(self) -> SentPacket | None:
        size = self.mtu.mtu - self.overhead_bytes
        ahead = self.next_seq - self.oldest
        if ahead and ahead >= min(max(self.remote_window // size, 1), MAX_UDX_FLIGHT_PACKETS):
            return None
        if self.remote_window == 0:
            return None
        kind = DATA
        padding = 0
        if self._queue:
            payload = self._take_payload(size)
            if len(payload) == size and self.oldest:
                padding = self.mtu.wanted_padding
                if padding:
                    self.mtu.probe_sent(padding)
            if self.ending and not self._queue:
                kind |= END
                self._end_sent = True
        elif self.ending and not self._end_sent:
            payload = b""
            kind = END
            self._end_sent = self._end_is_alone = True
        else:
            return None
        packet = SentPacket(self.next_seq, kind, payload, padding)
        self.next_seq += 1
        return packet

    def _take_payload(self, size: int) -> bytes:
        queue = self._queue
        chunk = queue[0]
        start = self._queue_offset
        stop = start + size
        if stop < len(chunk):
            self._queue_offset = stop
            self.unsent_bytes -= size
            return chunk[start:stop]
        payload = chunk[start:]
        queue.popleft()
        self._queue_offset = 0
        if len(payload) < size and queue:
            pieces = [payload]
            missing = size - len(payload)
            while queue and missing:
                piece = queue[0][:missing]
                pieces.append(piece)
                missing -= len(piece)
                if len(piece) == len(queue[0]):
                    queue.popleft()
                else:
                    self._queue_offset = len(piece)
            payload = b"".join(pieces)
        self.unsent_bytes -= len(payload)
        return payload

    # Acknowledgements -----------------------------------------------------------------------------

    def acknowledge(self, ack: int, ranges: tuple[tuple[int, int], ...], now: float) -> None:
        """Take what the peer reports: ``ack`` in ``oldest`` to ``next_seq``, ranges as received."""
        flight = self._flight
        lost = self._lost
        congestion = self.congestion
        newest: SentPacket | None = None
        count = 0
        first_acked = self.oldest
        advanced = ack > first_acked
        if advanced:
            for seq in range(first_acked, ack):
                packet = flight.pop(seq, None)
                if packet is None:
                    packet = lost.pop(seq, None)
                    if packet is None:
                        self._sacked_packets -= 1
                        continue
                count += 1
                if newest is None or packet.order > newest.order:
                    newest = packet
                if packet.padding or seq < self._highest:
                    self._look_closer(packet)
            self.oldest = ack
            self._highest = max(self._highest, ack - 1)
            if self._sacked_packets:
                self._sacked.discard_below(ack)
            if self._end_sent and ack == self.next_seq:
                self.ended = True
        if ranges:
            for packet in self._newly_sacked(ranges):
                count += 1
                if newest is None or packet.order > newest.order:
                    newest = packet
        if newest is None:
            return
        self._probing = False
        rtt = now - newest.sent_at if newest.transmissions == 1 else -1.0
        if rtt >= 0.0:
            self.rtt.add(rtt, now)
        if newest.order > self._rack_order:
            elapsed = now - newest.sent_at
            # Sent again and answered sooner than possible: the answer is to an earlier one.
            if newest.transmissions == 1 or elapsed >= self.rtt.minimum:
                self._rack_order = newest.order
                self._rack_sent_at = newest.sent_at
                self._rack_rtt = elapsed
        found = self._find_lost(now)
        if self._recovery_until is not None and self.oldest >= self._recovery_until:
            self._recovery_until = None
            congestion.recovery_ends()
        if found:
            self._lost_some()
        congestion.acknowledged(newest, count, found, rtt, len(flight), now)
        self._timeout_at = now + self.rtt.timeout if self.oldest != self.next_seq else None
        self._arm_probe(now)

    def _look_closer(self, packet: SentPacket) -> None:
        if packet.padding:
            self.mtu.probe_acknowledged()
        if packet.seq < self._highest and packet.transmissions == 1:
            self._reordering = True

    def _newly_sacked(self, ranges: tuple[tuple[int, int], ...]) -> list[SentPacket]:
        packets = []
        oldest = self.oldest
        for wire_start, wire_end in ranges:
            start = unwrap(wire_start, oldest)
            end = unwrap(wire_end, oldest)
            # What begins at ``oldest`` would be an acknowledgement, not a range above it.
            if not oldest < start < end <= self.next_seq:
                continue
            for first, last in self._sacked.add(start, end):
                for seq in range(first, last):
                    packet = self._flight.pop(seq, None) or self._lost.pop(seq, None)
                    if packet is not None:
                        packets.append(packet)
                        self._sacked_packets += 1
                        # ``_highest`` is still what earlier packets reported.
                        if packet.padding or seq < self._highest:
                            self._look_closer(packet)
        if packets:
            self._highest = max(self._highest, *(packet.seq for packet in packets))
        return packets

    # Loss -----------------------------------------------------------------------------------------

    def _reordering_window(self) -> float:
        if not self._reordering and (
            self._recovery_until is not None or self._sacked_packets >= REORDERING_SACKS
        ):
            return 0.0
        minimum = self.rtt.minimum
        return 0.0 if minimum == float("inf") else min(minimum / 4, self.rtt.smoothed)

    def _find_lost(self, now: float) -> int:
        """Move what is lost out of ``flight``; gives how many packets that were."""
        self._wakes_at = None
        flight = self._flight
        rack_order = self._rack_order
        if not flight:
            return 0
        head = flight[next(iter(flight))]
        if head.order >= rack_order:
            return 0
        wait = self._rack_rtt + self._reordering_window()
        found = []
        for packet in flight.values():
            if packet.order >= rack_order:
                break
            if packet.sent_at + wait > now:
                self._wakes_at = packet.sent_at + wait
                break
            found.append(packet)
        for packet in found:
            self._lose(packet)
        return len(found)

    def _lose(self, packet: SentPacket) -> None:
        del self._flight[packet.seq]
        self._lost[packet.seq] = packet
        heappush(self._lost_order, packet.seq)
        self.lost_packets += 1
        if packet.padding:
            self.mtu.probe_lost()

    def _lost_some(self) -> None:
        if self._recovery_until is None:
            self._recovery_until = self.next_seq
            self.congestion.recovery_begins(len(self._flight))

    # Timers ---------------------------------------------------------------------------------------

    def _arm_probe(self, now: float) -> None:
        if not self._flight or self._lost or self._sacked_packets or self._probing:
            self._probe_at = None
            return
        if self.rtt.smoothed:
            self._probe_at = now + 2 * self.rtt.smoothed + PROBE_SLACK_SECONDS
        else:
            self._probe_at = None

    def next_timer(self) -> float | None:
        """When to call ``handle_timer`` next."""
        earliest = self._timeout_at
        for at in (self._probe_at, self._wakes_at, self.paced_until):
            if at is not None and (earliest is None or at < earliest):
                earliest = at
        return earliest

    def handle_timer(self, now: float) -> None:
        """Time has passed; ``transmit`` follows."""
        if self._wakes_at is not None and now >= self._wakes_at and self._find_lost(now):
            self._lost_some()
        if self._timeout_at is not None and now >= self._timeout_at:
            self._time_out(now)
        elif self._probe_at is not None and now >= self._probe_at:
            self._probe_at = None
            self._probe_due = bool(self._flight)

    def _time_out(self, now: float) -> None:
        oldest = self._flight.get(self.oldest) or self._lost.get(self.oldest)
        if oldest is None:
            self._timeout_at = None
            return
        oldest.timeouts += 1
        if oldest.timeouts > MAX_TIMEOUTS_PER_PACKET:
            self.timed_out = True
            return
        wait = self._rack_rtt + self._reordering_window()
        gone = [
            packet
            for packet in self._flight.values()
            if packet is oldest or packet.sent_at + wait <= now
        ]
        for packet in gone:
            self._lose(packet)
        if self._recovery_until is None:
            self._recovery_until = self.next_seq
        self.congestion.timed_out()
        self._timeout_due = True
        self._probe_at = None
        self._timeout_at = now + TIMEOUT_BACKOFF * self.rtt.timeout
