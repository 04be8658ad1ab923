"""The search for the largest datagram that the path carries, with full data packets made longer.

A probe is an ordinary packet with zero bytes between header and payload, so a lost probe costs
nothing but time: the packet goes out again without them. Wire facts: specs/12-udx.md, 12.6.
"""

from __future__ import annotations

# Sizes count the IP and UDP headers. Every path of IPv6, and about every one of IPv4, carries 1200.
BASE_MTU_BYTES = 1200
MAX_MTU_BYTES = 1500
PROBE_STEP_BYTES = 32
MAX_LOST_PROBES = 3


class MtuSearch:
    """One probe at a time; ends at the first size that three probes in a row did not get through.

    Attributes:
      mtu: bytes that packets may have.
    """

    __slots__ = ("_lost", "_searching", "_size_in_flight", "mtu")

    def __init__(self, *, enabled: bool = True) -> None:
        self.mtu = BASE_MTU_BYTES
        self._searching = enabled
        self._size_in_flight = 0
        self._lost = 0

    @property
    def wanted_padding(self) -> int:
        """Bytes to add to the next full packet; 0 when no probe is due."""
        if not self._searching or self._size_in_flight:
            return 0
        return min(PROBE_STEP_BYTES, MAX_MTU_BYTES - self.mtu)

    def probe_sent(self, padding: int) -> None:
        """A full packet left with this padding."""
        self._size_in_flight = self.mtu + padding

    def probe_acknowledged(self) -> None:
        """It arrived."""
        self.mtu = max(self.mtu, self._size_in_flight)
        self._size_in_flight = 0
        self._lost = 0
        if self.mtu >= MAX_MTU_BYTES:
            self._searching = False

    def probe_lost(self) -> None:
        """It did not, or not in time."""
        self._size_in_flight = 0
        self._lost += 1
        if self._lost >= MAX_LOST_PROBES:
            self._searching = False
