"""Peers whose history differs from ours: the proof is asked for, reported, and never applied.

Three things make a peer show its tree. It claims a newer fork than ours (its writer truncated the
log); an answer of it does not verify, which is a bad peer or a log with two histories; or its tree
is no longer than ours, so that no upgrade ever shows it. It is asked for an upgrade from nothing,
whose signature tells. JS does the same when a proof fails (npm ``hypercore`` 11,
``lib/replicator.js``). Specs/05-replication.md section 7.
"""

from __future__ import annotations

from ...errors import ProofError, RemoteProtocolError
from ...limits import MAX_CLAIMED_HISTORIES
from ..core import CoreReader, TreeHead
from ..heads.contradiction import Contradiction
from ..heads.heads_table import Heads
from ..merkle.proof import Data, Request, UpgradeRequest
from .events import ForkObserved
from .messages import REQUEST, Sync, encode_request
from .outstanding import Outstanding
from .peer import Cause, Peer, Standing
from .peers import Peers

# Lengths at which one peer is asked for its tree because of heads that others showed.
MAX_SHOWN_AT = 64


class ForkWatch:
    """Collects evidence about other histories of one log."""

    def __init__(self, core: CoreReader, peers: Peers, heads: Heads) -> None:
        self._core = core
        self._peers = peers
        self._heads = heads

    @property
    def frozen(self) -> bool:
        """Whether the log has to stay as it is."""
        return self._heads.frozen

    def claim_heard(self, peer: Peer) -> None:
        """The peer said that it has a newer fork; of too many, the rest is not looked at."""
        said = peer.said
        assert said is not None
        if said.fork in peer.probed or len(peer.probed) >= MAX_CLAIMED_HISTORIES:
            return
        if said.length == 0 or not said.uploading:
            peer.probed.add(said.fork)
            self._report(peer, said.fork, said.length, None)
            return
        peer.probed.add(said.fork)
        self._probe(peer, said.fork, said.length)

    def compare_if_shorter(self, peer: Peer, before: Sync | None) -> None:
        """The peer said something of our fork; ``before`` is what it had said until then.

        Asked for once, and again when its tree became shorter, which no honest one does.
        """
        said, head = peer.said, self._core.head
        if self._heads.may_truncate or said is None or said.fork != head.fork:
            return
        shrunk = before is not None and before.fork == said.fork and said.length < before.length
        if not peer.is_source or not 0 < said.length <= head.length:
            return
        if peer.comparisons >= MAX_CLAIMED_HISTORIES:
            return
        if shrunk or not peer.comparisons:
            peer.comparisons += 1
            self._probe(peer, said.fork, said.length)

    def ask_holders(self) -> None:
        """Have our own history shown at lengths where a kept head has to be compared with it."""
        ours, ahead = self._core.head, self._heads.ahead
        if self.frozen or not ahead or ahead[0].length > ours.length:
            return
        for head in ahead:
            if head.length > ours.length or head.fork != ours.fork:
                continue
            for peer in self._peers.by_id.values():
                said = peer.said
                if not peer.is_source or said is None or said.length < head.length:
                    continue
                if head.length not in peer.shown_at and len(peer.shown_at) < MAX_SHOWN_AT:
                    peer.shown_at.add(head.length)
                    self._probe(peer, ours.fork, head.length)

    def accuse(self, peer: Peer, error: RemoteProtocolError) -> None:
        """An answer of the peer does not verify."""
        if peer.standing is Standing.SPLIT:
            # Asked for before it was known that it has another history.
            return
        said, head = peer.said, self._core.head
        shared = 0 if said is None or said.fork != head.fork else min(said.length, head.length)
        peer.move(Cause.BAD_PROOF)
        if peer.standing is not Standing.ACCUSED or shared == 0:
            self._peers.fault(peer, error)
            return
        peer.accusation = error
        self._probe(peer, head.fork, shared)

    def _probe(self, peer: Peer, fork: int, length: int) -> None:
        outstanding = peer.requests.open(fork, self._peers.now)
        outstanding.upgrade = (0, length)
        outstanding.manifest = self._core.manifest is None
        outstanding.asker = self
        peer.answered_at = self._peers.now
        request = Request(
            outstanding.id,
            fork,
            upgrade=UpgradeRequest(0, length),
            manifest=outstanding.manifest,
        )
        self._peers.send(peer, REQUEST, encode_request(request))

    def answered_untrusted(self, peer: Peer, outstanding: Outstanding, data: Data) -> None:
        """The answer to a probe came."""
        assert outstanding.upgrade is not None
        length = outstanding.upgrade[1]
        head = contradiction = None
        if data.upgrade is not None and data.fork == outstanding.fork:
            try:
                head, contradiction = self._heads.see_tree_untrusted(data)
            except ProofError as error:
                self._peers.fault(peer, peer.accusation or error)
                return
        if outstanding.fork > self._core.head.fork or contradiction is not None:
            shown = length if head is None else head.length
            self._report(peer, outstanding.fork, shown, head, data, contradiction)
        if contradiction is not None:
            peer.accusation = None
            peer.move(Cause.TWO_HISTORIES)
        if peer.accusation is not None:
            self._peers.fault(peer, peer.accusation)

    def unanswered(self, peer: Peer, outstanding: Outstanding) -> None:
        """The peer could not, or in time did not, answer the probe."""
        assert outstanding.upgrade is not None
        if peer.accusation is not None:
            self._peers.fault(peer, peer.accusation)
        elif outstanding.fork > self._core.head.fork:
            self._report(peer, outstanding.fork, outstanding.upgrade[1], None)

    def _report(
        self,
        peer: Peer,
        fork: int,
        length: int,
        head: TreeHead | None,
        proof: Data | None = None,
        contradiction: Contradiction | None = None,
    ) -> None:
        evidence = proof if head is not None else None
        event = ForkObserved(peer.id, fork, length, head, evidence, contradiction)
        self._peers.events.append(event)
