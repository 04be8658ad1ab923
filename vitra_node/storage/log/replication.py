"""``CoreReplication``: one log between its storage, its replicator and the sessions of peers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from protocol.hypercore.core import CoreChange
from protocol.hypercore.replication.events import Fault, ForkObserved, Send, Verified
from protocol.hypercore.replication.messages import DATA, data_has_block
from protocol.hypercore.replication.replicator import Replicator

from ...net.sessions.peer_sink import PeerSink
from ..errors import StorageError, WriterConflict
from .core_storage import CoreStorage
from .heads import LogHeads


class CoreReplication:
    """A ``ReplicatedCore`` for sessions; the log itself uses the rest.

    Whatever calls in, everything that follows is done before it returns: the replicator's events
    are carried out until there is none left.
    """

    def __init__(
        self,
        storage: CoreStorage,
        *,
        on_applied: Callable[[CoreChange], None],
        on_activity: Callable[[], None],
        on_refused: Callable[[], None],
        heads: LogHeads | None,
    ) -> None:
        """``on_applied`` hears of each change that was applied, ``on_activity`` of anything that
        peers did, ``on_refused`` of a change that could not be stored. ``heads`` are there for a
        log that may never be truncated."""
        self._storage = storage
        self._on_applied = on_applied
        self._on_activity = on_activity
        self._on_refused = on_refused
        self._heads = heads
        self._seen_version = 0
        if heads is not None:
            heads.on_change(self._heads_changed)
        # Made when it is first needed: most logs of a large store are never shared at a time.
        self._made: Replicator | None = None
        self._sinks: dict[int, PeerSink] = {}
        self._next_peer = 1
        self._fork_listeners: list[Callable[[ForkObserved], None]] = []
        self._carrying_out = False
        # Blocks that peers gave us, and that we sent to peers, since the log was opened.
        self.blocks_in = 0
        self.blocks_out = 0

    # For sessions: see net.peer_sink.ReplicatedCore ----------------------------------------------

    @property
    def key(self) -> bytes:
        return self._storage.key

    @property
    def discovery_key(self) -> bytes:
        return self._storage.discovery_key

    @property
    def heads(self) -> LogHeads | None:
        return self._heads

    def attach(self, sink: PeerSink, now: float) -> int:
        peer = self._next_peer
        self._next_peer += 1
        self._sinks[peer] = sink
        self._replicator.add_peer(peer, now)
        self._carry_out()
        return peer

    def detach(self, peer: int) -> None:
        self._sinks.pop(peer, None)
        self._replicator.remove_peer(peer, trio.current_time())
        self._carry_out()

    def receive_untrusted(self, peer: int, messages: Iterable[tuple[int, bytes]]) -> None:
        now = trio.current_time()
        for kind, payload in messages:
            self._replicator.receive_untrusted(peer, kind, payload, now)
        self._carry_out()

    def set_writable(self, peer: int, writable: bool) -> None:
        if peer not in self._sinks:
            return
        if writable:
            self._replicator.resume(peer, trio.current_time())
        else:
            self._replicator.pause(peer)
        self._carry_out()

    def next_timer(self) -> float | None:
        return None if self._made is None else self._made.next_timer()

    def handle_timer(self, now: float) -> None:
        self._replicator.handle_timer(now)
        self._carry_out()

    # For the log ---------------------------------------------------------------------------------

    @property
    def peer_count(self) -> int:
        """Peers with an open channel for this log."""
        return len(self._sinks)

    def is_known_elsewhere(self, length: int) -> bool:
        """Whether a connected peer knows at least so many blocks, and not from us."""
        return self._made is not None and self._made.is_known_elsewhere(length)

    @property
    def remote_length(self) -> int:
        """The greatest length of this fork that a connected peer claims to hold."""
        return 0 if self._made is None else self._made.remote_length

    @property
    def updating(self) -> bool:
        """Whether a peer may still bring a longer head that it has told us of."""
        return self._made is not None and self._made.updating

    def want(self, start: int, end: int | None) -> int:
        """Fetch blocks; see ``Replicator.want``. The number is for ``unwant``."""
        want = self._replicator.want(start, end, trio.current_time())
        self._carry_out()
        return want

    def unwant(self, want: int) -> None:
        """Stop fetching."""
        self._replicator.unwant(want, trio.current_time())
        self._carry_out()

    def core_changed(self) -> None:
        """Our own change is durable: tell the peers."""
        if self._made is not None:
            self._made.core_changed(trio.current_time())
            self._carry_out()

    def on_fork(self, listener: Callable[[ForkObserved], None]) -> Callable[[], None]:
        """Call back for every fork a peer shows; gives a function that stops it."""
        self._fork_listeners.append(listener)
        return lambda: self._fork_listeners.remove(listener)

    def watch_heads(self, heads: LogHeads) -> None:
        """The log may never be truncated from now on; closes the channels of all peers."""
        self.close()
        self._made, self._heads = None, heads
        heads.on_change(self._heads_changed)

    def close(self) -> None:
        """Close the channels of all peers."""
        sinks, self._sinks = self._sinks, {}
        for peer, sink in sinks.items():
            self._replicator.remove_peer(peer, trio.current_time())
            sink.close()

    @property
    def _replicator(self) -> Replicator:
        if self._made is None:
            heads = None if self._heads is None else self._heads.table
            self._made = Replicator(self._storage, allow_truncation=heads is None, heads=heads)
        return self._made

    def _carry_out(self) -> None:
        if self._carrying_out:
            # Called from a listener below; the loop there goes on with what this brought.
            return
        self._carrying_out = True
        try:
            while (event := self._replicator.next_event()) is not None:
                if isinstance(event, Send):
                    sink = self._sinks.get(event.peer)
                    if sink is not None:
                        self.blocks_out += event.kind == DATA and data_has_block(event.payload)
                        sink.send(event.kind, event.payload)
                elif isinstance(event, Verified):
                    self._apply(event)
                elif isinstance(event, Fault):
                    sink = self._sinks.pop(event.peer, None)
                    if sink is not None:
                        sink.fail(event.error)
                else:
                    self._fork_observed(event)
        finally:
            self._carrying_out = False
        self._on_activity()

    def _heads_changed(self) -> None:
        """A head came another way: peers of this log may have to show their trees."""
        assert self._heads is not None
        if self._made is not None and self._heads.table.version != self._seen_version:
            self._seen_version = self._heads.table.version
            self._carry_out()

    def _fork_observed(self, event: ForkObserved) -> None:
        if self._heads is not None:
            self._heads.table_changed()
        for listener in tuple(self._fork_listeners):
            listener(event)

    def _apply(self, event: Verified) -> None:
        try:
            self._storage.apply(event.change)
        except StorageError as error:
            if isinstance(error, WriterConflict) and not self._storage.can_sign:
                # The signers agreed on a head that is being written: the peer may just be faster.
                self._replicator.not_stored()
                return
            # The store takes nothing any more, or we are writing this log ourselves: what
            # peers send has no place to go, so the log is not replicated further.
            self.close()
            self._on_refused()
        else:
            self.blocks_in += len(event.change.blocks)
            self._on_applied(event.change)
