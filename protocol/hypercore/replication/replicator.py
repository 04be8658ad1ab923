"""Replication of one log with many peers, without I/O.

The map::

    messages      bytes <-> values                     capability    who may open a channel
    peer          what one peer said and was asked     bitfield      the blocks it announced
    outstanding   our requests to it                   request_window  how many at once
    peers         all peers, and the events to give    events        what the shell is told
    scheduler     which block from whom                asking        requests to peers
    answers       what came, verified                  stalls        slow and silent peers
    uploader      announces, answers requests          request_budget  how many it answers
    block_proof   the fast lane of all this
    fork_watch    other histories, reported            reorg_download  other histories, followed

Messages wait until the shell asks for the next event; then they go one by one to the room they
concern, and afterwards whatever they made possible for others happens (a block to ask for, a length
to tell). What was verified on the way is handed out in as few changes as possible; the change of
the last ``Verified`` event must show in the log when the next event is asked for.
"""

from __future__ import annotations

from collections import deque

from ...errors import RemoteProtocolError
from ..core import CoreChange, CoreReader
from ..heads.heads_table import Heads
from ..merkle.block_proof import BLOCK_ONLY
from .answers import Answers
from .asking import Asking
from .events import Event, Verified
from .fork_watch import ForkWatch
from .messages import (
    BITFIELD,
    CANCEL,
    DATA,
    EXTENSION,
    NO_DATA,
    RANGE,
    REQUEST,
    SYNC,
    UNWANT,
    WANT,
    decode_bitfield_untrusted,
    decode_cancel_untrusted,
    decode_extension_untrusted,
    decode_no_data_untrusted,
    decode_range_untrusted,
    decode_request_untrusted,
    decode_sync_untrusted,
    decode_unwant_untrusted,
    decode_want_untrusted,
)
from .peer import Cause, Peer
from .peers import Peers
from .reorg_download import ReorgDownload
from .stalls import Stalls
from .uploader import Uploader


class Replicator:
    """Downloads and uploads one log.

    Whatever ``core`` shows may be sent to peers at once, so a writer's own appends must show only
    when their head is durable. Verified changes must show as soon as they were handed out.

    After every call the shell takes events until there are none. Times are seconds, from any clock
    that does not go back.
    """

    def __init__(
        self, core: CoreReader, *, allow_truncation: bool = True, heads: Heads | None = None
    ) -> None:
        """``allow_truncation`` false: a fork is reported (``ForkObserved``), never followed.

        ``heads`` are those seen so far. Once they show that the writer broke its promise, the log
        grows no more; what was stored before is served, and fetched, as ever.
        """
        self._core = core
        self._allow_truncation = allow_truncation
        heads = heads or Heads(core, may_truncate=allow_truncation)
        self._peers = Peers()
        self._forks = ForkWatch(core, self._peers, heads)
        self._reorgs = ReorgDownload(core, self._peers)
        self._asking = Asking(core, self._peers, heads)
        self._answers = Answers(core, self._peers, self._asking, self._forks)
        self._stalls = Stalls(self._peers, self._asking)
        self._uploader = Uploader(core, self._peers)
        self._head = core.head
        self._manifest = core.manifest
        self._contiguous = core.contiguous_length
        self._applying: CoreChange | None = None
        self._inbox: deque[tuple[Peer, int, bytes]] = deque()

    # peers ----------------------------------------------------------------------------------------

    def add_peer(self, peer: int, now: float) -> None:
        """A channel for this log is open on both sides, and its capability was checked."""
        self._enter(now)
        added = self._peers.by_id[peer] = Peer(peer, self._core.head.length, now)
        self._uploader.greet(added)

    def remove_peer(self, peer: int, now: float) -> None:
        """The channel closed. Unknown numbers are ignored, as after a ``Fault``."""
        self._enter(now)
        gone = self._peers.by_id.pop(peer, None)
        if gone is not None:
            self._stalls.left(gone)

    def pause(self, peer: int) -> None:
        """Too much waits to be sent to this peer: answer no more of its requests for now."""
        if peer in self._peers.by_id:
            self._peers.by_id[peer].paused = True

    def resume(self, peer: int, now: float) -> None:
        """The peer has caught up."""
        self._enter(now)
        resumed = self._peers.by_id.get(peer)
        if resumed is not None and resumed.paused:
            resumed.paused = False
            self._uploader.resume(resumed)

    # messages -------------------------------------------------------------------------------------

    def receive_untrusted(self, peer: int, kind: int, payload: bytes, now: float) -> None:
        """Take a message of a peer. Faults come as events; unknown peers are ignored.

        Several messages may be handed in before events are taken, which is cheaper.
        """
        self._enter(now)
        sender = self._peers.by_id.get(peer)
        if sender is not None:
            self._inbox.append((sender, kind, payload))

    def _read_inbox(self) -> None:
        """Handle messages until one of them needs what is gathered to be stored first."""
        inbox, peers = self._inbox, self._peers
        while inbox and not peers.events:
            peer, kind, payload = inbox[0]
            may_gather = kind == REQUEST or (kind == DATA and payload[:1] == BLOCK_ONLY)
            if not may_gather and self._answers.hand_out():
                return
            del inbox[0]
            if peer.id not in peers.by_id:
                continue
            try:
                self._dispatch_untrusted(peer, kind, payload)
            except RemoteProtocolError as error:
                peers.fault(peer, error)
                self._forget_faulty()
        self._answers.hand_out()

    def _dispatch_untrusted(self, peer: Peer, kind: int, payload: bytes) -> None:
        if kind == DATA:
            self._answers.take_data_untrusted(peer, payload)
        elif kind == REQUEST:
            self._uploader.enqueue(peer, decode_request_untrusted(payload))
        elif kind == SYNC:
            self._take_sync_untrusted(peer, payload)
        elif kind == NO_DATA:
            self._answers.take_no_data(peer, decode_no_data_untrusted(payload))
        elif kind == CANCEL:
            self._uploader.cancel(peer, decode_cancel_untrusted(payload).request)
        elif kind == WANT:
            self._uploader.take_want(peer, decode_want_untrusted(payload))
        elif kind == BITFIELD:
            message = decode_bitfield_untrusted(payload)
            if message.start % 32 == 0:
                peer.blocks.set_bitfield(message.start, message.bits)
                self._announced(peer)
        elif kind == RANGE:
            span = decode_range_untrusted(payload)
            if span.drop:
                peer.blocks.drop_range(span.start, span.length)
            else:
                peer.blocks.set_range(span.start, span.length)
                self._announced(peer)
        elif kind == UNWANT:
            # It takes back what we do not keep.
            decode_unwant_untrusted(payload)
        elif kind == EXTENSION:
            # None is known here, but the bounds hold for all.
            decode_extension_untrusted(payload)

    def _announced(self, peer: Peer) -> None:
        peer.news += 1
        self._asking.stir(peer)

    def _take_sync_untrusted(self, peer: Peer, payload: bytes) -> None:
        sync = decode_sync_untrusted(payload)
        fork = self._core.head.fork
        before, peer.said = peer.said, sync
        peer.came_with = peer.came_with or sync
        peer.heard_at = self._peers.now
        peer.refusals = 0
        peer.news += 1
        peer.move(Cause.SAME_FORK if sync.fork == fork else Cause.OTHER_FORK)
        if sync.fork > fork:
            follow = self._reorgs if self._allow_truncation else self._forks
            follow.claim_heard(peer)
        else:
            self._forks.compare_if_shorter(peer, before)
        self._uploader.tell_if_behind(peer)
        self._asking.stir(peer)

    def _forget_faulty(self) -> None:
        while self._peers.faulty:
            self._stalls.left(self._peers.faulty.pop())

    # the log --------------------------------------------------------------------------------------

    def want(self, start: int, end: int | None, now: float) -> int:
        """Fetch the blocks from ``start`` to before ``end``; None: up to the end for ever.

        Gives a number for ``unwant``. Blocks past the end of the log are waited for. A want
        stays until it is taken back, but costs nothing once its blocks are stored.
        """
        self._enter(now)
        number = self._asking.scheduler.want(start, end)
        self._asking.wants_changed()
        return number

    def unwant(self, want: int, now: float) -> None:
        """Stop fetching; requests that nothing else needs are cancelled."""
        self._enter(now)
        self._asking.unwant(want)

    def core_changed(self, now: float) -> None:
        """The log changed by another way than a ``Verified``: appended, truncated, filled."""
        self._enter(now)
        if self._asking.no_heads:
            self._asking.no_heads = False
            self._asking.scheduler.version += 1
        before, fork = self._contiguous, self._head.fork
        self._notice_change(self._core.head.length)
        if self._contiguous > before:
            self._uploader.blocks_stored(before, self._contiguous)
            self._uploader.announce_if_due()
        elif self._contiguous < before and fork == self._head.fork:
            self._uploader.blocks_cleared(self._contiguous, before)
            self._asking.scheduler.rewind(self._contiguous)

    def not_stored(self) -> None:
        """Instead of storing the change of the last ``Verified``: what is written here comes first.

        Heads are asked for again after ``core_changed``, what else it brought at once.
        """
        change, self._applying = self._applying, None
        assert change is not None
        self._asking.no_heads = True
        for index, _ in change.blocks:
            self._asking.scheduler.returned(index)

    def _notice_change(self, truncated_to: int) -> None:
        """Compare the log with what it was, and tell everybody what is new."""
        core, old = self._core, self._head
        head = core.head
        self._contiguous = core.contiguous_length
        is_cut = head.fork != old.fork or head.length < old.length
        if not is_cut and head.length == old.length and core.manifest is self._manifest:
            return
        self._head, self._manifest = head, core.manifest
        if is_cut:
            kept = min(truncated_to, old.length)
            self._uploader.truncated(old.length, kept)
            self._asking.fork_changed(kept)
            if self._allow_truncation:
                self._reorgs.ask_next()
        elif head.length != old.length:
            self._asking.length_changed()
        self._uploader.head_changed()

    def _enter(self, now: float) -> None:
        self._peers.now = now
        if self._applying is not None:
            self._settle(self._applying)

    def _settle(self, change: CoreChange) -> None:
        """The shell has stored what the last ``Verified`` event gave it."""
        self._applying = None
        self._answers.applied(change)
        for index, _ in change.blocks:
            self._uploader.blocks_stored(index, index + 1)
        length = self._core.head.length
        self._notice_change(length if change.truncated_to is None else change.truncated_to)
        self._uploader.announce_if_due()

    # events ---------------------------------------------------------------------------------------

    def is_known_elsewhere(self, length: int) -> bool:
        """Whether a connected peer knows at least so many blocks of our fork, and not from us."""
        fork = self._core.head.fork
        return (
            any(
                (sync := peer.came_with) is not None and sync.fork == fork and sync.length >= length
                for peer in self._peers.by_id.values()
            )
            or self.remote_length > length
        )

    @property
    def remote_length(self) -> int:
        """The greatest length of our fork that a connected peer says it has verified."""
        fork = self._core.head.fork
        said = (peer.said for peer in self._peers.by_id.values())
        return max((sync.length for sync in said if sync and sync.fork == fork), default=0)

    @property
    def updating(self) -> bool:
        """Whether a connected peer may still bring a longer head that it has told us of.

        Peers that keep silent count for ``PATIENCE_SECONDS``; a timer marks the end of that.
        """
        return self._asking.upgrade_is_pending

    def next_event(self) -> Event | None:
        """The next thing for the shell to do; None when there is nothing for now."""
        events = self._peers.events
        if self._applying is not None:
            self._settle(self._applying)
        if not events:
            self._find_work()
            if not events:
                return None
        event = events.popleft()
        if type(event) is Verified:
            self._applying = event.change
        return event

    def _find_work(self) -> None:
        """Do the next thing that gives events, the most urgent first."""
        events = self._peers.events
        self._answers.verify_ready()
        self._read_inbox()
        if not events:
            self._asking.refill()
        if not events:
            self._forks.ask_holders()
        if not events:
            self._uploader.answer_next()
        self._forget_faulty()

    def next_timer(self) -> float | None:
        """When ``handle_timer`` should be called at the latest; None for never."""
        uploader = self._uploader
        times = (self._stalls.next_timer(), uploader.announce_at, uploader.answer_at)
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Time has passed."""
        self._enter(now)
        self._stalls.handle_timer()
        self._uploader.announce_if_due()
        self._forget_faulty()
