"""Replication of one log with many peers, without I/O."""

from __future__ import annotations

from .core import CoreReader
from .events import Event


class Replicator:
    """Downloads and uploads one log.

    Whatever ``core`` shows may be sent to peers at once, so a writer's own appends must show only
    when their head is durable. Verified changes must show as soon as they were handed out.

    ``now`` is a time in seconds from any clock that does not go back.
    """

    def __init__(self, core: CoreReader, *, allow_truncation: bool = True) -> None:
        """``allow_truncation`` false: a fork is reported (``ForkObserved``), never followed."""
        raise NotImplementedError

    def add_peer(self, peer: int, now: float) -> None:
        """A channel for this log is open on both sides, and its capability was checked."""
        raise NotImplementedError

    def remove_peer(self, peer: int, now: float) -> None:
        """The channel closed. Unknown numbers are ignored, as after a ``Fault``."""
        raise NotImplementedError

    def receive_untrusted(self, peer: int, kind: int, payload: bytes, now: float) -> None:
        """Take a message of a peer. Never raises: faults come as events."""
        raise NotImplementedError

    def want(self, start: int, end: int | None, now: float) -> int:
        """Fetch the blocks from ``start`` to before ``end``; None: up to the end for ever.

        Gives a number for ``unwant``. Blocks past the end of the log are waited for. A want
        stays until it is taken back, but costs nothing once its blocks are stored.
        """
        raise NotImplementedError

    def unwant(self, want: int, now: float) -> None:
        """Stop fetching; requests that nothing else needs are cancelled."""
        raise NotImplementedError

    def core_changed(self, now: float) -> None:
        """The log changed by another way than a ``Verified``: appended, truncated, filled."""
        raise NotImplementedError

    def pause(self, peer: int) -> None:
        """Too much waits to be sent to this peer: answer no more of its requests for now."""
        raise NotImplementedError

    def resume(self, peer: int, now: float) -> None:
        """The peer has caught up."""
        raise NotImplementedError

    @property
    def updating(self) -> bool:
        """Whether a connected peer may still bring a longer head that it has told us of."""
        raise NotImplementedError

    def next_event(self) -> Event | None:
        """The next thing for the shell to do; None when there is nothing for now."""
        raise NotImplementedError

    def next_timer(self) -> float | None:
        """When ``handle_timer`` should be called at the latest; None for never."""
        raise NotImplementedError

    def handle_timer(self, now: float) -> None:
        """Time has passed."""
        raise NotImplementedError
