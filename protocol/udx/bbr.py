"""BBR, version 1: how much may be in flight, and at which rate it leaves. Counts packets.

The controller keeps a model of the path: the bottleneck's bandwidth (the highest delivery rate of
the last ten round trips) and its round-trip time without queues (the lowest of the last ten
seconds). It sends at the first and keeps twice their product in flight.

    STARTUP     gain 2.89 until three round trips bring no 25 % more bandwidth
    DRAIN       gain 1/2.89 until the queue that STARTUP built is gone
    PROBE_BW    gains 1.25, 0.75 and six times 1, each for a round-trip time
    PROBE_RTT   4 packets in flight for 200 ms, when the lowest round-trip time is ten seconds old

It was chosen over CUBIC because loss on the way to a peer at home is seldom a full queue (with 5 %
random loss a loss-based window stays near 5 packets), and because npm ``udx-native`` has the same,
so that both kinds of node share a bottleneck evenly. Nothing of it is visible on the wire.

Sources: draft-cardwell-iccrg-bbr-congestion-control-00, draft-cheng-iccrg-delivery-rate-estimation.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from ..limits import MAX_UDX_FLIGHT_PACKETS
from .sent_packet import SentPacket

INITIAL_WINDOW_PACKETS = 10
MIN_WINDOW_PACKETS = 4
HIGH_GAIN = 2.885  # 2 / ln 2: doubles the rate each round trip
PACING_MARGIN = 0.99
CYCLE_GAINS = (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
WINDOW_GAIN = 2.0
BANDWIDTH_WINDOW_ROUNDS = 10
# Ten round trips of a short path pass while a program is not scheduled once; what the path could
# carry before is not forgotten sooner than this.
BANDWIDTH_WINDOW_SECONDS = 1.0
FULL_PIPE_GROWTH = 1.25
FULL_PIPE_ROUNDS = 3
# More than this part of a round trip's packets is lost when a queue overflows, hardly ever by
# chance: the pipe is full. BBR version 1 goes on for three round trips and loses thousands.
FULL_PIPE_LOSS = 0.2
FULL_PIPE_LOST_PACKETS = 8
PROBE_RTT_INTERVAL_SECONDS = 10.0
PROBE_RTT_SECONDS = 0.2
# A peer in the same house answers faster than both programs can be woken; with less in flight than
# fills this time, they would wait for each other.
LEAST_RTT_SECONDS = 0.002
MAX_QUANTUM_PACKETS = 54.0  # 64 KiB


class Mode(Enum):
    """See the head of the file."""

    STARTUP = "startup"
    DRAIN = "drain"
    PROBE_BW = "probe bandwidth"
    PROBE_RTT = "probe round-trip time"


class Bbr:
    """The model of one path.

    Attributes:
      window: packets that may be in flight.
      pacing_rate: packets a second.
      delivered: packets that the peer has acknowledged, in all.
      delivered_at: time of the newest of them.
      first_sent_at: when the newest packet was sent of those last acknowledged.
      app_limited_until: ``delivered`` at which samples are no longer short of data; 0 when not.
    """

    __slots__ = (
        "_bandwidths",
        "_conserving",
        "_cycle",
        "_cycle_at",
        "_full_bandwidth",
        "_full_rounds",
        "_lost_in_cycle",
        "_min_rtt",
        "_min_rtt_at",
        "_pacing_gain",
        "_pipe_filled",
        "_prior_window",
        "_probe_rtt_done_at",
        "_probe_rtt_round_done",
        "_recovering",
        "_round",
        "_round_delivered",
        "_round_ends",
        "_round_lost",
        "_window_gain",
        "app_limited_until",
        "delivered",
        "delivered_at",
        "first_sent_at",
        "mode",
        "pacing_rate",
        "window",
    )

    def __init__(self, cycle_offset: int = 0) -> None:
        """``cycle_offset`` makes streams probe at different times; any number will do."""
        self.mode = Mode.STARTUP
        self.window = INITIAL_WINDOW_PACKETS
        # As for a round-trip time of 1 ms, until there is one.
        self.pacing_rate = HIGH_GAIN * INITIAL_WINDOW_PACKETS / 0.001
        self.delivered = 0
        self.delivered_at = 0.0
        self.first_sent_at = 0.0
        self.app_limited_until = 0
        self._pacing_gain = HIGH_GAIN
        self._window_gain = HIGH_GAIN
        # Rates, rounds and times; to the right newer and lower.
        self._bandwidths: deque[tuple[float, int, float]] = deque()
        self._round = 0
        self._round_ends = 0
        self._round_delivered = 0
        self._round_lost = 0
        self._pipe_filled = False
        self._full_bandwidth = 0.0
        self._full_rounds = 0
        self._min_rtt = float("inf")
        self._min_rtt_at = 0.0
        # Any phase but the one that drains.
        self._cycle = (2 + cycle_offset % 7) % 8
        self._cycle_at = 0.0
        self._lost_in_cycle = False
        self._prior_window = 0
        self._recovering = False
        self._conserving = False
        self._probe_rtt_done_at = 0.0
        self._probe_rtt_round_done = False

    @property
    def bandwidth(self) -> float:
        """Packets a second that the path delivers; 0.0 when nothing is known."""
        return self._bandwidths[0][0] if self._bandwidths else 0.0

    # What the sender reports ----------------------------------------------------------------------

    def sending_after_idle(self, now: float) -> None:
        """A packet is about to leave while none is in flight."""
        self.first_sent_at = self.delivered_at = now
        if self.app_limited_until and self.mode is Mode.PROBE_BW and self.bandwidth:
            self.pacing_rate = self.bandwidth * PACING_MARGIN

    def app_limited(self, in_flight: int) -> None:
        """There was room for a packet, but none to send."""
        self.app_limited_until = (self.delivered + in_flight) or 1

    def acknowledged(
        self, newest: SentPacket, count: int, lost: int, rtt: float, in_flight: int, now: float
    ) -> None:
        """An acknowledgement has come.

        Args:
          newest: of the packets that it acknowledges, the one sent last.
          count: how many they are.
          lost: packets found lost by it.
          rtt: of a packet sent once, or negative.
          in_flight: packets still in flight.
        """
        self.delivered += count
        self.delivered_at = now
        if self.app_limited_until and self.delivered > self.app_limited_until:
            self.app_limited_until = 0
        round_starts = newest.delivered >= self._round_ends
        if round_starts:
            self._round_ends = self.delivered
            self._round += 1
            self._round_delivered = self._round_lost = 0
            self._conserving = False
        self._round_delivered += count
        self._round_lost += lost
        self._take_rate(newest, now)
        self.first_sent_at = newest.sent_at
        if self.mode is Mode.PROBE_BW:
            if lost:
                self._lost_in_cycle = True
            self._advance_cycle(in_flight + count, now)
        elif self.mode is not Mode.PROBE_RTT:
            if round_starts and not self._pipe_filled and not newest.app_limited:
                self._check_full_pipe()
            if lost and not self._pipe_filled:
                self._check_overflow()
            if self.mode is Mode.STARTUP and self._pipe_filled:
                self.mode = Mode.DRAIN
                self._pacing_gain = 1 / HIGH_GAIN
                self._window_gain = HIGH_GAIN
            if self.mode is Mode.DRAIN and in_flight <= self._target(1.0):
                self._enter_probe_bandwidth(now)
        self._take_rtt(rtt, round_starts, in_flight, now)
        self._set_pacing_rate()
        self._set_window(count, lost, in_flight)

    def recovery_begins(self, in_flight: int) -> None:
        """The first loss after a time without: one packet for one packet, for a round trip."""
        if not self._recovering:
            self._prior_window = max(self.window, self._prior_window)
            self._recovering = True
        self._conserving = True
        self._round_ends = self.delivered
        self.window = max(in_flight, MIN_WINDOW_PACKETS)

    def recovery_ends(self) -> None:
        """All that was in flight at the first loss has arrived."""
        if self._recovering:
            self._recovering = self._conserving = False
            self.window = max(self.window, self._prior_window)
            self._prior_window = 0

    def timed_out(self) -> None:
        """Nothing was heard for the retransmission timeout."""
        if not self._recovering:
            self._prior_window = max(self.window, self._prior_window)
            self._recovering = True
        self._conserving = False
        self.window = MIN_WINDOW_PACKETS

    # The model ------------------------------------------------------------------------------------

    def _take_rate(self, newest: SentPacket, now: float) -> None:
        interval = max(newest.sent_at - newest.first_sent_at, now - newest.delivered_at)
        # Shorter than any round trip: acknowledgements were held up and came together.
        if interval <= 0.0 or (self._min_rtt != float("inf") and interval < self._min_rtt):
            return
        rate = (self.delivered - newest.delivered) / interval
        bandwidths = self._bandwidths
        if newest.app_limited and bandwidths and rate < bandwidths[0][0]:
            return
        while bandwidths and bandwidths[-1][0] <= rate:
            bandwidths.pop()
        bandwidths.append((rate, self._round, now))
        while (
            bandwidths[0][1] < self._round - BANDWIDTH_WINDOW_ROUNDS
            and bandwidths[0][2] < now - BANDWIDTH_WINDOW_SECONDS
        ):
            bandwidths.popleft()

    def _check_full_pipe(self) -> None:
        if self.bandwidth >= self._full_bandwidth * FULL_PIPE_GROWTH:
            self._full_bandwidth = self.bandwidth
            self._full_rounds = 0
            return
        self._full_rounds += 1
        self._pipe_filled = self._full_rounds >= FULL_PIPE_ROUNDS

    def _check_overflow(self) -> None:
        lost = self._round_lost
        self._pipe_filled = lost >= FULL_PIPE_LOST_PACKETS and lost > FULL_PIPE_LOSS * (
            lost + self._round_delivered
        )

    def _enter_probe_bandwidth(self, now: float) -> None:
        self.mode = Mode.PROBE_BW
        self._window_gain = WINDOW_GAIN
        self._cycle_at = now
        self._lost_in_cycle = False
        self._pacing_gain = CYCLE_GAINS[self._cycle]

    def _advance_cycle(self, prior_in_flight: int, now: float) -> None:
        over = now - self._cycle_at > self._min_rtt
        gain = self._pacing_gain
        if gain > 1.0:
            over = over and (self._lost_in_cycle or prior_in_flight >= self._target(gain))
        elif gain < 1.0:
            over = over or prior_in_flight <= self._target(1.0)
        if over:
            self._cycle = (self._cycle + 1) % len(CYCLE_GAINS)
            self._cycle_at = now
            self._lost_in_cycle = False
            self._pacing_gain = CYCLE_GAINS[self._cycle]

    def _take_rtt(self, rtt: float, round_starts: bool, in_flight: int, now: float) -> None:
        expired = now > self._min_rtt_at + PROBE_RTT_INTERVAL_SECONDS
        if rtt >= 0.0 and (rtt <= self._min_rtt or expired):
            if self._min_rtt == float("inf"):
                self.pacing_rate = HIGH_GAIN * self.window / max(rtt, 0.001)
                expired = False
            self._min_rtt = rtt
            self._min_rtt_at = now
        if self.mode is not Mode.PROBE_RTT:
            if expired and self._min_rtt != float("inf") and self._pipe_filled:
                self.mode = Mode.PROBE_RTT
                self._pacing_gain = self._window_gain = 1.0
                self._prior_window = max(self.window, self._prior_window)
                self._probe_rtt_done_at = 0.0
            return
        self.app_limited(in_flight)
        if self._probe_rtt_done_at == 0.0:
            if in_flight <= MIN_WINDOW_PACKETS:
                self._probe_rtt_done_at = now + PROBE_RTT_SECONDS
                self._probe_rtt_round_done = False
                self._round_ends = self.delivered
            return
        self._probe_rtt_round_done |= round_starts
        if self._probe_rtt_round_done and now >= self._probe_rtt_done_at:
            self._min_rtt_at = now
            self.window = max(self.window, self._prior_window)
            self._prior_window = self.window if self._recovering else 0
            self._enter_probe_bandwidth(now)

    # What follows from it -------------------------------------------------------------------------

    def _target(self, gain: float) -> float:
        if not self._bandwidths or self._min_rtt == float("inf"):
            return gain * INITIAL_WINDOW_PACKETS
        product = self._bandwidths[0][0] * max(self._min_rtt, LEAST_RTT_SECONDS)
        quantum = min(max(self.pacing_rate * 0.001, 2.0), MAX_QUANTUM_PACKETS)
        return gain * product + 3 * quantum

    def _set_pacing_rate(self) -> None:
        if not self._bandwidths:
            return
        rate = self._pacing_gain * self._bandwidths[0][0] * PACING_MARGIN
        if self._pipe_filled or rate > self.pacing_rate:
            self.pacing_rate = max(rate, 1.0)

    def _set_window(self, count: int, lost: int, in_flight: int) -> None:
        window = self.window
        if lost:
            window = max(window - lost, MIN_WINDOW_PACKETS)
        if self._conserving:
            window = max(window, in_flight + count)
        else:
            target = int(self._target(self._window_gain))
            if self._pipe_filled:
                window = min(window + count, target)
            elif window < target or self.delivered < INITIAL_WINDOW_PACKETS:
                window += count
        if self.mode is Mode.PROBE_RTT:
            window = min(window, MIN_WINDOW_PACKETS)
        self.window = min(max(window, MIN_WINDOW_PACKETS), MAX_UDX_FLIGHT_PACKETS)
