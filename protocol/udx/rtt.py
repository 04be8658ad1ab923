"""Round-trip times, and the retransmission timeout that follows from them (RFC 6298)."""

from __future__ import annotations

# Before the first sample, and the bounds after; the figures of npm ``udx-native``.
INITIAL_RTO_SECONDS = 1.0
MIN_RTO_SECONDS = 1.0
MAX_RTO_SECONDS = 30.0
# The path may have changed: a minimum older than this counts no more (BBR, section 4.2.4).
MIN_RTT_WINDOW_SECONDS = 10.0


class RoundTripTime:
    """Smoothed time and its variation, in seconds.

    Attributes:
      smoothed: 0.0 before the first sample.
      variation: mean deviation.
      minimum: lowest of the last ``MIN_RTT_WINDOW_SECONDS``, or infinity; loss detection uses it.
      timeout: what the retransmission timer waits.
    """

    __slots__ = ("_minimum_at", "minimum", "smoothed", "timeout", "variation")

    def __init__(self) -> None:
        self.smoothed = 0.0
        self.variation = 0.0
        self.minimum = float("inf")
        self.timeout = INITIAL_RTO_SECONDS
        self._minimum_at = 0.0

    def add(self, sample: float, now: float) -> None:
        """Take the time from a packet that was sent once to its acknowledgement."""
        if sample <= self.minimum or now - self._minimum_at > MIN_RTT_WINDOW_SECONDS:
            self.minimum = sample
            self._minimum_at = now
        if self.smoothed == 0.0:
            self.smoothed = sample
            self.variation = sample / 2
        else:
            self.variation += (abs(self.smoothed - sample) - self.variation) / 4
            self.smoothed += (sample - self.smoothed) / 8
        timeout = self.smoothed + 4 * self.variation
        self.timeout = min(max(timeout, MIN_RTO_SECONDS), MAX_RTO_SECONDS)
