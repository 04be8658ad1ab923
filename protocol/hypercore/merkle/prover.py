"""Building proofs: the answer to a peer's request, from what is stored here.

The peer trusts some node above what it asks for (or asks for an upgrade, which is signed). The
proof lists the siblings from what is asked up to that node, so that the peer can recompute it.
Wire facts: specs/04-merkle-log.md section 5; npm ``hypercore`` 11 (``lib/merkle-tree.js``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ...crypto.hashes import TreeNode
from ...crypto.manifest import Manifest
from ...errors import LocalProtocolError
from ..core import CoreReader
from .flat_tree import (
    contains,
    end_length,
    full_roots,
    leaf_count,
    left_child,
    left_span,
    parent,
    right_child,
    sibling,
    upgrade_indexes,
)
from .proof import BlockPart, Data, HashPart, Request, SeekPart, SeekRequest, UpgradePart


class NoDataReason(IntEnum):
    """Why a request gets no proof; the value is the one of the ``noData`` message."""

    NOT_AVAILABLE = 1
    INVALID_REQUEST = 2


class CannotProve(LocalProtocolError):
    """This request has no proof; ``reason`` says whether the store or the request is at fault."""

    def __init__(self, reason: NoDataReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Target:
    """What is asked for: a leaf whose block is sent, or a node that is listed itself."""

    index: int
    nodes: int
    is_block: bool


def build_proof(core: CoreReader, request: Request) -> Data:
    """Answer ``request`` from ``core``.

    Raises:
      CannotProve: the request is for another fork, for something not stored, or makes no sense.
    """
    try:
        return _build(core, request)
    except CannotProve as failure:
        wants_manifest = request.manifest and _sendable_manifest(core) is not None
        if failure.reason is NoDataReason.NOT_AVAILABLE and wants_manifest:
            return Data(request.id, core.head.fork, manifest=_sendable_manifest(core))
        raise


def missing_nodes(core: CoreReader, block_index: int) -> int:
    """How many steps above a block's leaf the nearest stored node lies.

    This is ``nodes`` of a request for the block: 0 when the leaf itself is stored, and 0 for a
    block beyond the log, which is requested together with an upgrade.
    """
    end = 2 * core.head.length
    node = 2 * block_index
    if node >= end:
        return 0
    count = 0
    while not contains(node, end) and core.node(node) is None:
        node = parent(node)
        count += 1
    return count


def max_missing_nodes(index: int, length: int) -> int:
    """What ``missing_nodes`` gives for a peer that holds only the roots at ``length`` blocks.

    ``index`` is a flat-tree index; 0 for one outside the tree or a root.
    """
    if end_length(index) > length or index in full_roots(length):
        return 0
    count = 0
    node = parent(index)
    while not contains(node, 2 * length):
        node = parent(node)
        count += 1
    return count


def _build(core: CoreReader, request: Request) -> Data:
    head = core.head
    if request.fork != head.fork:
        raise _not_available(f"the log is at fork {head.fork}")
    if request.block is not None and not core.has(request.block.index):
        raise _not_available(f"block {request.block.index} is not stored")
    manifest = _sendable_manifest(core) if request.manifest else None
    if head.length == 0:
        return Data(request.id, request.fork, manifest=manifest)
    walk = _Walk(core, request)
    walk.run()
    return Data(
        request.id,
        request.fork,
        block=_block_part(core, request, walk),
        hash=_hash_part(request, walk),
        seek=_seek_part(request, walk),
        upgrade=_upgrade_part(core, walk),
        manifest=manifest,
    )


def _block_part(core: CoreReader, request: Request, walk: _Walk) -> BlockPart | None:
    if request.block is None:
        return None
    value = core.block(request.block.index)
    if value is None:
        raise _not_available(f"block {request.block.index} is not stored")
    return BlockPart(request.block.index, value, tuple(walk.target_path()))


def _hash_part(request: Request, walk: _Walk) -> HashPart | None:
    if request.hash is None:
        return None
    return HashPart(request.hash.index, tuple(walk.target_path()))


def _seek_part(request: Request, walk: _Walk) -> SeekPart | None:
    if request.seek is None or walk.seek_nodes is None:
        return None
    return SeekPart(request.seek.bytes, tuple(walk.seek_nodes))


def _upgrade_part(core: CoreReader, walk: _Walk) -> UpgradePart | None:
    if not walk.is_upgrade:
        return None
    additional = upgrade_indexes(walk.end, core.head.length)
    return UpgradePart(
        walk.start,
        walk.end - walk.start,
        tuple(walk.upgrade_nodes),
        tuple([_node(core, index) for index in additional]),
        core.head.signature,
    )


class _Walk:
    """One request's way through the tree, and the three node lists it collects on it.

    Attributes:
      is_upgrade: whether an upgrade is asked for.
      start, end: lengths in blocks between which the tree grows.
      upgrade_nodes: what takes a peer from the one to the other.
      seek_nodes: the path of a seek, or None when it needs none.
    """

    def __init__(self, core: CoreReader, request: Request) -> None:
        self.core = core
        self.seek = request.seek
        self.target = _target_of(request)
        self.is_upgrade = request.upgrade is not None
        self.start, self.end = _upgrade_range(core, request)
        self.upgrade_nodes: list[TreeNode] = []
        self.seek_nodes: list[TreeNode] | None = None
        self._target_nodes: list[TreeNode] | None = None

    def target_path(self) -> list[TreeNode]:
        if self._target_nodes is None:
            raise _invalid("what is asked for is not part of the upgrade")
        return self._target_nodes

    def run(self) -> None:
        target, seek = self.target, self.seek
        is_new = target is not None and target.index >= 2 * self.start
        if self.is_upgrade and seek is not None and is_new:
            raise _invalid("a seek and a block in the same new part of the log")
        # The node that an upgrade has to lead to, in place of the first node that covers it.
        inside: int | None = None
        if target is not None and (not self.is_upgrade or end_length(target.index) <= self.start):
            self._prove_below_known_node(target)
        elif self.is_upgrade and seek is not None:
            inside = self._seek_from_roots(seek)
        elif self.is_upgrade and target is not None:
            inside = target.index
        if self.is_upgrade:
            self._prove_upgrade(inside)

    def _prove_below_known_node(self, target: _Target) -> None:
        top = target.index
        end = 2 * self.end
        if end_length(top) > self.end:
            raise _invalid(f"node {top} is outside the tree")
        for _ in range(target.nodes):
            top = parent(top)
            if contains(top, end):
                raise _invalid(f"node {top} is not full yet")
        landing = None if self.seek is None else self._seek_below(top, self.seek)
        self._list_paths(target, landing, top)

    def _prove_upgrade(self, inside: int | None) -> None:
        for index in upgrade_indexes(self.start, self.end):
            if inside is not None and contains(index, inside):
                target, landing = self.target, inside if self.seek is not None else None
                self._list_paths(target, landing, index)
                inside = None
            else:
                self.upgrade_nodes.append(_node(self.core, index))

    def _list_paths(self, target: _Target | None, landing: int | None, top: int) -> None:
        """Collect the siblings from ``target`` and from the node a seek landed on up to ``top``."""
        if target is None:
            assert landing is not None
            self.seek_nodes = self._path(landing, top)
            return
        if not contains(top, target.index):
            raise _invalid(f"node {target.index} is not below node {top}")
        nodes = [] if target.is_block else [_node(self.core, target.index)]
        node = target.index
        while node != top:
            other = sibling(node)
            if landing is not None and landing != other and contains(other, landing):
                self.seek_nodes = self._path(landing, other)
            else:
                nodes.append(_node(self.core, other))
            node = parent(node)
        self._target_nodes = nodes

    def _path(self, node: int, top: int) -> list[TreeNode]:
        """The node itself and the siblings from it up to ``top``."""
        nodes = [_node(self.core, node)]
        while node != top:
            nodes.append(_node(self.core, sibling(node)))
            node = parent(node)
        return nodes

    def _seek_below(self, top: int, seek: SeekRequest) -> int:
        """The node below ``top`` that byte ``seek.bytes`` of the log leads to."""
        leaves_before = left_span(top) // 2
        relative = seek.bytes - _byte_offset(self.core, top) + seek.padding * leaves_before
        if relative < 0:
            raise _invalid("the byte lies before the node that is asked for")
        if relative and _content_size(_node(self.core, top), seek.padding) <= relative:
            raise _invalid("the byte lies after the node that is asked for")
        return self._descend(top, relative, seek.padding)

    def _seek_from_roots(self, seek: SeekRequest) -> int | None:
        """The node that byte ``seek.bytes`` leads to from the roots at the end of the upgrade."""
        relative = seek.bytes
        for root in full_roots(self.end):
            size = _content_size(_node(self.core, root), seek.padding)
            if relative == size:
                return root
            if relative < size:
                return self._descend(root, relative, seek.padding)
            relative -= size
        return None

    def _descend(self, node: int, relative: int, padding: int) -> int:
        if relative == 0:
            return node
        while node & 1:
            left = self.core.node(left_child(node))
            if left is None:
                return node
            size = _content_size(left, padding)
            if size == relative:
                return left.index
            if size > relative:
                node = left.index
            else:
                relative -= size
                node = right_child(node)
        return node


def _target_of(request: Request) -> _Target | None:
    if request.block is not None and request.hash is not None:
        raise _invalid("a block and a hash in one request")
    if request.block is not None:
        return _Target(2 * request.block.index, request.block.nodes, True)
    if request.hash is not None:
        return _Target(request.hash.index, request.hash.nodes, False)
    return None


def _upgrade_range(core: CoreReader, request: Request) -> tuple[int, int]:
    """Start and end of the upgrade in blocks; from 0 to the whole log without one."""
    upgrade = request.upgrade
    if upgrade is None:
        return 0, core.head.length
    start, end = upgrade.start, upgrade.start + upgrade.length
    prologue = None
    if core.manifest is not None and not core.manifest.is_compat(core.key):
        prologue = core.manifest.prologue
    if prologue is not None and start < prologue.length:
        start, end = 0, prologue.length
    if start >= end or end > core.head.length:
        raise _invalid(f"the log has {core.head.length} blocks")
    return start, end


def _sendable_manifest(core: CoreReader) -> Manifest | None:
    """The manifest, unless the key says it all."""
    if core.manifest is None or core.manifest.is_compat(core.key):
        return None
    return core.manifest


def _byte_offset(core: CoreReader, index: int) -> int:
    """Bytes of the log before the blocks below ``index``."""
    first = left_span(index)
    total = 0
    for root in core.head.roots:
        if not contains(root.index, first):
            total += root.size
            continue
        node = root.index
        while left_span(node) != first:
            left = left_child(node)
            if contains(left, first):
                node = left
            else:
                total += _node(core, left).size
                node = right_child(node)
        return total
    raise _invalid(f"node {index} is outside the tree")


def _content_size(node: TreeNode, padding: int) -> int:
    """Bytes below ``node`` without the padding of each block."""
    return node.size - padding * leaf_count(node.index)


def _node(core: CoreReader, index: int) -> TreeNode:
    node = core.node(index)
    if node is None:
        raise _not_available(f"tree node {index} is not stored")
    return node


def _not_available(message: str) -> CannotProve:
    return CannotProve(NoDataReason.NOT_AVAILABLE, message)


def _invalid(message: str) -> CannotProve:
    return CannotProve(NoDataReason.INVALID_REQUEST, message)
