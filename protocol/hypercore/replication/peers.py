"""The peers of one log, and what the shell is to do about them."""

from __future__ import annotations

from collections import deque

from ...errors import RemoteProtocolError
from .events import Event, Fault, Send
from .peer import Peer


class Peers:
    """What the rooms of the replicator share.

    Attributes:
      by_id: the peers.
      events: what the shell is to do, oldest first.
      faulty: peers that were put out, for the rooms to forget.
      now: the time of the call that is being handled, seconds.
    """

    def __init__(self) -> None:
        self.by_id: dict[int, Peer] = {}
        self.events: deque[Event] = deque()
        self.faulty: list[Peer] = []
        self.now = 0.0

    def send(self, peer: Peer, kind: int, payload: bytes) -> None:
        """Tell the shell to send a message."""
        self.events.append(Send(peer.id, kind, payload))

    def fault(self, peer: Peer, error: RemoteProtocolError) -> None:
        """The peer broke the protocol: it is out."""
        if self.by_id.pop(peer.id, None) is not None:
            self.events.append(Fault(peer.id, error))
            self.faulty.append(peer)
