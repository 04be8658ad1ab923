"""What happens to datagrams on their way."""

from __future__ import annotations

from dataclasses import dataclass

# What IP and UDP add to a datagram.
HEADER_BYTES = 28


@dataclass(frozen=True, slots=True)
class Conditions:
    """The state of the network between hosts. Times are in seconds and for one direction.

    Attributes:
      nearest, farthest: how long a datagram is under way between neighbours, and across the world.
        Hosts lie in a square; distance decides.
      jitter: further time, up to so much, drawn for each datagram.
      loss, duplication: probabilities for each datagram.
      reordering: probability that a datagram is held back for ``held_back`` seconds.
      largest: IP packets with more bytes are dropped.
      bytes_per_second: of a host's link, in each direction; None for any.
      queue_bytes: what waits in front of such a link; the rest is dropped.
    """

    nearest: float = 0.005
    farthest: float = 0.12
    jitter: float = 0.005
    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    held_back: float = 0.05
    largest: int = 1500
    bytes_per_second: float | None = None
    queue_bytes: int = 256 * 1024
