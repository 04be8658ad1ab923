"""All signed heads that were ever seen of one log, and the contradictions between them.

No two heads of an honest log contradict each other, whatever their lengths. So each head that any
peer shows is compared with every head seen before. That takes little memory, because of two facts:

- A head that our own tree contains says nothing that our tree does not say: whatever contradicts
  it contradicts our newest head, and our tree has the nodes to show it. It need not be kept.
- A head that our tree does not contain *yet* is kept (``ahead``) until our tree has grown over it,
  or until the nodes that it has to be compared at are stored.

What is compared are nodes at one place in both trees. Of a bare head only its roots are known, and
our tree may be sparse; where that is not enough, ``question`` says at which length another holder
has to show its tree, as an upgrade from 0 to that length and on to its signed head:

    the head is longer than our tree      at our length: do they agree on what we have?
    it is shorter, and our nodes there    at its length: a holder of our history shows the nodes
    are not stored

Past ``MAX_KEPT_HEADS`` the shortest are dropped: a longer head binds the writer to more. Only the
writer can make heads, and each of them binds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ...crypto.hashes import TreeNode
from ...crypto.manifest import Manifest, default_manifest
from ...limits import MAX_KEPT_HEADS
from ..core import CoreReader, TreeHead
from ..merkle.flat_tree import end_length
from ..merkle.proof import Data
from ..merkle.verifier import verify_first_upgrade_untrusted
from .contradiction import (
    Contradiction,
    Rewrite,
    Statement,
    Truncation,
    check_head_untrusted,
    heads_differ,
    names_its_log,
    nodes_of_upgrade,
    rewrite_of,
    statement_at,
)


class Heads:
    """The heads of one log.

    Args:
      core: our tree, as far as we hold it.
      may_truncate: whether its writer may; then heads of other forks are not compared.
      ahead: what an earlier life of this table had kept.

    Attributes:
      ahead: the heads that our tree does not contain yet, shortest first.
      found: the first contradiction, which is enough.
      version: changes whenever ``ahead`` or ``found`` does, for whoever stores them.
      may_truncate: as given.
      manifest: the one that the heads were checked with, once there was one.
    """

    def __init__(
        self, core: CoreReader, *, may_truncate: bool = False, ahead: Iterable[TreeHead] = ()
    ) -> None:
        self.ahead: list[TreeHead] = []
        self.found: Contradiction | None = None
        self.version = 0
        self.manifest = core.manifest
        self._core = core
        self.may_truncate = may_truncate
        for head in ahead:
            self._keep(head)
        if core.head.fork and not may_truncate:
            self.found = Truncation(core.head, None)

    @property
    def frozen(self) -> bool:
        """Whether the log has to stay as it is: its writer broke its promise."""
        return self.found is not None and not self.may_truncate

    # seeing ---------------------------------------------------------------------------------------

    def see_untrusted(
        self, head: TreeHead, manifest: Manifest | None = None
    ) -> Contradiction | None:
        """Take a head that a peer showed; gives the contradiction that it makes, if any.

        Args:
          manifest: the one that came with it; not looked at when one is known. None stands for
            the key itself being the writer's.

        Raises:
          ProofError: the log's writers did not sign it.
        """
        if any(_same_statement(head, known) for known in (self._core.head, *self.ahead)):
            return None
        known_manifest = self._core.manifest or manifest or default_manifest(self._core.key)
        check_head_untrusted(self._core.key, known_manifest, head)
        return self._compare(head, _roots_of(head), known_manifest)

    def see_tree_untrusted(self, data: Data) -> tuple[TreeHead, Contradiction | None]:
        """Take the upgrade from 0 with which a peer showed its tree; see ``see_untrusted``.

        Raises:
          ProofError: any part of it does not verify.
        """
        change = verify_first_upgrade_untrusted(self._core.key, self._core.manifest, data)
        head, manifest = change.head, self._core.manifest or change.manifest
        assert head is not None, "an upgrade always gives a head"
        assert manifest is not None, "it was verified with one"
        assert data.upgrade is not None, "it was verified"
        if not names_its_log(self._core.key, manifest):
            return head, None
        return head, self._compare(head, nodes_of_upgrade(data.upgrade), manifest)

    def grown(self) -> Contradiction | None:
        """Our tree grew, or nodes of it were stored: settle what can be settled."""
        ours = self._core.head
        for head in [head for head in self.ahead if head.length <= ours.length]:
            if self.may_truncate and head.fork != ours.fork:
                self._drop(head)
                continue
            contradiction = self._against_tree(head, _roots_of(head), self._core.manifest)
            if contradiction is not None:
                return self._find(contradiction)
            if self._contains(head):
                self._drop(head)
        return None

    def note(self, contradiction: Contradiction) -> None:
        """Take over a contradiction that was checked elsewhere."""
        self._find(contradiction)

    def question(self, head: TreeHead) -> int | None:
        """The length at which somebody's tree has to be seen to settle a kept head.

        For a head longer than our tree it is the peer that showed it who can tell. None when there
        is nothing to ask.
        """
        if head not in self.ahead:
            return None
        return min(head.length, self._core.head.length) or None

    # comparing ------------------------------------------------------------------------------------

    def _compare(
        self, head: TreeHead, nodes: Mapping[int, TreeNode], manifest: Manifest
    ) -> Contradiction | None:
        ours = self._core.head
        self.manifest = manifest
        if head.fork and not self.may_truncate:
            known = [each for each in (ours, *self.ahead) if each.length and not each.fork]
            return self._find(Truncation(head, known[0] if known else None))
        if head.fork != ours.fork:
            return None
        contradiction = self._against_tree(head, nodes, manifest)
        if contradiction is None:
            contradiction = self._against_kept(head, nodes, manifest)
        if contradiction is not None:
            return self._find(contradiction)
        if head.length > ours.length or not self._contains(head):
            self._keep(head)
        return None

    def _against_tree(
        self, head: TreeHead, nodes: Mapping[int, TreeNode], manifest: Manifest | None
    ) -> Contradiction | None:
        ours = self._core.head
        if not ours.length or ours.fork != head.fork:
            return None
        if ours.length == head.length:
            differ = heads_differ(manifest, ours, head)
            return rewrite_of(Statement(ours), Statement(head)) if differ else None
        return _first_difference(nodes, (head, nodes.get), (ours, self._core.node))

    def _against_kept(
        self, head: TreeHead, nodes: Mapping[int, TreeNode], manifest: Manifest
    ) -> Contradiction | None:
        for kept in self.ahead:
            if kept.fork != head.fork:
                continue
            if kept.length == head.length:
                if heads_differ(manifest, kept, head):
                    return rewrite_of(Statement(kept), Statement(head))
                continue
            roots = _roots_of(kept)
            contradiction = _first_difference(roots, (head, nodes.get), (kept, roots.get))
            if contradiction is not None:
                return contradiction
            if roots.keys() <= nodes.keys():
                # The new head has it in its tree, and stands for it from now on.
                self._drop(kept)
        return None

    def _contains(self, head: TreeHead) -> bool:
        """Whether our tree is known to have been at ``head``."""
        if head.length > self._core.head.length:
            return False
        stored = [self._core.node(root.index) for root in head.roots]
        pairs = zip(stored, head.roots, strict=True)
        return all(node is not None and node.hash == root.hash for node, root in pairs)

    # keeping --------------------------------------------------------------------------------------

    def _find(self, contradiction: Contradiction) -> Contradiction:
        if self.found is None:
            self.found = contradiction
            self.version += 1
        return contradiction

    def _keep(self, head: TreeHead) -> None:
        if any(_same_statement(head, kept) for kept in self.ahead):
            return
        self.ahead.append(head)
        self.ahead.sort(key=lambda each: each.length)
        del self.ahead[:-MAX_KEPT_HEADS]
        self.version += 1

    def _drop(self, head: TreeHead) -> None:
        self.ahead = [each for each in self.ahead if each is not head]
        self.version += 1


_Tree = tuple[TreeHead, Callable[[int], TreeNode | None]]
"""A head, and what is known of the tree below it."""


def _first_difference(indexes: Iterable[int], first: _Tree, second: _Tree) -> Rewrite | None:
    """The leftmost of these places that is full under both heads, with different nodes."""
    shared = min(first[0].length, second[0].length)
    for index in sorted(indexes):
        if end_length(index) > shared:
            continue
        one, other = first[1](index), second[1](index)
        if one is None or other is None or one.hash == other.hash:
            continue
        here = statement_at(first[0], index, first[1])
        there = statement_at(second[0], index, second[1])
        if here is not None and there is not None:
            return rewrite_of(here, there)
    return None


def _roots_of(head: TreeHead) -> dict[int, TreeNode]:
    return {root.index: root for root in head.roots}


def _same_statement(first: TreeHead, second: TreeHead) -> bool:
    return (first.fork, first.length, first.roots) == (second.fork, second.length, second.roots)
