"""Greeting a peer at another address than the one a stream is connected to."""

from __future__ import annotations

# A greeting is repeated after this long: a round trip to the other side of the world, and a bit.
GREETING_SECONDS = 0.4
# For ten seconds, in which a hole that was punched stays open.
MAX_WAY_GREETINGS = 25


class OtherWay:
    """Greetings on one other way, each repeated until there were enough of them.

    Attributes:
      remote_id, address: of the peer on this way.
      next_at: when the next greeting is due.
    """

    __slots__ = ("_greetings", "address", "next_at", "remote_id")

    def __init__(self, remote_id: int, address: object, now: float) -> None:
        self.remote_id = remote_id
        self.address = address
        self.next_at = now
        self._greetings = 0

    @property
    def exhausted(self) -> bool:
        """Whether the last greeting has left."""
        return self._greetings >= MAX_WAY_GREETINGS

    def greets(self, now: float) -> bool:
        """Whether a greeting leaves now; it is counted."""
        if now < self.next_at:
            return False
        self._greetings += 1
        self.next_at = now + GREETING_SECONDS
        return True
