"""What a swarm knows of one peer, and how eagerly it is called.

    attempts    0        1            2       3      more
    priority    NORMAL   VERY_HIGH    HIGH    LOW    not called until it is found again

A peer that was just lost comes back soonest, so it goes first. A connection that held for a while
makes the next attempt the first one.

Rules: wire description of hyperswarm, specs/15-swarm.md section 4.
"""

from __future__ import annotations

from enum import IntEnum

from ..dht.addresses import Address

# A connection that lived this long was a good one: the attempts before it are forgotten.
GOOD_CONNECTION_SECONDS = 15.0
MAX_ATTEMPTS = 3


class Priority(IntEnum):
    """Who is called first; the greatest number."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    VERY_HIGH = 4


_BY_ATTEMPTS = (Priority.NORMAL, Priority.VERY_HIGH, Priority.HIGH, Priority.LOW)


class PeerInfo:
    """One peer. Programs read it; only the rules change it.

    Attributes:
      public_key: 32 bytes.
      relay_addresses: nodes that introduce us, as its newest record says.
      topics: under which it was found, oldest first; empty when only it found us.
      explicit: whether it was asked for by key (``join_peer``).
      banned: whether it is never to be connected with.
      proven: whether a connection with it has ever stood.
      attempts: calls that came to nothing, or to a connection that ended soon.
      failure: why the last attempt or connection ended, in words; empty when it did not.
      queued: whether it waits to be called.
      retry_at: when it will wait to be called again, or None.
      opened_at: since when it is connected, or None.
    """

    __slots__ = (
        "attempts",
        "banned",
        "explicit",
        "failure",
        "opened_at",
        "priority",
        "proven",
        "public_key",
        "queued",
        "relay_addresses",
        "retry_at",
        "topics",
    )

    def __init__(self, public_key: bytes) -> None:
        self.public_key = public_key
        self.relay_addresses: tuple[Address, ...] = ()
        self.topics: dict[bytes, None] = {}
        self.explicit = False
        self.banned = False
        self.proven = False
        self.attempts = 0
        self.priority = Priority.NORMAL
        self.failure = ""
        self.queued = False
        self.retry_at: float | None = None
        self.opened_at: float | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing but memory would be lost by forgetting it (and nobody is connected)."""
        return not (self.banned or self.queued or self.explicit or self.retry_at is not None)

    def found(self) -> None:
        """A lookup names it: whoever was given up gets another chance."""
        if self.attempts >= MAX_ATTEMPTS:
            self.proven = False
            self.attempts = 0

    def may_be_called(self) -> bool:
        """Set the priority of the next call; False when there is to be none for now."""
        if self.explicit and self.attempts > MAX_ATTEMPTS:
            self.attempts = MAX_ATTEMPTS
        if self.banned or self.queued or self.attempts > MAX_ATTEMPTS:
            return False
        self.priority = _BY_ATTEMPTS[self.attempts]
        return True

    def connected(self, now: float) -> None:
        """A connection with it stands."""
        self.proven = True
        self.opened_at = now
        self.failure = ""

    def ended(self, now: float, failure: str) -> None:
        """The connection, or the attempt at one, is over."""
        if self.opened_at is not None and now - self.opened_at >= GOOD_CONNECTION_SECONDS:
            self.attempts = 0
        self.opened_at = None
        self.attempts += 1
        self.failure = failure
