"""Peers whose history differs from ours: the proof is asked for, reported, and never applied.

Two things make a peer suspect. It claims a newer fork than ours (its writer truncated the log), or
an answer of it does not verify, which is a bad peer or a log with two histories. Either way it is
asked once for an upgrade from nothing, whose signature tells which: JS does the same when a proof
fails (npm ``hypercore`` 11, ``lib/replicator.js``). Specs/05-replication.md section 7.
"""

from __future__ import annotations

from ..errors import ProofError, RemoteProtocolError
from .core import CoreReader, TreeHead
from .events import ForkObserved
from .merkle import roots_at
from .messages import REQUEST, encode_request
from .outstanding import Outstanding
from .peer import Cause, Peer, Standing
from .peers import Peers
from .proof import Data, Request, UpgradeRequest
from .verifier import verify_first_upgrade_untrusted


class ForkWatch:
    """Collects evidence about other histories of one log."""

    def __init__(self, core: CoreReader, peers: Peers) -> None:
        self._core = core
        self._peers = peers

    def claim_heard(self, peer: Peer) -> None:
        """The peer said that it has a newer fork."""
        said = peer.said
        assert said is not None
        if said.fork in peer.probed:
            return
        if said.length == 0 or not said.uploading:
            peer.probed.add(said.fork)
            self._report(peer, said.fork, said.length, None)
            return
        self._probe(peer, said.fork, said.length)

    def accuse(self, peer: Peer, error: RemoteProtocolError) -> None:
        """An answer of the peer does not verify."""
        said, head = peer.said, self._core.head
        shared = 0 if said is None or said.fork != head.fork else min(said.length, head.length)
        peer.move(Cause.BAD_PROOF)
        if peer.standing is not Standing.ACCUSED or shared == 0:
            self._peers.fault(peer, error)
            return
        peer.accusation = error
        self._probe(peer, head.fork, shared)

    def _probe(self, peer: Peer, fork: int, length: int) -> None:
        peer.probed.add(fork)
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
        head = None
        if data.upgrade is not None and data.fork == outstanding.fork:
            try:
                change = verify_first_upgrade_untrusted(self._core.key, self._core.manifest, data)
            except ProofError as error:
                self._peers.fault(peer, peer.accusation or error)
                return
            head = change.head
        is_newer = outstanding.fork > self._core.head.fork
        if is_newer or (head is not None and self._contradicts(data)):
            shown = length if head is None else head.length
            self._report(peer, outstanding.fork, shown, head, data)
        if peer.accusation is not None:
            self._peers.fault(peer, peer.accusation)

    def unanswered(self, peer: Peer, outstanding: Outstanding) -> None:
        """The peer could not, or in time did not, answer the probe."""
        assert outstanding.upgrade is not None
        if peer.accusation is not None:
            self._peers.fault(peer, peer.accusation)
        elif outstanding.fork > self._core.head.fork:
            self._report(peer, outstanding.fork, outstanding.upgrade[1], None)

    def _contradicts(self, data: Data) -> bool:
        """Whether the peer's tree had other roots than ours when it was as long as the proof's end.

        False when our roots of that length are not stored.
        """
        assert data.upgrade is not None
        length = data.upgrade.start + data.upgrade.length
        ours = roots_at(self._core, length) if length <= self._core.head.length else None
        return ours is not None and data.upgrade.nodes != ours

    def _report(
        self, peer: Peer, fork: int, length: int, head: TreeHead | None, proof: Data | None = None
    ) -> None:
        evidence = proof if head is not None else None
        self._peers.events.append(ForkObserved(peer.id, fork, length, head, evidence))
