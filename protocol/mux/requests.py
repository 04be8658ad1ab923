"""Opens of the peer that wait for our answer.

Wire facts: specs/03-mux.md section 3.4; npm ``protomux``.
"""

from __future__ import annotations

from .channel import ChannelState, Step, next_state
from .events import ChannelRequested
from .frames import OpenMessage

# (protocol by its main name, id)
Name = tuple[str, bytes | None]


class Request:
    """An open of theirs that waits for our answer, with what they sent on it meanwhile."""

    __slots__ = ("backlog", "backlog_bytes", "name", "opening", "state")

    def __init__(self, name: Name, opening: OpenMessage) -> None:
        self.name = name
        self.opening = opening
        self.state = next_state(ChannelState.NEW, Step.REMOTE_OPEN)
        self.backlog: list[tuple[int, bytes]] = []
        self.backlog_bytes = 0


class Question:
    """A ``ChannelRequested`` without an answer; ``request`` is ``None`` once they withdrew it."""

    __slots__ = ("event", "request")

    def __init__(self, request: Request) -> None:
        self.event = ChannelRequested(*request.name)
        self.request: Request | None = request
