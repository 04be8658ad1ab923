"""Who was seen to receive what is sent to it, and who has to show that first.

A datagram's source address can be forged, and answers are longer than questions; so nobody gets a
longer answer than the question before it answered one of ours. A question from a host not known
yet is put aside and the host is pinged, with no more bytes than came; the pong releases it. JS
nodes answer pings on every socket, and notice nothing but the extra round trip.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from ...limits import (
    MAX_HELD_HOSTS,
    MAX_HELD_REQUESTS_PER_HOST,
    MAX_PROVEN_HOSTS,
    PROVEN_HOST_SECONDS,
    RETURN_PATH_CHECK_SECONDS,
)
from ..addresses import Address
from .messages import Request


class Held(NamedTuple):
    """A question put aside.

    Attributes:
      request: the question.
      size: its bytes as it came.
      source: who seems to ask.
      socket: where it came in.
    """

    request: Request
    size: int
    source: Address
    socket: int


class _Check:
    def __init__(self, now: float) -> None:
        self.expires_at = now + RETURN_PATH_CHECK_SECONDS
        self.held: list[Held] = []


class ReturnPaths:
    """Proven hosts, and questions of unproven ones."""

    def __init__(self) -> None:
        self._proven: OrderedDict[str, float] = OrderedDict()
        self._checks: OrderedDict[str, _Check] = OrderedDict()

    def is_proven(self, host: str, now: float) -> bool:
        """Whether the host answered lately."""
        return self._proven.get(host, now) > now

    def hold(self, held: Held, now: float) -> bool:
        """Put a question aside; true when the host should be pinged now."""
        host = held.source.host
        self._expire(now)
        check = self._checks.get(host)
        fresh = check is None
        if check is None:
            if len(self._checks) >= MAX_HELD_HOSTS:
                return False
            check = self._checks[host] = _Check(now)
        if len(check.held) < MAX_HELD_REQUESTS_PER_HOST:
            check.held.append(held)
        return fresh

    def prove(self, host: str, now: float) -> list[Held]:
        """The host answered; gives its questions."""
        self._proven[host] = now + PROVEN_HOST_SECONDS
        self._proven.move_to_end(host)
        if len(self._proven) > MAX_PROVEN_HOSTS:
            self._proven.popitem(last=False)
        check = self._checks.pop(host, None)
        return check.held if check is not None and check.expires_at > now else []

    def _expire(self, now: float) -> None:
        while self._checks:
            host, check = next(iter(self._checks.items()))
            if check.expires_at > now:
                return
            del self._checks[host]
