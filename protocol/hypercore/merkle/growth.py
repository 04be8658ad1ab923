"""Growing the Merkle tree: new blocks, roots at a length, and the writer's signature.

Nothing here touches storage. ``append_blocks`` gives the nodes to store and the head to sign.
Wire facts: specs/04-merkle-log.md sections 2 and 4; npm ``hypercore`` 11.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from struct import Struct

from ...crypto.hashes import TreeNode, parent_node
from ...crypto.keys import Signer
from ...crypto.manifest import Manifest
from ...crypto.signatures import (
    PartialSignature,
    assemble_multisignature,
    assemble_multisignature_v0,
    compat_signable,
    single_signature,
    tree_signable,
)
from ...errors import LocalProtocolError
from ...limits import MAX_BLOCK_BYTES, MAX_LOG_LENGTH_BLOCKS
from ..core import CoreReader, TreeHead
from .flat_tree import full_roots, sibling, upgrade_indexes

# The loop of append_blocks hashes in place: a call per node would cost a third of its speed.
_pack_leaf = Struct("<BQ").pack
_pack_parent = Struct("<BQ32s32s").pack
_new_node = tuple.__new__


def append_blocks(head: TreeHead, blocks: Iterable[bytes]) -> tuple[list[TreeNode], TreeHead]:
    """Grow the tree of ``head`` by ``blocks``.

    Gives every node that comes into being, and the new head without a signature.

    Raises:
      LocalProtocolError: a block or the log would be over its limit.
    """
    roots = list(head.roots)
    length, byte_length = head.length, head.byte_length
    nodes: list[TreeNode] = []
    for block in blocks:
        size = len(block)
        if size > MAX_BLOCK_BYTES:
            raise LocalProtocolError(f"a block of {size} bytes is over {MAX_BLOCK_BYTES}")
        byte_length += size
        index = 2 * length
        digest = blake2b(_pack_leaf(0, size) + block, digest_size=32).digest()
        node = _new_node(TreeNode, (index, size, digest))
        nodes.append(node)
        # Each trailing one bit of the length is a root of the same height to merge with.
        odd, half = length, 1
        while odd & 1:
            _, left_size, left_digest = roots.pop()
            size += left_size
            packed = _pack_parent(1, size, left_digest, digest)
            digest = blake2b(packed, digest_size=32).digest()
            index -= half
            node = _new_node(TreeNode, (index, size, digest))
            nodes.append(node)
            odd >>= 1
            half <<= 1
        roots.append(node)
        length += 1
    if length > MAX_LOG_LENGTH_BLOCKS:
        raise LocalProtocolError(f"a log has at most {MAX_LOG_LENGTH_BLOCKS} blocks")
    return nodes, TreeHead(length, byte_length, head.fork, tuple(roots), None)


def append_root(roots: list[TreeNode], node: TreeNode) -> None:
    """Append a root to ``roots`` and merge siblings into their parents, in place."""
    roots.append(node)
    while len(roots) > 1 and sibling(roots[-1].index) == roots[-2].index:
        right, left = roots.pop(), roots.pop()
        roots.append(parent_node(left, right))


def roots_at(core: CoreReader, length: int) -> tuple[TreeNode, ...] | None:
    """The roots the log had at ``length`` blocks, or None when one of them is not stored."""
    if length == core.head.length:
        return core.head.roots
    roots = []
    for index in full_roots(length):
        node = core.node(index)
        if node is None:
            return None
        roots.append(node)
    return tuple(roots)


def head_at(core: CoreReader, length: int, fork: int) -> TreeHead:
    """An unsigned head at an earlier length: what a writer signs to truncate its log.

    Raises:
      LocalProtocolError: longer than the log, inside its prologue, or roots are not stored.
    """
    prologue = None if core.manifest is None else core.manifest.prologue
    if not 0 <= length <= core.head.length:
        raise LocalProtocolError(f"the log has {core.head.length} blocks, not {length}")
    if prologue is not None and length < prologue.length:
        raise LocalProtocolError(f"the first {prologue.length} blocks are the log's prologue")
    roots = roots_at(core, length)
    if roots is None:
        raise LocalProtocolError(f"the roots at length {length} are not stored")
    return TreeHead(length, sum(root.size for root in roots), fork, roots, None)


def upgrade_nodes(core: CoreReader, start: int, end: int) -> tuple[TreeNode, ...] | None:
    """The nodes that take the tree from one length to another; None when one is not stored."""
    nodes = []
    for index in upgrade_indexes(start, end):
        node = core.node(index)
        if node is None:
            return None
        nodes.append(node)
    return tuple(nodes)


def has_raw_signature(manifest: Manifest, key: bytes) -> bool:
    """Whether the signature field of this log is one bare Ed25519 signature."""
    if manifest.is_compat(key):
        return True
    return manifest.version == 0 and len(manifest.signers) == 1 and not manifest.allow_patch


def is_unsigned(manifest: Manifest, key: bytes, length: int) -> bool:
    """Whether the prologue alone vouches for a tree of this length."""
    if manifest.is_compat(key) or manifest.version == 0 or manifest.prologue is None:
        return False
    return length <= manifest.prologue.length


def signable(manifest: Manifest, key: bytes, signer: int, head: TreeHead) -> bytes:
    """The bytes that signer number ``signer`` signs for ``head``."""
    if manifest.is_compat(key):
        return compat_signable(head.hash(), head.length, head.fork)
    namespace = key if manifest.version else manifest.signers[signer].namespace
    return tree_signable(namespace, head.hash(), head.length, head.fork)


def sign_head(manifest: Manifest, key: bytes, signer: Signer, head: TreeHead) -> TreeHead:
    """The head with the signature field that this one signer can make.

    A head that is exactly the prologue needs no signature and gets none.

    Raises:
      LocalProtocolError: it is no signer of the log, the quorum needs others, or the head is not
        consistent with the prologue.
    """
    if is_unsigned(manifest, key, head.length):
        check_prologue(manifest, head)
        return head.signed(None)
    partial = sign_partial(manifest, key, signer, head)
    return assemble_head(manifest, key, head, (partial,))


def check_prologue(manifest: Manifest, head: TreeHead) -> None:
    """Raise LocalProtocolError unless a head no longer than the prologue is the prologue."""
    prologue = manifest.prologue
    assert prologue is not None
    if head.length != prologue.length or head.hash() != prologue.hash:
        raise LocalProtocolError("the log does not begin with its prologue")


def sign_partial(
    manifest: Manifest,
    key: bytes,
    signer: Signer,
    head: TreeHead,
    patch: int = 0,
    nodes: Sequence[TreeNode] = (),
) -> PartialSignature:
    """One signer's contribution to a quorum.

    ``head`` is what this signer signs. When the quorum will commit to a shorter tree, ``patch`` is
    the difference in blocks and ``nodes`` are the ``upgrade_nodes`` between the two.

    Raises:
      LocalProtocolError: it is no signer of this log.
    """
    for number, each in enumerate(manifest.signers):
        if each.public_key == signer.public_key:
            signature = signer.sign(signable(manifest, key, number, head))
            return PartialSignature(number, signature, patch, nodes)
    raise LocalProtocolError("the key pair is not a signer of this log")


def assemble_head(
    manifest: Manifest, key: bytes, head: TreeHead, partials: Sequence[PartialSignature]
) -> TreeHead:
    """The head with the signature field made of the contributions of a quorum.

    Raises:
      LocalProtocolError: fewer contributions than the quorum, or none over ``head`` itself.
    """
    if has_raw_signature(manifest, key):
        return head.signed(partials[0].signature)
    if manifest.quorum == 0 or len(partials) < manifest.quorum:
        raise LocalProtocolError(f"this log needs {manifest.quorum} signatures")
    if all(partial.patch for partial in partials[: manifest.quorum]):
        raise LocalProtocolError("one of the counted signatures has to be over the head itself")
    if manifest.version == 0:
        return head.signed(assemble_multisignature_v0(partials))
    if len(manifest.signers) == 1 and len(partials) == 1:
        return head.signed(single_signature(partials[0].signature))
    return head.signed(assemble_multisignature(partials))
