"""The uploading side of replication: tells peers what we have, and answers their requests.

Rules of telling (specs/05-replication.md sections 3 and 4): a ``sync`` goes out when what it would
say has changed, and in reply to the ``sync`` of a peer that is behind, but never twice with the
same content, so two nodes cannot keep each other busy. Answers are made one at a time, when the
shell asks for the next event, so that a peer that does not read costs no memory.
"""

from __future__ import annotations

from collections import OrderedDict

from ...errors import ReplicationError
from ...limits import (
    ANSWERS_PER_LOG,
    BUDGET_PAUSE_SECONDS,
    MAX_BITFIELD_WORDS,
    MAX_INVALID_REQUESTS,
    MAX_QUEUED_REQUESTS,
)
from ..core import CoreReader
from ..merkle.block_proof import encode_block_answer, prove_block
from ..merkle.growth import upgrade_nodes
from ..merkle.proof import Request
from ..merkle.prover import CannotProve, build_proof
from .messages import (
    BITFIELD,
    DATA,
    INVALID_REQUEST,
    NO_DATA,
    RANGE,
    SYNC,
    Bitfield,
    NoData,
    Range,
    Sync,
    Want,
    encode_bitfield,
    encode_data,
    encode_no_data,
    encode_range,
    encode_sync,
)
from .peer import Peer
from .peers import Peers
from .request_budget import BudgetRates, RequestBudget

# Downloaded blocks are announced together, at latest after this time and this many runs.
_ANNOUNCE_SECONDS = 0.1
_MAX_RUNS = 256
# A turn of one peer; a bound on how much is answered before the shell can say that it is too much.
_BYTES_PER_TURN = 64 * 1024
# What a short answer counts, so that a turn ends.
_SHORT_BYTES = 1024


class Uploader:
    """Serves one log to all peers.

    Attributes:
      announce_at: when what was downloaded is announced at the latest.
      answer_at: when requests that had to wait for a budget are looked at again.
    """

    def __init__(self, core: CoreReader, peers: Peers) -> None:
        self._core = core
        self._peers = peers
        # Whoever may have requests, once each, by number: the first is served next.
        self._turns: OrderedDict[int, Peer] = OrderedDict()
        self._runs: list[tuple[int, int]] = []
        self._budget = RequestBudget(BudgetRates(*ANSWERS_PER_LOG), core.head.length, 0.0)
        self.announce_at: float | None = None
        self.answer_at: float | None = None

    # telling --------------------------------------------------------------------------------------

    def greet(self, peer: Peer) -> None:
        """The first messages on a channel."""
        self.tell(peer)
        self._announce_contiguous(peer)

    def tell(self, peer: Peer) -> None:
        """Send a ``sync`` if there is anything new to say."""
        if peer.paused:
            return
        sync = self._sync_for(peer)
        if sync != peer.told:
            peer.told = sync
            self._peers.send(peer, SYNC, encode_sync(sync))

    def tell_if_behind(self, peer: Peer) -> None:
        """In reply to a ``sync``: a peer with a shorter tree waits for us to acknowledge it."""
        head = self._core.head
        if peer.said is not None and peer.said.fork == head.fork and peer.said.length < head.length:
            self.tell(peer)

    def _sync_for(self, peer: Peer) -> Sync:
        core, said = self._core, peer.said
        head, manifest = core.head, core.manifest
        remote_length, can_upgrade = 0, True
        if said is not None:
            if said.fork != head.fork:
                can_upgrade = False
            else:
                remote_length = said.length
                can_upgrade = remote_length == 0 or (
                    remote_length < head.length
                    and upgrade_nodes(core, remote_length, head.length) is not None
                )
        has_manifest = manifest is not None and not manifest.is_compat(core.key)
        return Sync(head.fork, head.length, remote_length, can_upgrade, has_manifest=has_manifest)

    def resume(self, peer: Peer) -> None:
        """The peer reads again: tell it what it missed."""
        self.greet(peer)

    def blocks_cleared(self, start: int, end: int) -> None:
        """Some blocks between ``start`` and ``end`` were forgotten."""
        base = start & ~31
        size = min((end - base + 31) & ~31, 32 * MAX_BITFIELD_WORDS)
        payload = encode_bitfield(Bitfield(base, self._core.bitfield(base, size)))
        for peer in self._peers.by_id.values():
            if peer.told_contiguous > start:
                peer.told_contiguous = start
                self._peers.send(peer, BITFIELD, payload)

    def blocks_stored(self, start: int, end: int) -> None:
        """Blocks were downloaded; peers that lack them are told soon."""
        if self._runs and self._runs[-1][1] == start:
            self._runs[-1] = (self._runs[-1][0], end)
        else:
            self._runs.append((start, end))
        if self.announce_at is None:
            self.announce_at = self._peers.now + _ANNOUNCE_SECONDS

    def announce_if_due(self) -> None:
        """Announce what was downloaded, once it is old enough, or complete."""
        if not self._runs:
            return
        core, due = self._core, self.announce_at
        is_due = due is not None and self._peers.now >= due
        if is_due or len(self._runs) > _MAX_RUNS or core.contiguous_length == core.head.length:
            self._announce()

    def _announce(self) -> None:
        runs, self._runs, self.announce_at = self._runs, [], None
        contiguous = self._core.contiguous_length
        beyond = [(start, end - start) for start, end in runs if end > contiguous]
        for peer in self._peers.by_id.values():
            self._announce_contiguous(peer)
            if peer.told is not None and not peer.told.can_upgrade:
                # The blocks may have brought the nodes that a proof for it lacked.
                self.tell_if_behind(peer)
            for start, length in beyond:
                if not peer.blocks.has_range(start, length):
                    self._peers.send(peer, RANGE, encode_range(Range(start, length)))

    def _announce_contiguous(self, peer: Peer) -> None:
        contiguous = self._core.contiguous_length
        if contiguous <= peer.told_contiguous or peer.paused:
            return
        # A peer that has all of it does not ask us, unless it counts complete copies.
        is_complete = contiguous == self._core.head.length
        if is_complete or peer.blocks.contiguous < contiguous:
            peer.told_contiguous = contiguous
            self._peers.send(peer, RANGE, encode_range(Range(0, contiguous)))

    def head_changed(self) -> None:
        """Our tree grew or changed: tell everybody, blocks first."""
        for peer in self._peers.by_id.values():
            self._announce_contiguous(peer)
            self.tell(peer)

    def truncated(self, old_length: int, new_length: int) -> None:
        """Our tree was cut to ``new_length`` blocks, before it may have grown again."""
        self._runs = []
        self.announce_at = None
        dropped = Range(new_length, old_length - new_length, drop=True)
        for peer in self._peers.by_id.values():
            peer.told_contiguous = min(peer.told_contiguous, new_length)
            if dropped.length:
                self._peers.send(peer, RANGE, encode_range(dropped))

    def take_want(self, peer: Peer, want: Want) -> None:
        """A ``want`` came; it waits for its turn, as its answer may be 256 KiB.

        Raises:
          ReplicationError: too many of them wait already.
        """
        if len(peer.wants) >= MAX_QUEUED_REQUESTS:
            raise ReplicationError("the peer has more wants waiting than any honest one")
        peer.wants.append(want)
        self._take_place(peer)

    def _show_wanted(self, peer: Peer, want: Want) -> int:
        """Answer a ``want``, if there is anything to show; gives the size of the answer."""
        core = self._core
        contiguous, length = core.contiguous_length, core.head.length
        start, end = want.start, min(want.start + want.length, length)
        if contiguous == length or want.start + want.length < contiguous:
            self._peers.send(peer, RANGE, encode_range(Range(0, contiguous)))
            return _SHORT_BYTES
        if start >= end:
            return _SHORT_BYTES
        start &= ~31
        end = min((end + 31) & ~31, start + 32 * MAX_BITFIELD_WORDS)
        bits = core.bitfield(start, end - start)
        if not want.any:
            self._peers.send(peer, BITFIELD, encode_bitfield(Bitfield(start, bits)))
            return len(bits)
        mask = int.from_bytes(bits, "little") >> (want.start - start)
        if mask:
            first = want.start + (mask & -mask).bit_length() - 1
            self._peers.send(peer, RANGE, encode_range(Range(first, 1)))
        return len(bits)

    # answering ------------------------------------------------------------------------------------

    def enqueue(self, peer: Peer, request: Request) -> None:
        """A request came; it waits for its turn.

        Raises:
          ReplicationError: too many of them wait already.
        """
        if peer.queue_is_full:
            raise ReplicationError("the peer has more requests waiting than any honest one")
        self._take_place(peer)
        # A repeated id replaces the request before it, and goes to the end.
        peer.queue.pop(request.id, None)
        peer.queue[request.id] = request

    def _take_place(self, peer: Peer) -> None:
        """Among those to be answered, at the end, unless it has a place."""
        if self._turns.get(peer.id) is not peer:
            self._turns[peer.id] = peer

    def cancel(self, peer: Peer, request: int) -> None:
        """The peer no longer needs an answer."""
        peer.queue.pop(request, None)

    def answer_next(self) -> None:
        """Answer some requests of the peer whose turn it is, if anybody can be served."""
        if not self._turns:
            return
        length, now = self._core.head.length, self._peers.now
        self.answer_at = None
        left_for_all = self._budget.left(length, now)
        is_held_back = False
        for _ in range(len(self._turns)):
            id_, peer = next(iter(self._turns.items()))
            waits = peer.queue or peer.wants
            if not waits or self._peers.by_id.get(id_) is not peer:
                del self._turns[id_]
                continue
            # To the end, where it stays even if this turn leaves it nothing to be answered: asking
            # again right away gives it no second place.
            self._turns.move_to_end(id_)
            if peer.paused:
                continue
            left = min(left_for_all, peer.budget.left(length, now))
            if left > 0:
                self._take_turn(peer, left)
                return
            is_held_back = True
        if is_held_back:
            self.answer_at = now + BUDGET_PAUSE_SECONDS

    def _take_turn(self, peer: Peer, left: int) -> None:
        size = answers = 0
        while (peer.wants or peer.queue) and size < _BYTES_PER_TURN and answers < left:
            if peer.wants:
                size += self._show_wanted(peer, peer.wants.popleft())
            else:
                size += self._answer(peer, peer.queue.pop(next(iter(peer.queue))))
            answers += 1
        peer.budget.spend(answers)
        self._budget.spend(answers)

    def _answer(self, peer: Peer, request: Request) -> int:
        """Answer one request; gives the size of the answer."""
        payload = self._answer_with_block(request)
        if payload is None:
            payload = self._answer_in_general(peer, request)
        if payload is not None:
            self._peers.send(peer, DATA, payload)
            return len(payload)
        return _SHORT_BYTES

    def _answer_with_block(self, request: Request) -> bytes | None:
        """The answer to the most usual request; None if this is not one, or has no such answer."""
        block, fork = request.block, request.fork
        if (
            block is None
            or request.hash is not None
            or request.seek is not None
            or request.upgrade is not None
            or request.manifest
            or fork != self._core.head.fork
        ):
            return None
        proof = prove_block(self._core, block.index, block.nodes)
        if proof is None:
            return None
        return encode_block_answer(request.id, fork, block.index, *proof)

    def _answer_in_general(self, peer: Peer, request: Request) -> bytes | None:
        """The answer to any request; None if there is none, which the peer is told."""
        try:
            data = build_proof(self._core, request)
        except CannotProve as refusal:
            no_data = NoData(request.id, refusal.reason)
            self._peers.send(peer, NO_DATA, encode_no_data(no_data))
            if refusal.reason == INVALID_REQUEST:
                peer.invalid_requests += 1
                if peer.invalid_requests >= MAX_INVALID_REQUESTS:
                    error = ReplicationError("the peer keeps asking for what no log can have")
                    peer.queue.clear()
                    self._peers.fault(peer, error)
            return None
        return encode_data(data)
