"""A signed head as bytes: what the gossip sends, and what a store keeps of heads ahead of its tree.

    head = uint fork || uint length || nodes: roots || optional buffer: signature

See specs/10b-heads-and-forks.md; nodes and signatures are those of specs/04-merkle-log.md.
"""

from __future__ import annotations

from ...crypto.node_codec import decode_nodes_untrusted, encode_nodes
from ...encoding.compact import Decoder, encode_optional_buffer, encode_uint
from ...errors import DecodeError
from ...limits import MAX_HEAD_ROOTS, MAX_LOG_LENGTH_BLOCKS, MAX_SIGNATURE_BYTES
from ..core import TreeHead
from ..merkle.flat_tree import full_roots


def encode_head(head: TreeHead) -> bytes:
    """Encode a head."""
    start = encode_uint(head.fork) + encode_uint(head.length) + encode_nodes(head.roots)
    return start + encode_optional_buffer(head.signature)


def decode_head_untrusted(decoder: Decoder) -> TreeHead:
    """Read one head; its signature is not checked.

    Raises:
      DecodeError: truncated, over a limit of ``protocol.limits``, or with roots that no tree of its
        length has.
    """
    fork, length = decoder.uint(), decoder.uint()
    if length > MAX_LOG_LENGTH_BLOCKS:
        raise DecodeError(f"a log of {length} blocks is over the limit")
    roots = decode_nodes_untrusted(decoder, MAX_HEAD_ROOTS)
    if [root.index for root in roots] != full_roots(length):
        raise DecodeError(f"a head with other roots than those of {length} blocks")
    signature = decoder.optional_buffer(MAX_SIGNATURE_BYTES)
    return TreeHead(length, sum(root.size for root in roots), fork, roots, signature)
