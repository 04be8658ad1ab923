"""Whether a head is signed as its log's manifest demands.

Wire facts: specs/04-merkle-log.md section 4; npm ``hypercore`` 11 (``lib/verifier.js``).
"""

from __future__ import annotations

from dataclasses import replace

from ...crypto.hashes import HASH_BYTES, TreeNode
from ...crypto.keys import verify
from ...crypto.manifest import Manifest
from ...crypto.signatures import (
    MultiSignature,
    SignerProof,
    decode_multisignature_untrusted,
    decode_multisignature_v0_untrusted,
)
from ...errors import DecodeError
from ...limits import MAX_LOG_LENGTH_BLOCKS
from ..core import TreeHead
from .flat_tree import full_roots, upgrade_indexes
from .growth import append_root, has_raw_signature, is_unsigned, signable


def verify_head(key: bytes, manifest: Manifest, head: TreeHead) -> bool:
    """Whether ``head``, all of it from a peer, is a genuine head of the log with this key.

    Checks that the manifest belongs to the key, that roots, length and byte length agree, and the
    signature (or the prologue, where that is what vouches for the head).
    """
    if not manifest.is_for(key) or not 0 < head.length <= MAX_LOG_LENGTH_BLOCKS:
        return False
    if [root.index for root in head.roots] != full_roots(head.length):
        return False
    if any(len(root.hash) != HASH_BYTES for root in head.roots):
        return False
    if sum(root.size for root in head.roots) != head.byte_length:
        return False
    return verify_signature(key, manifest, head)


def verify_signature(key: bytes, manifest: Manifest, head: TreeHead) -> bool:
    """The last step of ``verify_head``: key, manifest and roots were checked before."""
    if is_unsigned(manifest, key, head.length):
        prologue = manifest.prologue
        assert prologue is not None
        return head.length == prologue.length and head.hash() == prologue.hash
    signature = head.signature
    if signature is None:
        return False
    if has_raw_signature(manifest, key):
        message = signable(manifest, key, 0, head)
        return verify(message, signature, manifest.signers[0].public_key)
    try:
        if manifest.version == 0:
            multisignature = decode_multisignature_v0_untrusted(signature)
        else:
            multisignature = decode_multisignature_untrusted(signature)
    except DecodeError:
        return False
    return _is_quorum(key, manifest, head, multisignature)


def _is_quorum(
    key: bytes, manifest: Manifest, head: TreeHead, multisignature: MultiSignature
) -> bool:
    quorum = manifest.quorum
    if quorum == 0 or len(multisignature.proofs) < quorum:
        return False
    counted = multisignature.proofs[:quorum]
    numbers = {proof.signer for proof in counted}
    if len(numbers) < quorum or max(numbers) >= len(manifest.signers):
        return False
    # Someone has to vouch for this very tree: signatures over longer trees alone would leave the
    # split of bytes between its last root and the patch open.
    if manifest.allow_patch and all(proof.patch for proof in counted):
        return False
    nodes = {node.index: node for node in multisignature.patch_nodes}
    return all(_is_signed_by(key, manifest, head, proof, nodes) for proof in counted)


def _is_signed_by(
    key: bytes,
    manifest: Manifest,
    head: TreeHead,
    proof: SignerProof,
    patch_nodes: dict[int, TreeNode],
) -> bool:
    if proof.patch and manifest.allow_patch:
        grown = _grow(head, proof.patch, patch_nodes)
        if grown is None:
            return False
        head = grown
    message = signable(manifest, key, proof.signer, head)
    return verify(message, proof.signature, manifest.signers[proof.signer].public_key)


def _grow(head: TreeHead, patch: int, patch_nodes: dict[int, TreeNode]) -> TreeHead | None:
    length = head.length + patch
    if length > MAX_LOG_LENGTH_BLOCKS:
        return None
    roots = list(head.roots)
    for index in upgrade_indexes(head.length, length):
        node = patch_nodes.get(index)
        if node is None:
            return None
        append_root(roots, node)
    return replace(head, length=length, roots=tuple(roots))
