"""The fast lane: one block under a node that the downloader holds.

Nearly all messages of a download ask for one block and bring one block. What ``messages``,
``prover`` and ``verifier`` do with them in general steps is done here for this one case in as few
as possible; tests hold the two against each other. Anything else takes the general way.

Wire facts: specs/04-merkle-log.md section 5, specs/05-replication.md section 2.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct, error
from typing import NamedTuple

from ...crypto.hashes import HASH_BYTES, TreeNode
from ...encoding.compact import encode_uint
from ...errors import DecodeError, ProofError
from ...limits import (
    MAX_BLOCK_BYTES,
    MAX_LOG_LENGTH_BLOCKS,
    MAX_PROOF_NODES,
    MAX_SAFE_INTEGER,
)
from ..core import CoreReader

# The first byte (the flags) of a ``data`` message with a block and nothing else.
BLOCK_ONLY = b"\x01"

# Height of the tallest tree that a log can have; see MAX_LOG_LENGTH_BLOCKS.
_MAX_STEPS = 40

_pack_leaf = Struct("<BQ").pack
_pack_parent = Struct("<BQ32s32s").pack
_LONG = {0xFD: Struct("<H"), 0xFE: Struct("<I"), 0xFF: Struct("<Q")}
_new_node = TreeNode._make


class BlockAnswer(NamedTuple):
    """A ``data`` message with a block and nothing else, not verified.

    Attributes:
      request, fork: as in ``proof.Data``.
      index, value, nodes: as in ``proof.BlockPart``.
    """

    request: int
    fork: int
    index: int  # type: ignore[assignment]  # the field hides tuple.index, on purpose
    value: bytes
    nodes: list[TreeNode]


# Bytes --------------------------------------------------------------------------------------------


def _read_long_uint(data: bytes, at: int) -> tuple[int, int]:
    """An integer of more than one byte, and where it ends."""
    layout = _LONG[data[at]]
    value: int = layout.unpack_from(data, at + 1)[0]
    if value > MAX_SAFE_INTEGER:
        raise DecodeError("an integer has more than 53 bits")
    return value, at + 1 + layout.size


def decode_block_answer_untrusted(data: bytes) -> BlockAnswer:
    """Decode a ``data`` message that begins with ``BLOCK_ONLY``.

    Raises:
      DecodeError: truncated, or over a limit of ``protocol.limits``.
    """
    try:
        return _decode_block_answer(data)
    except (IndexError, error):
        raise DecodeError("the message ends where an integer was expected") from None


def _decode_block_answer(data: bytes) -> BlockAnswer:
    # One byte is the usual length of an integer, and a call for each would be a third of the time.
    request, at = (data[1], 2) if data[1] < 0xFD else _read_long_uint(data, 1)
    fork, at = (data[at], at + 1) if data[at] < 0xFD else _read_long_uint(data, at)
    index, at = (data[at], at + 1) if data[at] < 0xFD else _read_long_uint(data, at)
    size, at = (data[at], at + 1) if data[at] < 0xFD else _read_long_uint(data, at)
    if size > MAX_BLOCK_BYTES:
        raise DecodeError(f"a field of {size} bytes is over its limit of {MAX_BLOCK_BYTES}")
    value = data[at : at + size]
    at += size
    count, at = (data[at], at + 1) if data[at] < 0xFD else _read_long_uint(data, at)
    if count > MAX_PROOF_NODES:
        raise DecodeError(f"an array of {count} items is over its limit of {MAX_PROOF_NODES}")
    nodes = []
    for _ in range(count):
        node, at = (data[at], at + 1) if data[at] < 0xFD else _read_long_uint(data, at)
        size, at = (data[at], at + 1) if data[at] < 0xFD else _read_long_uint(data, at)
        end = at + HASH_BYTES
        nodes.append(_new_node((node, size, data[at:end])))
        at = end
    # Slices past the end come out short; then this shows it, whatever was read from them.
    if at > len(data):
        raise DecodeError("the message ends inside a field")
    return BlockAnswer(request, fork, index, value, nodes)


def encode_block_answer(
    request: int, fork: int, index: int, value: bytes, nodes: list[TreeNode]
) -> bytes:
    """Encode a ``data`` message with a block and nothing else."""
    head = b"\x01" + encode_uint(request) + encode_uint(fork) + encode_uint(index)
    parts = [head, encode_uint(len(value)), value, encode_uint(len(nodes))]
    for node, size, digest in nodes:
        parts += (encode_uint(node), encode_uint(size), digest)
    return b"".join(parts)


def encode_block_request(id_: int, fork: int, index: int, nodes: int) -> bytes:
    """Encode a ``request`` message for a block and nothing else."""
    return b"\x01" + encode_uint(id_) + encode_uint(fork) + encode_uint(index) + encode_uint(nodes)


# Proofs -------------------------------------------------------------------------------------------


def prove_block(core: CoreReader, index: int, steps: int) -> tuple[bytes, list[TreeNode]] | None:
    """A block of ``core`` with the siblings on ``steps`` steps up; None if that takes the long way.

    The long way (``prover.build_proof``) then finds out why.
    """
    value = core.block(index)
    # The topmost node ends ``2 ** steps`` blocks after a multiple of that.
    if value is None or steps > _MAX_STEPS or ((index >> steps) + 1) << steps > core.head.length:
        return None
    nodes = []
    node, bit = 2 * index, 2
    for _ in range(steps):
        other = core.node(node ^ bit)
        if other is None:
            return None
        nodes.append(other)
        node = (node & ~bit) | (bit >> 1)
        bit <<= 1
    return value, nodes


def fold_block_untrusted(answer: BlockAnswer) -> list[TreeNode]:
    """All nodes from the leaf of a block up, siblings included; the topmost one is the last.

    Nothing is stored before the topmost one was found equal to a node that is held. The sizes of
    all others are fixed by it, as the leaf's is known.

    Raises:
      ProofError: the nodes are not the siblings on the way up.
    """
    value = answer.value
    if answer.index >= MAX_LOG_LENGTH_BLOCKS:
        raise ProofError(f"block {answer.index} is out of any log")
    index, bit, size = 2 * answer.index, 2, len(value)
    state = blake2b(_pack_leaf(0, size), digest_size=32)
    state.update(value)
    digest = state.digest()
    nodes = [_new_node((index, size, digest))]
    for other in answer.nodes:
        if other.index != index ^ bit:
            raise ProofError(f"node {other.index} where node {index ^ bit} belongs")
        size += other.size
        if size > MAX_SAFE_INTEGER:
            raise ProofError("the nodes of a proof are larger than any log")
        left, right = (other.hash, digest) if index & bit else (digest, other.hash)
        digest = blake2b(_pack_parent(1, size, left, right), digest_size=32).digest()
        index = (index & ~bit) | (bit >> 1)
        bit <<= 1
        nodes += (other, _new_node((index, size, digest)))
    return nodes
