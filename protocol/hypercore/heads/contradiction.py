"""Two signed statements about one log that no single history of it has, and how that is checked.

A *statement* is a signed head. Two of them contradict each other

- when their fork numbers differ: the writer truncated the log. In a log that may never be truncated
  a fork number above zero is enough (``Truncation``);
- when the fork numbers are equal and the trees are not those of one growing log (``Rewrite``): of
  equal length and with different tree hashes; or of any lengths, with different nodes at one place
  that is full in both. A path leads from such a node up to a root of its head, which the signature
  covers.

Only hashes of nodes are compared, never their sizes: a parent's hash covers no more than the sum of
its children's sizes, so whoever relays a proof could divide that sum in another way, and frame an
honest writer. Sizes count where a signature covers them directly, which is in the tree hash of
heads of equal length; but not where a signature may be over a longer tree (``allow_patch``).

Signatures of a version 0 log with several signers name neither the log nor its quorum, so one that
was given to another log would pass. Nothing is ever concluded from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ...crypto.hashes import HASH_BYTES, TreeNode, parent_node
from ...crypto.manifest import Manifest
from ...errors import LocalProtocolError, ProofError
from ...limits import (
    MAX_LOG_LENGTH_BLOCKS,
    MAX_PROOF_NODES,
    MAX_SAFE_INTEGER,
    MAX_SIGNATURE_BYTES,
)
from ..core import TreeHead
from ..merkle.flat_tree import sibling
from ..merkle.growth import is_unsigned
from ..merkle.proof import UpgradePart
from ..merkle.quorum import verify_head


@dataclass(frozen=True, slots=True)
class Statement:
    """A signed head and, where it takes one, the way from a node of its tree up to a root.

    Attributes:
      head: with its signature.
      path: the node, then its siblings in order up to a root of ``head``; empty when the heads
        are compared as a whole.
    """

    head: TreeHead
    path: tuple[TreeNode, ...] = ()


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Two heads with one fork number that no single history has; the shorter one first."""

    first: Statement
    second: Statement


@dataclass(frozen=True, slots=True)
class Truncation:
    """A head with a fork number above zero.

    Attributes:
      head: signed.
      before: a signed head with a lower fork number, if one is known.
    """

    head: TreeHead
    before: TreeHead | None


Contradiction: TypeAlias = Rewrite | Truncation


def rewrite_of(first: Statement, second: Statement) -> Rewrite:
    """The rewrite that two statements show, in the order that makes it the same for everyone."""
    if first.head.length == second.head.length:
        first, second = Statement(first.head), Statement(second.head)
    pair = sorted((first, second), key=lambda each: (each.head.length, each.head.hash()))
    return Rewrite(*pair)


def check_head_untrusted(key: bytes, manifest: Manifest, head: TreeHead) -> None:
    """Check that the writers of the log signed this head, of which nothing is known yet.

    Raises:
      ProofError: they did not, or their signatures would not tell which log they are for.
    """
    if not 0 <= head.fork <= MAX_SAFE_INTEGER or not 0 < head.length <= MAX_LOG_LENGTH_BLOCKS:
        raise ProofError("a head out of any log")
    if head.signature is not None and len(head.signature) > MAX_SIGNATURE_BYTES:
        raise ProofError(f"a signature of {len(head.signature)} bytes is over the limit")
    _check_nodes(head.roots)
    if not names_its_log(key, manifest):
        raise ProofError("signatures of such a version 0 log do not name the log they are for")
    try:
        genuine = verify_head(key, manifest, head)
        unsigned = is_unsigned(manifest, key, head.length)
    except LocalProtocolError as error:
        raise ProofError("a manifest that nobody can have hashed") from error
    if not genuine:
        raise ProofError(f"no valid signature for length {head.length}, fork {head.fork}")
    if unsigned and head.fork:
        raise ProofError("without a signature nobody vouches for a fork")


def names_its_log(key: bytes, manifest: Manifest) -> bool:
    """Whether a signature for this log can be for no other; see the top of this file."""
    return manifest.version > 0 or len(manifest.signers) == 1 or manifest.is_compat(key)


def check_truncation_untrusted(key: bytes, manifest: Manifest, truncation: Truncation) -> None:
    """Check that the writers of the log truncated it.

    Raises:
      ProofError: the statements are not theirs, or do not show that.
    """
    head, before = truncation.head, truncation.before
    if head.fork == 0:
        raise ProofError("a log with fork number 0 was never truncated")
    if before is not None and before.fork >= head.fork:
        raise ProofError("the earlier head has no lower fork number")
    check_head_untrusted(key, manifest, head)
    if before is not None:
        check_head_untrusted(key, manifest, before)


def check_rewrite_untrusted(key: bytes, manifest: Manifest, rewrite: Rewrite) -> None:
    """Check that the writers of the log signed two heads that no single history has.

    Raises:
      ProofError: the statements are not theirs, or do not contradict each other.
    """
    first, second = rewrite.first, rewrite.second
    if first.head.fork != second.head.fork:
        raise ProofError("heads with different fork numbers are no rewrite")
    if first.head.length == second.head.length:
        if first.path or second.path:
            raise ProofError("heads of equal length are compared as a whole")
        if not heads_differ(manifest, first.head, second.head):
            raise ProofError("the two heads are the same statement")
    else:
        if first.head.length > second.head.length:
            raise ProofError("the longer head comes first")
        _check_paths(first, second)
    check_head_untrusted(key, manifest, first.head)
    check_head_untrusted(key, manifest, second.head)


def heads_differ(manifest: Manifest | None, first: TreeHead, second: TreeHead) -> bool:
    """Whether two genuine heads of equal length and fork contradict each other."""
    if manifest is None or manifest.allow_patch:
        return [root.hash for root in first.roots] != [root.hash for root in second.roots]
    return first.hash() != second.hash()


def _check_paths(first: Statement, second: Statement) -> None:
    if not first.path or not second.path or first.path[0].index != second.path[0].index:
        raise ProofError("the heads are not compared at one node")
    if first.path[0].hash == second.path[0].hash:
        raise ProofError("the two trees have the same node there")
    for statement in (first, second):
        _check_nodes(statement.path)
        current = statement.path[0]
        for node in statement.path[1:]:
            if node.index != sibling(current.index):
                raise ProofError(f"node {node.index} is not the sibling of {current.index}")
            current = parent_node(current, node)
        if current not in statement.head.roots:
            raise ProofError("a path does not lead to a root of its head")


def _check_nodes(nodes: Sequence[TreeNode]) -> None:
    if len(nodes) > MAX_PROOF_NODES:
        raise ProofError(f"{len(nodes)} nodes are more than a proof can need")
    for index, size, digest in nodes:
        if len(digest) != HASH_BYTES or not 0 <= size <= MAX_SAFE_INTEGER:
            raise ProofError(f"node {index} is none of a log")
        if not 0 <= index <= 2 * MAX_LOG_LENGTH_BLOCKS:
            raise ProofError(f"node {index} is out of any log")


# What is known of a tree --------------------------------------------------------------------------


def nodes_of_upgrade(upgrade: UpgradePart) -> dict[int, TreeNode]:
    """All nodes that a verified upgrade from length 0 shows, by their index."""
    nodes: dict[int, TreeNode] = {}
    roots: list[TreeNode] = []
    for node in (*upgrade.nodes, *upgrade.additional_nodes):
        nodes[node.index] = node
        roots.append(node)
        while len(roots) > 1 and sibling(roots[-1].index) == roots[-2].index:
            right, left = roots.pop(), roots.pop()
            top = parent_node(left, right)
            nodes[top.index] = top
            roots.append(top)
    return nodes


def statement_at(
    head: TreeHead, index: int, node: Callable[[int], TreeNode | None]
) -> Statement | None:
    """The statement that ``head`` makes about the node at ``index``; None when its way up is not
    known. ``node`` gives what is known of the tree."""
    tops = {root.index: root for root in head.roots}
    current = tops.get(index) or node(index)
    if current is None:
        return None
    path = [current]
    while current.index not in tops:
        other = node(sibling(current.index))
        if other is None or len(path) == MAX_PROOF_NODES:
            return None
        path.append(other)
        current = parent_node(current, other)
    return Statement(head, tuple(path)) if tops[current.index] == current else None
