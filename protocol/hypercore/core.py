"""What a Hypercore is, for the code that reads, verifies and grows it.

Merkle and replication code never touches storage: it reads through a ``CoreReader`` and answers
with a ``CoreChange``, which storage applies as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..crypto.hashes import TreeNode, tree_hash
from ..crypto.manifest import Manifest


@dataclass(frozen=True, slots=True)
class TreeHead:
    """One state of a log: what a signature of the log's writer speaks about.

    Attributes:
      length: number of blocks.
      byte_length: total bytes of these blocks.
      fork: how often the log was truncated.
      roots: the peaks of the Merkle tree, left to right.
      signature: the signature field as it stands on the wire (see specs), or None where the
        log needs none (empty, or exactly its prologue).
    """

    length: int
    byte_length: int
    fork: int
    roots: tuple[TreeNode, ...]
    signature: bytes | None

    def hash(self) -> bytes:
        """The 32-byte tree hash over the roots."""
        return tree_hash(self.roots)

    def signed(self, signature: bytes | None) -> TreeHead:
        """The same head under ``signature``."""
        return TreeHead(self.length, self.byte_length, self.fork, self.roots, signature)


EMPTY_HEAD = TreeHead(length=0, byte_length=0, fork=0, roots=(), signature=None)


@dataclass(frozen=True, slots=True)
class CoreChange:
    """Verified news about one log, to be stored all together or not at all.

    Attributes:
      nodes: tree nodes to keep.
      blocks: blocks with their index.
      head: the new head, or None when the tree did not grow.
      manifest: a manifest learnt from the peer, or None.
      truncated_to: set by a reorganisation: everything at or above this block index was dropped
        before the rest of the change applies.
    """

    nodes: Sequence[TreeNode] = ()
    blocks: Sequence[tuple[int, bytes]] = ()
    head: TreeHead | None = None
    manifest: Manifest | None = None
    truncated_to: int | None = None


class SignedLog(Protocol):
    """One log, and the newest that its writer is known to have signed."""

    @property
    def key(self) -> bytes:
        """The 32-byte key of the log."""

    @property
    def discovery_key(self) -> bytes:
        """The 32-byte id under which the log is looked for; does not reveal the key."""

    @property
    def manifest(self) -> Manifest | None:
        """The manifest, once known."""

    @property
    def head(self) -> TreeHead:
        """The newest verified head."""


class CoreReader(SignedLog, Protocol):
    """Synchronous view of one stored log, including changes applied but not durable yet."""

    @property
    def contiguous_length(self) -> int:
        """Number of blocks held from block 0 on without a gap."""

    def node(self, index: int) -> TreeNode | None:
        """The tree node at a flat-tree index, if stored."""

    def block(self, index: int) -> bytes | None:
        """A block as it stands in the tree, if stored."""

    def has(self, index: int) -> bool:
        """Whether the block is stored."""

    def bitfield(self, start: int, length: int) -> bytes:
        """Which of the blocks ``start`` to ``start + length`` are stored.

        Both are multiples of 32. Bit i of the result, lowest bit of each byte first, stands for
        block ``start + i``.
        """
