"""BLAKE2b hashes of the Merkle log: leaves, parents, whole trees, discovery keys.

Wire facts: specs/04-merkle-log.md section 1; npm ``hypercore-crypto`` 3.7.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

HASH_BYTES = 32

_LEAF = Struct("<BQ")
_SIZE_PREFIX = Struct("<BQ32s32s")
_ROOT = Struct("<32sQQ")

_LEAF_TYPE = 0
_PARENT_TYPE = 1
_TREE_PREFIX = b"\x02"
_DISCOVERY_MESSAGE = b"hypercore"

# One pack call each on the hot path, instead of an attribute look-up first.
_pack_leaf = _LEAF.pack
_pack_parent = _SIZE_PREFIX.pack
_pack_root = _ROOT.pack


class TreeNode(NamedTuple):
    """A node of the Merkle tree.

    Attributes:
      index: flat-tree index; even for leaves (block i has index 2 i), odd for parents.
      size: total bytes of the blocks below it.
      hash: 32 bytes.
    """

    index: int  # type: ignore[assignment]  # the field hides tuple.index, on purpose
    size: int
    hash: bytes


def blake2b_256(data: bytes, key: bytes = b"") -> bytes:
    """BLAKE2b with 32 bytes of output, optionally keyed (at most 64 bytes of key)."""
    return blake2b(data, digest_size=32, key=key).digest()


def leaf_hash(data: bytes) -> bytes:
    """The 32-byte hash of a block."""
    return blake2b(_pack_leaf(_LEAF_TYPE, len(data)) + data, digest_size=32).digest()


def leaf_node(index_of_block: int, data: bytes) -> TreeNode:
    """The leaf of block ``index_of_block``."""
    size = len(data)
    digest = blake2b(_pack_leaf(_LEAF_TYPE, size) + data, digest_size=32).digest()
    return TreeNode(2 * index_of_block, size, digest)


def parent_hash(size: int, left: bytes, right: bytes) -> bytes:
    """The 32-byte hash over two children, left first; ``size`` is the sum of their sizes."""
    return blake2b(_pack_parent(_PARENT_TYPE, size, left, right), digest_size=32).digest()


def parent_node(a: TreeNode, b: TreeNode) -> TreeNode:
    """The parent of two sibling nodes, given in any order."""
    if a.index > b.index:
        a, b = b, a
    size = a.size + b.size
    digest = blake2b(_pack_parent(_PARENT_TYPE, size, a.hash, b.hash), digest_size=32).digest()
    # Siblings lie symmetrically around their parent.
    return TreeNode((a.index + b.index) // 2, size, digest)


def tree_hash(roots: Iterable[TreeNode]) -> bytes:
    """The 32-byte hash over all roots, left to right; what a log's signature covers."""
    packed = [_pack_root(digest, index, size) for index, size, digest in roots]
    return blake2b(_TREE_PREFIX + b"".join(packed), digest_size=32).digest()


def discovery_key(key: bytes) -> bytes:
    """The 32-byte id under which peers look for the log with this 32-byte key."""
    return blake2b(_DISCOVERY_MESSAGE, digest_size=32, key=key).digest()
