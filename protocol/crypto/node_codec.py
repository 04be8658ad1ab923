"""Tree nodes as bytes: the form they have in proofs and in multisignatures.

Wire facts: specs/04-merkle-log.md section 2; npm ``hypercore`` 11 (``lib/messages.js``).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..encoding.compact import Decoder, encode_uint
from ..limits import MAX_PROOF_NODES
from .hashes import HASH_BYTES, TreeNode


def encode_node(node: TreeNode) -> bytes:
    """Encode a node: ``uint`` index, ``uint`` size, 32 bytes of hash."""
    index, size, digest = node
    return encode_uint(index) + encode_uint(size) + digest


def encode_nodes(nodes: Iterable[TreeNode]) -> bytes:
    """Encode nodes behind their count."""
    parts = [encode_node(node) for node in nodes]
    return encode_uint(len(parts)) + b"".join(parts)


def decode_node_untrusted(decoder: Decoder) -> TreeNode:
    """Read one node.

    Raises:
      DecodeError: the bytes end too early.
    """
    index = decoder.uint()
    size = decoder.uint()
    return TreeNode(index, size, decoder.fixed(HASH_BYTES))


def decode_nodes_untrusted(decoder: Decoder, limit: int = MAX_PROOF_NODES) -> tuple[TreeNode, ...]:
    """Read a count and that many nodes.

    Raises:
      DecodeError: more than ``limit`` nodes, or the bytes end too early.
    """
    count = decoder.count(limit)
    return tuple([decode_node_untrusted(decoder) for _ in range(count)])
