"""A token bucket that spreads packets over time at the rate of the congestion controller."""

from __future__ import annotations

# Timers and busy programs wake this late; a bucket that holds less would lose rate.
BURST_SECONDS = 0.005
# The initial window may leave at once.
MIN_BURST_PACKETS = 10.0
# What a packet takes at least; below 1, for after waiting until ``ready_at`` the sum may miss it
# by a rounding error.
ONE_PACKET = 0.999


class Pacer:
    """Tokens are packets.

    Attributes:
      tokens: packets that may leave now; the sender subtracts what it sends.
    """

    __slots__ = ("_filled_at", "_rate", "tokens")

    def __init__(self) -> None:
        self.tokens = MIN_BURST_PACKETS
        self._filled_at = 0.0
        self._rate = 1.0

    def fill(self, rate: float, now: float) -> None:
        """Add what ``rate`` (packets a second) gave since the last call."""
        burst = rate * BURST_SECONDS
        burst = max(burst, MIN_BURST_PACKETS)
        tokens = self.tokens + rate * (now - self._filled_at)
        self.tokens = min(tokens, burst)
        self._filled_at = now
        self._rate = rate

    def ready_at(self) -> float:
        """When there will be a token; after a ``fill`` that left none."""
        return self._filled_at + (1.0 - self.tokens) / self._rate
