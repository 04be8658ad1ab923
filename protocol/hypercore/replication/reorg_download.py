"""Following the writer of a plain log who truncated it: see ``reorg`` for what is asked and why.

One search runs at a time. It asks one peer, and ends with a ``Verified`` change whose
``truncated_to`` says what the shell drops; when the peer leaves in the middle, what is known by
then is enough, as the signature over the new tree came first.
"""

from __future__ import annotations

from ...errors import ProofError, StaleProofError
from ...limits import MAX_CLAIMED_HISTORIES
from ..core import CoreReader
from ..merkle.proof import Data, Request
from ..merkle.reorg import Reorg, begin_reorg_untrusted, reorg_request
from .events import Verified
from .messages import REQUEST, encode_request
from .outstanding import Outstanding
from .peer import Peer, Standing
from .peers import Peers


class ReorgDownload:
    """Brings one log to a higher fork."""

    def __init__(self, core: CoreReader, peers: Peers) -> None:
        self._core = core
        self._peers = peers
        self._peer: Peer | None = None
        self._reorg: Reorg | None = None

    def claim_heard(self, peer: Peer) -> None:
        """The peer said that it has a newer fork."""
        said = peer.said
        assert said is not None
        if self._peer is not None or not said.uploading or not said.length:
            return
        self._note_probed(peer, said.fork)
        self._peer = peer
        outstanding = self._open(peer, said.fork)
        outstanding.upgrade = (0, said.length)
        outstanding.manifest = said.has_manifest and self._core.manifest is None
        request = reorg_request(
            outstanding.id, said.fork, said.length, manifest=outstanding.manifest
        )
        self._peers.send(peer, REQUEST, encode_request(request))

    def _note_probed(self, peer: Peer, fork: int) -> None:
        """Remember that the peer was asked for this fork; the oldest of many is forgotten."""
        ours = self._core.head.fork
        before = {each for each in peer.probed if each > ours and each != fork}
        if len(before) >= MAX_CLAIMED_HISTORIES:
            before.remove(min(before))
        peer.probed = before | {fork}

    def answered_untrusted(self, peer: Peer, outstanding: Outstanding, data: Data) -> None:
        """Take an answer of the peer that is asked."""
        if peer is not self._peer:
            return
        try:
            if data.upgrade is None and data.hash is None:
                raise StaleProofError("the peer does not answer what was asked")
            if self._reorg is None:
                self._reorg = begin_reorg_untrusted(self._core, data)
            else:
                self._reorg.receive_untrusted(data)
        except StaleProofError:
            self._end()
            return
        except ProofError as error:
            self._peer = self._reorg = None
            self._peers.fault(peer, error)
            self.ask_next()
            return
        self._continue(peer, self._reorg)

    def unanswered(self, peer: Peer, outstanding: Outstanding) -> None:
        """The peer could not answer, or left."""
        if peer is self._peer:
            self._end()

    def _continue(self, peer: Peer, reorg: Reorg) -> None:
        question = reorg.hash_request()
        if question is None:
            self._end()
            return
        outstanding = self._open(peer, reorg.head.fork)
        outstanding.hash = question.index
        request = Request(outstanding.id, reorg.head.fork, hash=question)
        self._peers.send(peer, REQUEST, encode_request(request))

    def _open(self, peer: Peer, fork: int) -> Outstanding:
        outstanding = peer.requests.open(fork, self._peers.now)
        outstanding.asker = self
        peer.answered_at = self._peers.now
        return outstanding

    def _end(self) -> None:
        """Apply what was found, or try elsewhere."""
        peer, reorg = self._peer, self._reorg
        self._peer = self._reorg = None
        if peer is not None and reorg is not None and reorg.head.fork > self._core.head.fork:
            self._peers.events.append(Verified(peer.id, reorg.change()))
        else:
            self.ask_next()

    def ask_next(self) -> None:
        """Ask a peer with a newer fork that was not asked for it before."""
        for peer in list(self._peers.by_id.values()):
            said = peer.said
            if peer.standing is not Standing.APART or said is None:
                continue
            if said.fork > self._core.head.fork and said.fork not in peer.probed:
                self.claim_heard(peer)
