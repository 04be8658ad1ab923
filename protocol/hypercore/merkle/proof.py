"""Requests and proofs: the parts of the ``request`` and ``data`` messages, decoded.

A request names what a peer lacks; a proof carries it together with the tree nodes that tie it to
what the peer already trusts. Wire facts: specs/04-merkle-log.md section 5 and
specs/05-replication.md; npm ``hypercore`` 11.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...crypto.hashes import TreeNode
from ...crypto.manifest import Manifest


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """Asks for a block.

    Attributes:
      index: of the block.
      nodes: how many steps above its leaf the nearest node lies that the requester holds.
    """

    index: int
    nodes: int


@dataclass(frozen=True, slots=True)
class HashRequest:
    """Asks for a tree node.

    Attributes:
      index: flat-tree index.
      nodes: how many steps above it the nearest node lies that the requester holds.
    """

    index: int
    nodes: int


@dataclass(frozen=True, slots=True)
class SeekRequest:
    """Asks which block holds a byte.

    Attributes:
      bytes: offset of the byte in the log.
      padding: bytes of each block that do not count (8 in an encrypted log, else 0).
    """

    bytes: int
    padding: int = 0


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """Asks for the growth of the tree.

    Attributes:
      start: length the requester has.
      length: blocks to add.
    """

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Request:
    """A ``request`` message.

    Attributes:
      id: chosen by the requester, repeated in the answer; 0 is used for conflicts and pushes.
      fork: the fork the request speaks about.
      block, hash, seek, upgrade: what is asked for; a block and a hash exclude each other.
      manifest: whether the manifest is asked for too.
      priority: 0 to 2; higher may be served first.
    """

    id: int
    fork: int
    block: BlockRequest | None = None
    hash: HashRequest | None = None
    seek: SeekRequest | None = None
    upgrade: UpgradeRequest | None = None
    manifest: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True)
class BlockPart:
    """A block and the siblings on the way from its leaf up.

    Attributes:
      index: of the block.
      value: the block as it stands in the tree.
      nodes: siblings, from the leaf up.
    """

    index: int
    value: bytes
    nodes: tuple[TreeNode, ...] = ()


@dataclass(frozen=True, slots=True)
class HashPart:
    """A node and the siblings on the way from it up.

    Attributes:
      index: flat-tree index that was asked for.
      nodes: the node itself, then siblings from there up.
    """

    index: int
    nodes: tuple[TreeNode, ...]


@dataclass(frozen=True, slots=True)
class SeekPart:
    """The node a seek landed on and the siblings on the way from it up.

    Attributes:
      bytes: the offset that was asked for.
      nodes: the node itself, then siblings from there up.
    """

    bytes: int
    nodes: tuple[TreeNode, ...]


@dataclass(frozen=True, slots=True)
class UpgradePart:
    """The growth of a tree.

    Attributes:
      start: length the proof starts from.
      length: blocks that ``nodes`` add.
      nodes: what is missing for the roots at ``start + length``.
      additional_nodes: what is missing from there to the length that was signed.
      signature: the signature field of the head, or None.
    """

    start: int
    length: int
    nodes: tuple[TreeNode, ...]
    additional_nodes: tuple[TreeNode, ...] = ()
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class Data:
    """A ``data`` message: the proof that answers a request.

    Attributes:
      request: id of the request, or 0 when none was made.
      fork: of the tree the proof speaks about.
      block, hash, seek, upgrade, manifest: the parts that were asked for.
    """

    request: int
    fork: int
    block: BlockPart | None = None
    hash: HashPart | None = None
    seek: SeekPart | None = None
    upgrade: UpgradePart | None = None
    manifest: Manifest | None = None
