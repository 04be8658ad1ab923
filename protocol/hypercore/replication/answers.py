"""Taking what peers send: checks each answer, and gathers what is verified until it is handed out.

A burst of blocks becomes one change, which spares the shell most of its work. So answers are
checked against the log *and* what is gathered; before anything that changes the tree itself is
looked at, the shell has to store what was gathered (``must_hand_out_before``).
"""

from __future__ import annotations

from collections import deque

from ...crypto.hashes import TreeNode
from ...errors import ProofError, ReplicationError, StaleProofError
from ..core import CoreChange, CoreReader
from ..merkle.block_proof import (
    BLOCK_ONLY,
    BlockAnswer,
    decode_block_answer_untrusted,
    fold_block_untrusted,
)
from ..merkle.proof import Data
from ..merkle.verifier import verify_proof_untrusted
from .asking import Asking
from .events import Verified
from .fork_watch import ForkWatch
from .messages import INVALID_REQUEST, NoData, decode_data_untrusted
from .outstanding import Held, Outstanding
from .peer import Cause, Peer, Standing
from .peers import Peers


class Answers:
    """The answers of all peers to the requests of one log."""

    def __init__(self, core: CoreReader, peers: Peers, asking: Asking, forks: ForkWatch) -> None:
        self._core = core
        self._peers = peers
        self._asking = asking
        self._forks = forks
        self._nodes: dict[int, TreeNode] = {}
        self._blocks: list[tuple[int, bytes]] = []
        self._giver = 0
        self._ready: deque[tuple[Peer, Held]] = deque()

    # taking ---------------------------------------------------------------------------------------

    def take_data_untrusted(self, peer: Peer, payload: bytes) -> None:
        """Take a ``data`` message. With anything but a block, ``hand_out`` comes first.

        Raises:
          DecodeError, ReplicationError: malformed, or not what was asked for.
        """
        if payload[:1] == BLOCK_ONLY:
            answer = decode_block_answer_untrusted(payload)
            outstanding = self._close(peer, answer.request, len(payload))
            if outstanding is not None:
                self._take_block_untrusted(peer, outstanding, answer)
            return
        data = decode_data_untrusted(payload)
        outstanding = self._close(peer, data.request, len(payload))
        if outstanding is None:
            return
        if not outstanding.fits(data):
            self._asking.lost(peer, outstanding)
            raise ReplicationError("an answer holds what was not asked for")
        if outstanding.asker is not None:
            outstanding.asker.answered_untrusted(peer, outstanding, data)
        elif data.fork != outstanding.fork or data.fork != self._core.head.fork:
            self._asking.lost(peer, outstanding)
        elif data.upgrade is None and data.block is not None:
            block = data.block
            answer = BlockAnswer(
                data.request, data.fork, block.index, block.value, list(block.nodes)
            )
            self._take_block_untrusted(peer, outstanding, answer)
        elif (outstanding.block >= 0 and data.block is None) or (
            outstanding.upgrade is not None and data.upgrade is None
        ):
            self._refused(peer, outstanding, None)
        else:
            self._take_head_untrusted(peer, outstanding, data)

    def take_no_data(self, peer: Peer, message: NoData) -> None:
        """Take a ``noData`` message; raises ``ReplicationError`` for one that answers nothing."""
        outstanding = self._close(peer, message.request, 0)
        if outstanding is None:
            return
        if outstanding.asker is not None:
            outstanding.asker.unanswered(peer, outstanding)
        else:
            self._refused(peer, outstanding, message.reason)

    def _close(self, peer: Peer, id_: int, size: int) -> Outstanding | None:
        """The request that an answer belongs to; None if the answer is to be ignored."""
        requests, now = peer.requests, self._peers.now
        outstanding = requests.close(id_)
        if outstanding is None:
            # Id 0 is a push, which we never allow; JS ignores those too.
            if not id_:
                return None
            if not requests.was_cancelled(id_):
                raise ReplicationError("an answer to a request that was never made")
        else:
            requests.window.answered(outstanding.sent_at, now, size)
        peer.answered_at = peer.heard_at = now
        if peer.standing is Standing.STALLED:
            peer.move(Cause.ANSWER)
        self._asking.stir(peer)
        return outstanding

    def _refused(self, peer: Peer, outstanding: Outstanding, reason: int | None) -> None:
        """The peer has not got, or does not give, what it announced."""
        said = peer.said
        self._asking.lost(peer, outstanding)
        if said is None or said.fork != outstanding.fork:
            return
        peer.refusals += 1
        if outstanding.block >= 0:
            peer.blocks.drop_range(outstanding.block, 1)
        if outstanding.upgrade is not None or reason == INVALID_REQUEST:
            peer.refused = said

    # verifying ------------------------------------------------------------------------------------

    def _take_block_untrusted(
        self, peer: Peer, outstanding: Outstanding, answer: BlockAnswer
    ) -> None:
        if answer.index != outstanding.block:
            self._asking.lost(peer, outstanding)
            raise ReplicationError("an answer holds what was not asked for")
        if outstanding.upgrade is not None:
            self._refused(peer, outstanding, None)
            return
        if answer.fork != outstanding.fork or answer.fork != self._core.head.fork:
            self._asking.lost(peer, outstanding)
            return
        top = outstanding.top
        held = self._nodes.get(top) or self._core.node(top)
        if held is not None:
            self._verify_block_untrusted(peer, outstanding, answer, held)
        # With nothing in flight, whatever is expected could only be a mistake of ours.
        elif peer.requests.in_flight and peer.requests.expects(top):
            self._asking.hold(peer, Held(outstanding, answer))
        else:
            self._asking.lost(peer, outstanding)

    def _verify_block_untrusted(
        self, peer: Peer, outstanding: Outstanding, answer: BlockAnswer, held: TreeNode
    ) -> None:
        try:
            nodes = fold_block_untrusted(answer)
            if nodes.pop() != held:
                raise ProofError(f"block {answer.index} does not belong to this log")
        except ProofError as error:
            self._accuse(peer, outstanding, error)
            return
        gathered = self._nodes
        for node in nodes:
            gathered[node[0]] = node
        self._blocks.append((answer.index, answer.value))
        self._giver = peer.id
        peer.refusals = 0

    def _take_head_untrusted(self, peer: Peer, outstanding: Outstanding, data: Data) -> None:
        assert not self._blocks
        if outstanding.upgrade is not None and self._forks.frozen:
            self._asking.lost(peer, outstanding)
            return
        try:
            change = verify_proof_untrusted(self._core, data)
        except StaleProofError:
            self._asking.lost(peer, outstanding)
            return
        except ProofError as error:
            self._accuse(peer, outstanding, error)
            return
        peer.refusals = 0
        if outstanding.upgrade is not None:
            self._asking.upgrading = None
        self._peers.events.append(Verified(peer.id, change))

    def _accuse(self, peer: Peer, outstanding: Outstanding, error: ProofError) -> None:
        self._asking.lost(peer, outstanding)
        self._asking.give_up(peer)
        self._forks.accuse(peer, error)

    # handing out ----------------------------------------------------------------------------------

    def hand_out(self) -> bool:
        """Make an event of the blocks gathered so far; False when there are none."""
        if not self._blocks:
            return False
        change = CoreChange(nodes=list(self._nodes.values()), blocks=self._blocks)
        self._nodes, self._blocks = {}, []
        self._peers.events.append(Verified(self._giver, change))
        return True

    def applied(self, change: CoreChange) -> None:
        """The shell has stored a change."""
        for index, _ in change.blocks:
            self._asking.scheduler.arrived(index)
        if change.head is not None:
            self._asking.length_changed()
        self._ready += self._asking.take_ready()

    def verify_ready(self) -> None:
        """Verify the answers whose nodes have come by now."""
        while self._ready:
            peer, (outstanding, answer) = self._ready.popleft()
            if peer.id in self._peers.by_id and peer.standing is not Standing.ACCUSED:
                self._take_block_untrusted(peer, outstanding, answer)
            else:
                self._asking.lost(peer, outstanding)
