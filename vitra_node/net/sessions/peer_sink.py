"""The seam between replication sessions and the logs they carry.

A session (``session``) owns one connection and decides nothing; a log owns its replicator. They
meet in three protocols: the log gets a ``PeerSink`` for each channel, the session gets
``ReplicatedCore`` objects from a ``CoreSource``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from protocol.errors import RemoteProtocolError
from protocol.transparency.gossip.head_gossip import GossipedLog


class PeerSink(Protocol):
    """Where a log sends what is meant for one peer. Nothing here blocks or raises."""

    def send(self, kind: int, payload: bytes) -> None:
        """Queue one message on the channel."""

    def fail(self, error: RemoteProtocolError) -> None:
        """The peer broke the protocol: close the whole connection."""

    def close(self) -> None:
        """Close the channel only: the log is no longer served."""


class SharedHeads(GossipedLog, Protocol):
    """The heads seen of one log, for the gossip with peers that know it too."""

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call back when head, heads ahead or proof changed; gives a function to stop it."""


class ReplicatedCore(Protocol):
    """One log, as a session sees it. Calls are synchronous and do not raise."""

    @property
    def key(self) -> bytes:
        """The 32-byte key: proves to peers that we may have the log."""

    @property
    def discovery_key(self) -> bytes:
        """The 32-byte id of its channel."""

    @property
    def heads(self) -> SharedHeads | None:
        """Its heads, if it may never be truncated; None for a log whose writer is free to."""

    def attach(self, sink: PeerSink, now: float) -> int:
        """A channel is open on both sides; gives the number of the peer."""

    def detach(self, peer: int) -> None:
        """The channel closed; the sink is not used again."""

    def receive_untrusted(self, peer: int, messages: Iterable[tuple[int, bytes]]) -> None:
        """Messages came, as type numbers and payloads; all that follows is done on return."""

    def set_writable(self, peer: int, writable: bool) -> None:
        """Whether the connection takes more bytes; False holds back answers to its requests."""

    def next_timer(self) -> float | None:
        """When ``handle_timer`` wants to be called (``trio.current_time``), or None."""

    def handle_timer(self, now: float) -> None:
        """Time has passed. Several sessions may call this for the same deadline."""


class CoreSource(Protocol):
    """The store, as a session sees it."""

    def find(self, discovery_key: bytes) -> ReplicatedCore | None:
        """The log that peers may have under this id, opening it if need be; None: reject."""

    def active(self) -> Iterable[ReplicatedCore]:
        """The logs to offer to every peer."""

    def on_active(self, callback: Callable[[ReplicatedCore], None]) -> Callable[[], None]:
        """Call back for every log that becomes active later; gives a function that stops it."""
