"""Following a log whose writer truncated it: from our tree to a tree with a higher fork number.

The new tree is proven from the start of the log, with a signature over the fork number. What both
trees have in common is then found from the top down: the first root that differs, and below it, one
hash proof at a time, the leftmost node that differs, until it is a leaf. A caller in no mood for
round trips may stop at any point; what is dropped then is only more than needed.

Logs of a database never get here: their truncation is evidence. Wire facts:
specs/04-merkle-log.md section 7; npm ``hypercore`` 11.
"""

from __future__ import annotations

from ...crypto.hashes import TreeNode
from ...crypto.manifest import Manifest
from ...errors import ProofError, StaleProofError
from ..core import CoreChange, CoreReader, TreeHead
from .flat_tree import depth, end_length, left_child, left_span, right_child
from .proof import Data, HashRequest, Request, UpgradeRequest
from .verifier import fold_path_untrusted, verify_first_upgrade_untrusted


def reorg_request(request_id: int, fork: int, length: int, *, manifest: bool = False) -> Request:
    """The request for the whole tree of another fork."""
    upgrade = UpgradeRequest(0, length)
    return Request(request_id, fork, upgrade=upgrade, manifest=manifest)


class Reorg:
    """A verified tree with a higher fork number, and the search for what it shares with ours.

    Made by ``begin_reorg_untrusted``. Ask the peer for ``hash_request()`` until that is None,
    feeding each answer to ``receive_untrusted``; then apply ``change()``. ``change()`` is safe to
    apply at any time.

    Attributes:
      head: the new head, its signature checked.
      manifest: learnt together with it, or None.
      common_length: blocks known to be the same in both trees so far.
    """

    def __init__(self, core: CoreReader, change: CoreChange) -> None:
        assert change.head is not None
        self.head: TreeHead = change.head
        self.manifest: Manifest | None = change.manifest
        self.common_length = min(core.head.length, self.head.length)
        self._core = core
        self._base = core.head
        self._nodes = {node.index: node for node in (*change.nodes, *self.head.roots)}
        self._blocks = change.blocks
        self._differing: TreeNode | None = None
        for root in self.head.roots:
            if not self._is_ours(root):
                self._move_to(root)
                break

    def hash_request(self) -> HashRequest | None:
        """The next question to a peer that has the new tree, or None when none is left.

        Any leaf below the same node does as ``index``, so a peer may be asked for one it announced.
        """
        node = self._differing
        if node is None:
            return None
        return HashRequest(left_span(node.index), depth(node.index))

    def receive_untrusted(self, data: Data) -> None:
        """Take the answer to ``hash_request()``.

        Raises:
          ProofError: it does not lead to the node that was asked about. ``StaleProofError`` when
            it is for another fork, or our own log has changed since the search began.
        """
        differing = self._differing
        if differing is None or data.fork != self.head.fork or self._core.head != self._base:
            raise StaleProofError("a hash proof for a search that is over")
        path = {node.index: node for node in fold_path_untrusted(data)}
        if path.get(differing.index) != differing or len(path) != 2 * depth(differing.index) + 1:
            raise ProofError(f"the path does not lead to node {differing.index} of the new tree")
        # Sizes of the lowest pair are not fixed by the path; their parent's is.
        self._nodes.update((i, node) for i, node in path.items() if i & 1)
        self._descend(differing, path)

    def change(self) -> CoreChange:
        """What to store: the new head on top of what is known to be common."""
        return CoreChange(
            nodes=tuple(self._nodes.values()),
            blocks=self._blocks,
            head=self.head,
            manifest=self.manifest,
            truncated_to=self.common_length,
        )

    def _descend(self, node: TreeNode, path: dict[int, TreeNode]) -> None:
        while node.index & 1:
            left = path.get(left_child(node.index))
            if left is None:
                break
            node = path[right_child(node.index)] if self._is_ours(left) else left
        self._move_to(node)

    def _move_to(self, node: TreeNode) -> None:
        """Everything left of ``node`` is common; look for the difference below it."""
        start = left_span(node.index) // 2
        limit = min(self._base.length, self.head.length)
        self.common_length = min(start, limit)
        is_found = not node.index & 1 or start >= limit
        self._differing = None if is_found else node

    def _is_ours(self, node: TreeNode) -> bool:
        stored = self._core.node(node.index)
        if stored is None or end_length(node.index) > self._base.length:
            return False
        return stored.hash == node.hash


def begin_reorg_untrusted(core: CoreReader, data: Data) -> Reorg:
    """Check the tree of a higher fork, proven from length 0, and begin the search.

    Raises:
      ProofError: it does not verify. ``StaleProofError`` when its fork is not above ours.
    """
    if data.fork <= core.head.fork:
        raise StaleProofError(f"fork {data.fork} is not above ours, {core.head.fork}")
    return Reorg(core, verify_first_upgrade_untrusted(core.key, core.manifest, data))


def drop_to_first_difference_untrusted(core: CoreReader, data: Data) -> CoreChange:
    """The same without round trips: keep only the roots both trees share, from the left.

    Raises:
      ProofError: as ``begin_reorg_untrusted``.
    """
    return begin_reorg_untrusted(core, data).change()
