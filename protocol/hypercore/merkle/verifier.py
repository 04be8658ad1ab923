"""Verifying proofs: nothing that a peer sends is stored before it passed here.

A proof is folded from the bottom up: the block (or the node) with its siblings gives a node on the
way to the root. That node has to be one we store, or a node of the upgrade that comes in the same
message and that a signature covers.

Sizes. A parent's hash covers only the *sum* of its children's sizes. Where two siblings are both
taken from the peer, nothing says how their bytes divide, so neither of the two is kept: a node is
stored only when its size is fixed too, because we computed it, because it was folded with a node of
known size, or because it is a root under the signature.

Wire facts: specs/04-merkle-log.md section 6; npm ``hypercore`` 11 (``lib/merkle-tree.js``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...crypto.hashes import HASH_BYTES, TreeNode, leaf_node, parent_node, tree_hash
from ...crypto.manifest import Manifest, Prologue, default_manifest, manifest_key
from ...errors import LocalProtocolError, ProofError, StaleProofError
from ...limits import (
    MAX_BLOCK_BYTES,
    MAX_LOG_LENGTH_BLOCKS,
    MAX_PROOF_NODES,
    MAX_SAFE_INTEGER,
    MAX_SIGNATURE_BYTES,
)
from ..core import EMPTY_HEAD, CoreChange, CoreReader, TreeHead
from .flat_tree import end_length, sibling, upgrade_indexes
from .growth import is_unsigned
from .proof import Data, UpgradePart
from .quorum import verify_signature


class _Branch(NamedTuple):
    """The top of a folded path, not verified yet.

    Attributes:
      node: the node the path leads to.
      is_sized: whether its size is fixed by its hash; false for a node just as it was sent.
    """

    node: TreeNode
    is_sized: bool


def verify_proof_untrusted(core: CoreReader, data: Data) -> CoreChange:
    """Check everything ``data`` says against ``core``, and give what is to be stored.

    Nothing is changed. A manifest is learnt together with the first upgrade, or alone when the key
    is its hash; once one is known, others are ignored.

    Raises:
      ProofError: any part does not verify. ``StaleProofError`` when it is for another fork, or for
        an upgrade from another length, than the log has now.
    """
    _check_limits(data)
    head = core.head
    if data.upgrade is not None and data.fork > head.fork and head.length == 0:
        return verify_first_upgrade_untrusted(core.key, core.manifest, data)
    if data.fork != head.fork:
        raise StaleProofError(f"a proof for fork {data.fork}, the log is at {head.fork}")
    nodes: list[TreeNode] = []
    branch = _fold_parts(data, nodes)
    manifest = None
    new_head = None
    if data.upgrade is not None:
        manifest = _manifest_of(core.key, core.manifest, data)
        growth = _grow(core.key, manifest, head, data.upgrade, branch, data.fork)
        new_head = growth.head
        nodes += growth.nodes
        branch = growth.unused
    elif data.manifest is not None and core.manifest is None:
        manifest = _manifest_alone(core.key, data.manifest)
    if branch is not None:
        _compare_with_stored(core, branch)
    if new_head is not None:
        assert manifest is not None
        _check_signature(core.key, manifest, new_head)
    return CoreChange(
        nodes=nodes,
        blocks=_blocks_of(data),
        head=new_head,
        manifest=manifest if core.manifest is None else None,
    )


def verify_first_upgrade_untrusted(key: bytes, manifest: Manifest | None, data: Data) -> CoreChange:
    """Check an upgrade from length 0 without any stored log.

    This is how a head that a peer shows is checked for itself: for a log not known yet, for a
    longer fork, for a conflict. ``manifest`` is the known one, if any.

    Raises:
      ProofError: any part does not verify, or there is no upgrade from 0.
    """
    _check_limits(data)
    upgrade = data.upgrade
    if upgrade is None or upgrade.start != 0:
        raise ProofError("an upgrade from the start of the log was expected")
    nodes: list[TreeNode] = []
    branch = _fold_parts(data, nodes)
    used = _manifest_of(key, manifest, data)
    growth = _grow(key, used, EMPTY_HEAD, upgrade, branch, data.fork)
    if growth.unused is not None:
        raise ProofError("a path does not lead into the upgrade")
    if data.fork and is_unsigned(used, key, growth.head.length):
        raise ProofError("without a signature nobody vouches for a fork")
    _check_signature(key, used, growth.head)
    nodes += growth.nodes
    return CoreChange(
        nodes=nodes,
        blocks=_blocks_of(data),
        head=growth.head,
        manifest=used if manifest is None else None,
    )


def fold_path_untrusted(data: Data) -> list[TreeNode]:
    """All nodes of the path of a hash proof, sizes fixed or not, with its top last.

    For the search for a common prefix, which compares hashes only and checks the top itself.

    Raises:
      ProofError: there is no path, or its nodes are not siblings in order.
    """
    _check_limits(data)
    if data.hash is None or data.block is not None or data.seek is not None:
        raise ProofError("a hash proof was expected")
    current = data.hash.nodes[0]
    nodes = [current]
    for node in data.hash.nodes[1:]:
        if node.index != sibling(current.index):
            raise ProofError(f"node {node.index} is not the sibling of {current.index}")
        current = parent_node(current, node)
        nodes += (node, current)
    return nodes


def _blocks_of(data: Data) -> tuple[tuple[int, bytes], ...]:
    return () if data.block is None else ((data.block.index, data.block.value),)


# Limits -------------------------------------------------------------------------------------------


def _check_limits(data: Data) -> None:
    block, upgrade = data.block, data.upgrade
    if block is not None:
        if len(block.value) > MAX_BLOCK_BYTES:
            raise ProofError(f"a block of {len(block.value)} bytes is over the limit")
        if not 0 <= block.index < MAX_LOG_LENGTH_BLOCKS:
            raise ProofError(f"block {block.index} is out of any log")
        _check_nodes(block.nodes)
    if data.hash is not None:
        if block is not None:
            raise ProofError("a block and a hash in one proof")
        if not data.hash.nodes or data.hash.nodes[0].index != data.hash.index:
            raise ProofError("a hash proof begins with the node that was asked for")
        _check_nodes(data.hash.nodes)
    if data.seek is not None:
        if not data.seek.nodes:
            raise ProofError("a seek proof without nodes")
        _check_nodes(data.seek.nodes)
    if upgrade is not None:
        if upgrade.start < 0 or upgrade.length <= 0:
            raise ProofError("an upgrade has to add blocks")
        if upgrade.start + upgrade.length > MAX_LOG_LENGTH_BLOCKS:
            raise ProofError(f"a log of {upgrade.start + upgrade.length} blocks is over the limit")
        if upgrade.signature is not None and len(upgrade.signature) > MAX_SIGNATURE_BYTES:
            raise ProofError(f"a signature of {len(upgrade.signature)} bytes is over the limit")
        _check_nodes(upgrade.nodes)
        _check_nodes(upgrade.additional_nodes)
    if not 0 <= data.fork <= MAX_SAFE_INTEGER:
        raise ProofError("a fork number out of range")


def _check_nodes(nodes: Sequence[TreeNode]) -> None:
    if len(nodes) > MAX_PROOF_NODES:
        raise ProofError(f"{len(nodes)} nodes are more than a proof can need")
    for index, size, digest in nodes:
        if len(digest) != HASH_BYTES:
            raise ProofError(f"the hash of node {index} has {len(digest)} bytes")
        if not 0 <= index <= 2 * MAX_LOG_LENGTH_BLOCKS or not 0 <= size <= MAX_SAFE_INTEGER:
            raise ProofError(f"node {index} is out of any log")


# Paths --------------------------------------------------------------------------------------------


def _fold_parts(data: Data, kept: list[TreeNode]) -> _Branch | None:
    """Fold the seek, then the block or hash with it; ``kept`` receives the nodes below the top."""
    branch = None
    if data.seek is not None:
        nodes = data.seek.nodes
        branch = _fold(nodes[0], False, nodes[1:], None, kept)
    if data.block is not None:
        leaf = leaf_node(data.block.index, data.block.value)
        return _fold(leaf, True, data.block.nodes, branch, kept)
    if data.hash is not None:
        nodes = data.hash.nodes
        return _fold(nodes[0], False, nodes[1:], branch, kept)
    return branch


def _fold(
    current: TreeNode,
    is_sized: bool,
    siblings: Sequence[TreeNode],
    extra: _Branch | None,
    kept: list[TreeNode],
) -> _Branch:
    """Fold ``current`` with ``siblings`` in order, and with ``extra`` where that is the sibling."""
    position, count = 0, len(siblings)
    while position < count or extra is not None:
        wanted = sibling(current.index)
        if extra is not None and extra.node.index == wanted:
            other, other_is_sized = extra
            extra = None
        elif position < count:
            other, other_is_sized = siblings[position], False
            position += 1
            if other.index != wanted:
                raise ProofError(f"node {other.index} where node {wanted} belongs")
        else:
            raise ProofError(f"node {wanted} is missing")
        if is_sized or other_is_sized:
            kept.append(current)
            kept.append(other)
        current = parent_node(current, other)
        is_sized = True
    return _Branch(current, is_sized)


def _compare_with_stored(core: CoreReader, branch: _Branch) -> None:
    stored = core.node(branch.node.index)
    if stored is None:
        raise ProofError(f"the path leads to node {branch.node.index}, which is not known here")
    if stored != branch.node:
        raise ProofError(f"the path leads to another node {branch.node.index} than the stored one")


# Upgrades -----------------------------------------------------------------------------------------


class _Growth(NamedTuple):
    """Result of an upgrade: the unverified head, nodes to keep, and the path if it was not used."""

    head: TreeHead
    nodes: list[TreeNode]
    unused: _Branch | None


class _Roots:
    """Roots that grow by nodes a peer sent; keeps apart the nodes whose size is not fixed."""

    def __init__(self, roots: Sequence[TreeNode]) -> None:
        self.roots = list(roots)
        self.kept: list[TreeNode] = []
        self._unsized: set[TreeNode] = set()

    def append(self, node: TreeNode, is_sized: bool) -> None:
        roots = self.roots
        roots.append(node)
        if is_sized:
            self.kept.append(node)
        else:
            self._unsized.add(node)
        while len(roots) > 1 and sibling(roots[-1].index) == roots[-2].index:
            right, left = roots.pop(), roots.pop()
            self._merge(left, right)
            roots.append(self.kept[-1])

    def _merge(self, left: TreeNode, right: TreeNode) -> None:
        unsized = self._unsized & {left, right}
        self._unsized -= unsized
        if len(unsized) < 2:
            self.kept.extend(unsized)
        self.kept.append(parent_node(left, right))

    def nodes(self) -> list[TreeNode]:
        """What to store: the tree hash fixes the sizes of the roots that are left."""
        return self.kept + [root for root in self.roots if root in self._unsized]


def _grow(
    key: bytes,
    manifest: Manifest,
    head: TreeHead,
    upgrade: UpgradePart,
    branch: _Branch | None,
    fork: int,
) -> _Growth:
    """Grow ``head`` by the nodes of ``upgrade``; all of them have to fit, in order."""
    prologue = None if manifest.is_compat(key) else manifest.prologue
    start, end = upgrade.start, upgrade.start + upgrade.length
    if start != head.length:
        raise StaleProofError(f"an upgrade from length {start}, the log has {head.length}")
    if prologue is not None and start < prologue.length and (start or end < prologue.length):
        raise ProofError("an upgrade that leaves out part of the prologue")
    roots = _Roots(head.roots)
    position = 0
    for wanted in upgrade_indexes(start, end):
        if branch is not None and branch.node.index == wanted:
            roots.append(branch.node, branch.is_sized)
            branch = None
            continue
        if position == len(upgrade.nodes) or upgrade.nodes[position].index != wanted:
            raise ProofError(f"node {wanted} is missing from the upgrade")
        roots.append(upgrade.nodes[position], False)
        position += 1
    if position != len(upgrade.nodes):
        raise ProofError("an upgrade with more nodes than it needs")
    _check_prologue(prologue, end, roots.roots)
    length = _append_additional(roots, end, upgrade.additional_nodes)
    signature = None if is_unsigned(manifest, key, length) else upgrade.signature
    byte_length = sum(root.size for root in roots.roots)
    new_head = TreeHead(length, byte_length, fork, tuple(roots.roots), signature)
    return _Growth(new_head, roots.nodes(), branch)


def _check_prologue(prologue: Prologue | None, length: int, roots: Sequence[TreeNode]) -> None:
    if prologue is None or length != prologue.length or not length:
        return
    if tree_hash(roots) != prologue.hash:
        raise ProofError("the log does not begin with its prologue")


def _append_additional(roots: _Roots, start: int, nodes: Sequence[TreeNode]) -> int:
    """Append the nodes that lead on to the signed length, and give that length."""
    if not nodes:
        return start
    end = end_length(nodes[-1].index)
    if end <= start or end > MAX_LOG_LENGTH_BLOCKS:
        raise ProofError("additional nodes that do not extend the log")
    if [node.index for node in nodes] != upgrade_indexes(start, end):
        raise ProofError(f"additional nodes that do not lead to length {end}")
    for node in nodes:
        roots.append(node, False)
    return end


# Manifests and signatures -------------------------------------------------------------------------


def _manifest_of(key: bytes, known: Manifest | None, data: Data) -> Manifest:
    """The manifest an upgrade is checked with: the known one, the sent one, or the key's own."""
    if known is not None:
        return known
    if data.manifest is None or data.manifest.is_compat(key):
        # In a compat log only the key counts; whatever else a peer writes there is not bound to it.
        return default_manifest(key)
    _check_manifest(key, data.manifest)
    return data.manifest


def _manifest_alone(key: bytes, manifest: Manifest) -> Manifest | None:
    """A manifest sent without a signed head; only its hash can vouch for it."""
    if manifest.is_compat(key):
        return None
    _check_manifest(key, manifest)
    return manifest


def _check_manifest(key: bytes, manifest: Manifest) -> None:
    try:
        is_ours = manifest_key(manifest) == key
    except LocalProtocolError as error:
        raise ProofError("a manifest that nobody can have hashed") from error
    if not is_ours:
        raise ProofError("the manifest is not the one of this log")


def _check_signature(key: bytes, manifest: Manifest, head: TreeHead) -> None:
    if not verify_signature(key, manifest, head):
        raise ProofError(f"no valid signature for length {head.length}, fork {head.fork}")
