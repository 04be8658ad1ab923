"""The downloading side of replication: asks peers for what we lack, and checks what they send.

One upgrade is in flight for the whole log, many blocks for each peer. A verified answer leaves as
a ``Verified`` event; ``applied`` is called when the shell has stored it. Whatever ends a request
in another way goes through ``_lost``, so that every block returns to the scheduler.
"""

from __future__ import annotations

from collections import deque

from ..errors import ProofError, ReplicationError, StaleProofError
from .core import CoreChange, CoreReader
from .events import Verified
from .fork_watch import ForkWatch
from .messages import (
    CANCEL,
    INVALID_REQUEST,
    REQUEST,
    WANT,
    Cancel,
    NoData,
    Want,
    decode_data_untrusted,
    encode_block_request,
    encode_cancel,
    encode_request,
    encode_want,
)
from .outstanding import Outstanding
from .peer import Cause, Peer, Standing
from .peers import Peers
from .proof import BlockRequest, Data, Request, UpgradeRequest
from .scheduler import BlockScheduler
from .verifier import verify_proof_untrusted

# A peer that answered nothing for this long, while asked, makes way for others.
STALL_SECONDS = 5.0
# A stalled peer gets another chance after this time.
PROBATION_SECONDS = 30.0
# A peer with nothing of its own to do takes over requests of others that are this late.
_LATE_SECONDS = 0.5
_LATE_ROUND_TRIPS = 4
_MAX_TAKEN_OVER = 16
# Peers that refuse this many requests in a row are not asked again until their next ``sync``; JS
# stops at the same figure.
_MAX_REFUSALS = 32
# Requests leave in groups of this size, not one by one, while enough others are in flight.
_REFILL_BLOCKS = 16
# Blocks per ``want``: the largest that JS takes, which is also the one it remembers best.
WANT_BLOCKS = 2**21
_MAX_WANTS_AT_ONCE = 4


class Downloader:
    """Fetches one log from all peers."""

    def __init__(self, core: CoreReader, peers: Peers, forks: ForkWatch) -> None:
        self._core = core
        self._peers = peers
        self._forks = forks
        self._stirred: dict[int, None] = {}
        self._holders: dict[int, Peer] = {}
        self._ready: deque[tuple[Peer, Outstanding, Data]] = deque()
        self._upgrading: tuple[Peer, Outstanding] | None = None
        self._seen_version = 0
        self.scheduler = BlockScheduler(core)

    # answers --------------------------------------------------------------------------------------

    def take_data_untrusted(self, peer: Peer, payload: bytes) -> None:
        """Take a ``data`` message.

        Raises:
          DecodeError, ReplicationError: malformed, or not what was asked for.
        """
        data = decode_data_untrusted(payload)
        outstanding = self._close(peer, data.request, len(payload))
        if outstanding is None:
            return
        if not outstanding.fits(data):
            raise ReplicationError("an answer holds what was not asked for")
        if outstanding.asker is not None:
            outstanding.asker.answered_untrusted(peer, outstanding, data)
            return
        if data.fork != outstanding.fork or data.fork != self._core.head.fork:
            self._lost(peer, outstanding)
            return
        if (outstanding.block >= 0 and data.block is None) or (
            outstanding.upgrade is not None and data.upgrade is None
        ):
            self._refused(peer, outstanding, None)
            return
        if outstanding.leans and self._core.node(outstanding.top) is None:
            # With nothing in flight, what is expected can only be a mistake of ours.
            if peer.requests.in_flight and peer.requests.expects(outstanding.top):
                peer.requests.hold(outstanding, data)
                self._holders[peer.id] = peer
            else:
                self._lost(peer, outstanding)
            return
        self._verify(peer, outstanding, data)

    def take_no_data(self, peer: Peer, message: NoData) -> None:
        """Take a ``noData`` message; raises ``ReplicationError`` for one that answers nothing."""
        outstanding = self._close(peer, message.request, 0)
        if outstanding is None:
            return
        if outstanding.asker is not None:
            outstanding.asker.unanswered(peer, outstanding)
            return
        self._refused(peer, outstanding, message.reason)

    def _close(self, peer: Peer, id_: int, size: int) -> Outstanding | None:
        """The request that an answer belongs to; None if the answer is to be ignored."""
        outstanding = peer.requests.close(id_)
        if outstanding is None:
            # Id 0 is a push, which we never allow; JS ignores those too.
            if id_ and not peer.requests.was_cancelled(id_):
                raise ReplicationError("an answer to a request that was never made")
            if id_:
                self._heard(peer)
            return None
        self._heard(peer)
        peer.requests.window.answered(outstanding.sent_at, self._peers.now, size)
        return outstanding

    def _heard(self, peer: Peer) -> None:
        peer.answered_at = self._peers.now
        if peer.standing is Standing.STALLED:
            peer.move(Cause.ANSWER)
        self._stirred[peer.id] = None

    def _verify(self, peer: Peer, outstanding: Outstanding, data: Data) -> None:
        try:
            change = verify_proof_untrusted(self._core, data)
        except StaleProofError:
            self._lost(peer, outstanding)
            return
        except ProofError as error:
            self._lost(peer, outstanding)
            self._give_up(peer)
            self._forks.accuse(peer, error)
            return
        peer.refusals = 0
        if outstanding.upgrade is not None:
            self._upgrading = None
        self._peers.events.append(Verified(peer.id, change))

    def applied(self, change: CoreChange) -> None:
        """The shell has stored a verified change."""
        for index, _ in change.blocks:
            self.scheduler.arrived(index)
        if change.head is not None:
            self.length_changed()
        for peer in list(self._holders.values()):
            requests = peer.requests
            for held in requests.take_ready(self._core):
                self._ready.append((peer, *held))
            if requests.held and not requests.in_flight and not self._ready:
                self._return_orphans(peer)
            if not peer.requests.held:
                del self._holders[peer.id]

    def verify_ready(self) -> bool:
        """Verify one answer that was held; False when there is none."""
        while self._ready:
            peer, outstanding, data = self._ready.popleft()
            if outstanding.fork != self._core.head.fork:
                self._lost(peer, outstanding)
            elif peer.id in self._peers.by_id and peer.standing is not Standing.ACCUSED:
                self._verify(peer, outstanding, data)
                return True
        return False

    def _refused(self, peer: Peer, outstanding: Outstanding, reason: int | None) -> None:
        """The peer has not got, or does not give, what it announced."""
        said = peer.said
        self._lost(peer, outstanding)
        if said is None or said.fork != outstanding.fork:
            return
        peer.refusals += 1
        if outstanding.block >= 0:
            peer.blocks.drop_range(outstanding.block, 1)
        if outstanding.upgrade is not None or reason == INVALID_REQUEST:
            peer.refused = said

    def _lost(self, peer: Peer, outstanding: Outstanding) -> None:
        """A request ended without a verified answer: others may get it."""
        if outstanding.block >= 0:
            self.scheduler.returned(outstanding.block)
        if outstanding.upgrade is not None:
            self._upgrading = None
            self.scheduler.version += 1
        if outstanding.nodes:
            self._return_orphans(peer)

    def _return_orphans(self, peer: Peer) -> None:
        peer.requests.lost()
        for held in peer.requests.take_orphans(self._core):
            self.scheduler.returned(held.outstanding.block)

    # peers ----------------------------------------------------------------------------------------

    def stir(self, peer: Peer) -> None:
        """Something changed for this peer: see what to ask it for, before the next event."""
        self._stirred[peer.id] = None

    def left(self, peer: Peer) -> None:
        """The peer is gone: what it was asked for is for others."""
        self._give_up(peer)
        if not any(other.is_source for other in self._peers.by_id.values()):
            for other in self._peers.by_id.values():
                if other.standing is Standing.STALLED:
                    other.move(Cause.PROBATION)

    def _give_up(self, peer: Peer) -> None:
        self._holders.pop(peer.id, None)
        for outstanding in peer.requests.clear():
            if outstanding.block >= 0:
                self.scheduler.returned(outstanding.block)
            if outstanding.asker is not None:
                outstanding.asker.unanswered(peer, outstanding)
        if self._upgrading is not None and self._upgrading[0] is peer:
            self._upgrading = None
        peer.picked = []
        self.scheduler.release(peer.id)
        self.scheduler.version += 1

    def length_changed(self) -> None:
        """Our tree grew, or was cut."""
        length = self._core.head.length
        self.scheduler.version += 1
        for peer in self._peers.by_id.values():
            if peer.blocks.clipped:
                peer.blocks.clipped = False
                peer.wanted.clear()
            peer.blocks.set_length(length)

    def fork_changed(self, length: int) -> None:
        """Our tree was cut to ``length`` blocks: no answer in flight can be used."""
        for peer in self._peers.by_id.values():
            self._give_up(peer)
            if peer.said is not None:
                same = peer.said.fork == self._core.head.fork
                peer.move(Cause.SAME_FORK if same else Cause.OTHER_FORK)
        self.scheduler.rewind(length)
        self.length_changed()

    def unwant(self, number: int) -> None:
        """Take a want back, and cancel what is in flight for it alone."""
        idle = set(self.scheduler.unwant(number))
        for peer in self._peers.by_id.values():
            peer.picked = []
            if idle:
                for outstanding in list(peer.requests.in_flight.values()):
                    if outstanding.block in idle and outstanding.upgrade is None:
                        self._cancel(peer, outstanding)
                self._stirred[peer.id] = None

    def wants_changed(self) -> None:
        """A want was added: everybody picks anew, so that it comes before what is less urgent."""
        for peer in self._peers.by_id.values():
            peer.picked = []

    @property
    def upgrade_is_pending(self) -> bool:
        """Whether some peer may still bring a longer head it has told us of."""
        head = self._core.head
        return self._upgrading is not None or any(
            peer.standing is Standing.SILENT
            or (
                peer.is_source
                and peer.said is not None
                and peer.said.length > head.length
                and peer.refused != peer.said
                and (peer.said.can_upgrade or peer.said.remote_length != head.length)
            )
            for peer in self._peers.by_id.values()
        )

    # asking ---------------------------------------------------------------------------------------

    def refill(self) -> None:
        """Ask every peer for which something changed."""
        peers = self._peers.by_id
        if self._seen_version != self.scheduler.version:
            self._seen_version = self.scheduler.version
            stirred = list(peers)
        else:
            stirred = list(self._stirred)
        self._stirred.clear()
        for id_ in stirred:
            if id_ in peers:
                self._refill(peers[id_])

    def _refill(self, peer: Peer) -> None:
        if not peer.is_source or peer.refusals >= _MAX_REFUSALS:
            return
        assert peer.said is not None
        if self._upgrading is None:
            self._ask_for_head(peer)
        limit = peer.requests.window.limit
        room = limit - peer.requests.blocks
        if room < min(_REFILL_BLOCKS, limit // 2) and not self.scheduler.urgent:
            return
        while room > 0:
            index = self._next_block(peer)
            if index is None:
                return
            self._ask_for_block(peer, index)
            room -= 1

    def _ask_for_head(self, peer: Peer) -> None:
        said, head = peer.said, self._core.head
        assert said is not None
        lacks_manifest = said.has_manifest and self._core.manifest is None
        # The acknowledgement (remote_length) makes sure that can_upgrade speaks about our length.
        if (
            said.length > head.length
            and said.can_upgrade
            and said.remote_length == head.length
            and said != peer.refused
        ):
            outstanding = self._open(peer)
            outstanding.upgrade = (head.length, said.length - head.length)
            outstanding.manifest = lacks_manifest
            block = self.scheduler.first_beyond(head.length, said.length, peer.blocks)
            if block is not None:
                peer.requests.open_new_block(outstanding, block)
                self.scheduler.requested(block, peer.id)
            self._upgrading = (peer, outstanding)
            request = Request(
                outstanding.id,
                head.fork,
                block=None if block is None else BlockRequest(block, 0),
                upgrade=UpgradeRequest(*outstanding.upgrade),
                manifest=lacks_manifest,
            )
            self._peers.send(peer, REQUEST, encode_request(request))
        elif lacks_manifest and head.length == 0 == said.length and not peer.requests.in_flight:
            outstanding = self._open(peer)
            outstanding.manifest = True
            request = Request(outstanding.id, head.fork, manifest=True)
            self._peers.send(peer, REQUEST, encode_request(request))

    def _open(self, peer: Peer) -> Outstanding:
        if not peer.requests.in_flight:
            peer.answered_at = self._peers.now
        return peer.requests.open(self._core.head.fork, self._peers.now)

    def _next_block(self, peer: Peer) -> int | None:
        core, scheduler = self._core, self.scheduler
        while True:
            picked = peer.picked
            while picked:
                index = picked.pop()
                if index in scheduler.in_flight or not peer.blocks.has(index):
                    continue
                if not core.has(index):
                    return index
                scheduler.arrived(index)
            now = (scheduler.version, peer.news)
            if peer.dry_at == now:
                return None
            peer.picked = scheduler.pick(peer.id, peer.blocks)
            if not peer.picked:
                peer.dry_at = now
                self._ask_what_it_has(peer)
                return None

    def _ask_for_block(self, peer: Peer, index: int) -> None:
        peers, requests = self._peers, peer.requests
        if not requests.in_flight:
            peer.answered_at = peers.now
        fork = self._core.head.fork
        outstanding = requests.open_block(self._core, index, fork, peers.now)
        self.scheduler.requested(index, peer.id)
        payload = encode_block_request(outstanding.id, fork, index, outstanding.nodes)
        peers.send(peer, REQUEST, payload)

    def _ask_what_it_has(self, peer: Peer) -> None:
        assert peer.said is not None
        asked = 0
        for region in self.scheduler.missing_regions(peer.blocks, WANT_BLOCKS):
            start = region * WANT_BLOCKS
            if region in peer.wanted or start >= peer.said.length:
                continue
            peer.wanted.add(region)
            self._peers.send(peer, WANT, encode_want(Want(start, WANT_BLOCKS)))
            asked += 1
            if asked == _MAX_WANTS_AT_ONCE:
                return

    def _cancel(self, peer: Peer, outstanding: Outstanding) -> None:
        peer.requests.cancel(outstanding)
        self._peers.send(peer, CANCEL, encode_cancel(Cancel(outstanding.id)))
        self._lost(peer, outstanding)

    # time -----------------------------------------------------------------------------------------

    def next_timer(self) -> float | None:
        """When ``handle_timer`` has something to do."""
        times = []
        idle = busy = False
        for peer in self._peers.by_id.values():
            if peer.standing is Standing.STALLED:
                times.append(peer.answered_at + PROBATION_SECONDS)
            elif peer.requests.in_flight:
                times.append(peer.answered_at + STALL_SECONDS)
                busy = busy or peer.requests.blocks > 0
            elif peer.is_source and peer.refusals < _MAX_REFUSALS:
                idle = True
        if idle and busy:
            times.append(self._peers.now + _LATE_SECONDS)
        return min(times, default=None)

    def handle_timer(self) -> None:
        """Deal with peers that stopped answering, and with requests that are late."""
        now = self._peers.now
        for peer in list(self._peers.by_id.values()):
            if peer.standing is Standing.STALLED:
                if now >= peer.answered_at + PROBATION_SECONDS:
                    peer.move(Cause.PROBATION)
                    self.stir(peer)
            elif peer.requests.in_flight and now >= peer.answered_at + STALL_SECONDS:
                self._handle_silence(peer)
        for peer in list(self._peers.by_id.values()):
            if peer.is_source and not peer.requests.in_flight and peer.refusals < _MAX_REFUSALS:
                self._take_over(peer)

    def _handle_silence(self, peer: Peer) -> None:
        peer.answered_at = self._peers.now
        for outstanding in list(peer.requests.in_flight.values()):
            if outstanding.asker is not None:
                peer.requests.cancel(outstanding)
                outstanding.asker.unanswered(peer, outstanding)
        others = (other for other in self._peers.by_id.values() if other is not peer)
        if peer.standing is Standing.ALIGNED and any(other.is_source for other in others):
            peer.move(Cause.SILENCE)
            for outstanding in list(peer.requests.in_flight.values()):
                self._cancel(peer, outstanding)
            self._give_up(peer)

    def _take_over(self, peer: Peer) -> None:
        """An idle peer takes late requests of others."""
        late = max(_LATE_SECONDS, _LATE_ROUND_TRIPS * peer.requests.window.round_trip)
        taken = 0
        for other in self._peers.by_id.values():
            if other is peer or other.requests.blocks == 0:
                continue
            for outstanding in list(other.requests.in_flight.values()):
                is_late = self._peers.now - outstanding.sent_at >= late
                if not is_late or outstanding.block < 0 or outstanding.upgrade is not None:
                    continue
                if not peer.blocks.has(outstanding.block):
                    continue
                self._cancel(other, outstanding)
                self._ask_for_block(peer, outstanding.block)
                taken += 1
                if taken == _MAX_TAKEN_OVER:
                    return
