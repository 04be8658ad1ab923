"""Asking peers for what we lack: heads, blocks, and what they have.

One upgrade is in flight for the whole log, many blocks for each peer. However a request ends
without a verified answer, it passes ``lost``, so that every block returns to the scheduler.
"""

from __future__ import annotations

from ...limits import MAX_HELD_BYTES
from ..core import CoreReader
from ..heads.heads_table import Heads
from ..merkle.block_proof import encode_block_request
from ..merkle.proof import BlockRequest, Request, UpgradeRequest
from .messages import (
    CANCEL,
    REQUEST,
    WANT,
    Cancel,
    Want,
    encode_cancel,
    encode_request,
    encode_want,
)
from .outstanding import Held, Outstanding
from .peer import Cause, Peer
from .peers import Peers
from .scheduler import BlockScheduler

# Peers that refuse this many requests in a row are not asked again until their next ``sync``; JS
# stops at the same figure.
MAX_REFUSALS = 32
# A peer that says nothing at all for this long is not waited for with a look at the newest head.
PATIENCE_SECONDS = 5.0
# Requests leave in groups of this size, not one by one, while enough others are in flight.
_REFILL_BLOCKS = 16
# Blocks per ``want``: the largest that JS takes, which is also the one it remembers best.
WANT_BLOCKS = 2**21
_MAX_WANTS_AT_ONCE = 4


class Asking:
    """Our requests for one log.

    Attributes:
      scheduler: what is wanted, and which blocks are in flight.
      upgrading: the one upgrade in flight, and who was asked.
      no_heads: a head that is being written here comes first.
    """

    def __init__(self, core: CoreReader, peers: Peers, heads: Heads) -> None:
        self._core = core
        self._peers = peers
        self._heads = heads
        self._stirred: dict[int, None] = {}
        self._holders: dict[int, Peer] = {}
        self._seen_version = 0
        self.scheduler = BlockScheduler(core)
        self.upgrading: tuple[Peer, Outstanding] | None = None
        self.no_heads = False

    # ends -----------------------------------------------------------------------------------------

    def lost(self, peer: Peer, outstanding: Outstanding) -> None:
        """A request ended without a verified answer: others may get it."""
        if outstanding.block >= 0:
            self.scheduler.returned(outstanding.block)
        if outstanding.upgrade is not None:
            self.upgrading = None
            self.scheduler.version += 1
        if outstanding.nodes:
            self._return_orphans(peer)

    def cancel(self, peer: Peer, outstanding: Outstanding) -> None:
        """The answer is not needed, or not from this peer."""
        peer.requests.cancel(outstanding)
        self._peers.send(peer, CANCEL, encode_cancel(Cancel(outstanding.id)))
        self.lost(peer, outstanding)

    def hold(self, peer: Peer, held: Held) -> None:
        """Keep an answer until the node that it leans on is stored.

        Nothing of it is verified. A peer that never sends what all lean on, and much that leans on
        it, is asked for everything anew.
        """
        requests = peer.requests
        requests.hold(held)
        self._holders[peer.id] = peer
        if requests.held_bytes > MAX_HELD_BYTES:
            peer.refusals += 1
            for outstanding in list(requests.in_flight.values()):
                if outstanding.block >= 0 and outstanding.upgrade is None:
                    self.cancel(peer, outstanding)
            self._return_orphans(peer)

    def take_ready(self) -> list[tuple[Peer, Held]]:
        """The held answers whose node is stored by now."""
        ready: list[tuple[Peer, Held]] = []
        for peer in list(self._holders.values()):
            requests = peer.requests
            ready += [(peer, held) for held in requests.take_ready(self._core)]
            if requests.held and not requests.in_flight and not ready:
                self._return_orphans(peer)
            if not requests.held:
                del self._holders[peer.id]
        return ready

    def _return_orphans(self, peer: Peer) -> None:
        peer.requests.lost()
        for held in peer.requests.take_orphans(self._core):
            self.scheduler.returned(held.outstanding.block)

    def give_up(self, peer: Peer) -> None:
        """Whatever this peer was asked for is for others."""
        self._holders.pop(peer.id, None)
        for outstanding in peer.requests.clear():
            if outstanding.block >= 0:
                self.scheduler.returned(outstanding.block)
            if outstanding.asker is not None:
                outstanding.asker.unanswered(peer, outstanding)
        if self.upgrading is not None and self.upgrading[0] is peer:
            self.upgrading = None
        peer.picked = []
        self.scheduler.release(peer.id)
        self.scheduler.version += 1

    # changes --------------------------------------------------------------------------------------

    def stir(self, peer: Peer) -> None:
        """Something changed for this peer: see what to ask it for, before the next event."""
        self._stirred[peer.id] = None

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
            self.give_up(peer)
            # hypercore 10 does not announce a new block to a peer that still says it has the old
            # one, and so never to us if our ``range`` that drops it came late. It has to be asked.
            peer.wanted.clear()
            if peer.said is not None:
                same = peer.said.fork == self._core.head.fork
                peer.move(Cause.SAME_FORK if same else Cause.OTHER_FORK)
        self.scheduler.rewind(length)
        self.length_changed()

    def unwant(self, number: int) -> None:
        """Take a want back, and cancel what is in flight for it alone."""
        idle = self.scheduler.unwant(number)
        if idle is None:
            return
        for peer in self._peers.by_id.values():
            peer.picked = [index for index in peer.picked if self.scheduler.is_wanted(index)]
            if idle:
                for outstanding in list(peer.requests.in_flight.values()):
                    if outstanding.block in idle and outstanding.upgrade is None:
                        self.cancel(peer, outstanding)
                self._stirred[peer.id] = None

    def wants_changed(self) -> None:
        """A want was added: everybody picks anew, so that it comes before what is less urgent."""
        for peer in self._peers.by_id.values():
            peer.picked = []

    @property
    def upgrade_is_pending(self) -> bool:
        """Whether some peer may still bring a longer head it has told us of."""
        now = self._peers.now
        return any(
            now < peer.heard_at + PATIENCE_SECONDS and self.is_awaited(peer)
            for peer in self._peers.by_id.values()
        )

    def is_awaited(self, peer: Peer) -> bool:
        """Whether a head may come from this peer, if it does what it says."""
        said, length = peer.said, self._core.head.length
        if self._heads.frozen:
            return False
        if said is None or (self.upgrading is not None and self.upgrading[0] is peer):
            return True
        if not peer.is_source or said.length <= length or said == peer.refused:
            return False
        return said.can_upgrade or said.remote_length != length

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
        if not peer.is_source or peer.refusals >= MAX_REFUSALS:
            return
        assert peer.said is not None
        if self.upgrading is None and not self.no_heads and not self._heads.frozen:
            self._ask_for_head(peer)
        room = peer.requests.room
        if (
            room < min(_REFILL_BLOCKS, peer.requests.window.limit // 2)
            and not self.scheduler.urgent
        ):
            return
        while room > 0:
            index = self._next_block(peer)
            if index is None:
                return
            self.ask_for_block(peer, index)
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
            self.upgrading = (peer, outstanding)
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
        peer.heard_at = self._peers.now
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
            others = [
                other.blocks
                for other in self._peers.by_id.values()
                if other is not peer and other.is_source
            ]
            peer.picked = scheduler.pick(peer.id, peer.blocks, others)
            if not peer.picked:
                peer.dry_at = now
                self._ask_what_it_has(peer)
                return None

    def ask_for_block(self, peer: Peer, index: int) -> None:
        """Send a request for a block of our tree."""
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
