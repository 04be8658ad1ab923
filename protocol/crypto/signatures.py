"""What signers of a log sign, and how several signatures are packed into one field.

Wire facts: specs/04-merkle-log.md section 4; npm ``hypercore`` 11 (``lib/caps.js``,
``lib/multisig.js``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from struct import Struct

from ..encoding.compact import Decoder, encode_array, encode_uint
from ..errors import DecodeError
from ..limits import MAX_MANIFEST_SIGNERS, MAX_PROOF_NODES, MAX_SIGNATURE_BYTES
from .hashes import TreeNode
from .keys import SIGNATURE_BYTES
from .namespaces import TREE
from .node_codec import decode_nodes_untrusted, encode_nodes

_LENGTH_AND_FORK = Struct("<QQ")

_V0_FLAG_PATCH = 1


def tree_signable(namespace: bytes, tree_hash: bytes, length: int, fork: int) -> bytes:
    """The 112 bytes a signer signs for a tree of ``length`` blocks.

    ``namespace`` is the key of the log (manifest version 1 and later) or the namespace field of
    this signer (version 0).
    """
    return TREE + namespace + tree_hash + _LENGTH_AND_FORK.pack(length, fork)


def compat_signable(tree_hash: bytes, length: int, fork: int) -> bytes:
    """The 80 bytes that are signed in a compat log, whose key is its signer's public key."""
    return TREE + tree_hash + _LENGTH_AND_FORK.pack(length, fork)


def legacy_signable(tree_hash: bytes, length: int, fork: int) -> bytes:
    """The 48 bytes that were signed in the oldest compat logs."""
    return tree_hash + _LENGTH_AND_FORK.pack(length, fork)


@dataclass(frozen=True, slots=True)
class SignerProof:
    """One signature within a multisignature.

    Attributes:
      signer: position in the manifest's list of signers.
      signature: 64 bytes.
      patch: how many blocks longer than the proven tree the tree is that this signer signed.
    """

    signer: int
    signature: bytes
    patch: int = 0


@dataclass(frozen=True, slots=True)
class MultiSignature:
    """The signatures of several signers over one tree, or over longer trees that extend it.

    Attributes:
      proofs: one for each signature, in the order in which they count towards the quorum.
      patch_nodes: the nodes that grow the proven tree to the longer ones.
    """

    proofs: tuple[SignerProof, ...]
    patch_nodes: tuple[TreeNode, ...] = ()


@dataclass(frozen=True, slots=True)
class PartialSignature:
    """What one signer contributes before assembly.

    Attributes:
      signer: position in the manifest's list of signers.
      signature: 64 bytes.
      patch: how many blocks longer the signed tree is.
      nodes: the upgrade nodes from the proven to the signed length; empty when ``patch`` is 0.
    """

    signer: int
    signature: bytes
    patch: int = 0
    nodes: Sequence[TreeNode] = ()


def encode_multisignature(multisignature: MultiSignature) -> bytes:
    """Encode for a log with manifest version 1 or later."""
    proofs = encode_array(
        encode_uint(proof.signer) + proof.signature + encode_uint(proof.patch)
        for proof in multisignature.proofs
    )
    return proofs + encode_nodes(multisignature.patch_nodes)


def single_signature(signature: bytes) -> bytes:
    """The multisignature of a version 1 log with one signer: 68 bytes around ``signature``."""
    return b"\x01\x00" + signature + b"\x00\x00"


def assemble_multisignature(partials: Iterable[PartialSignature]) -> bytes:
    """Pack contributions for a log with manifest version 1 or later; shared nodes occur once."""
    proofs = []
    nodes: dict[int, TreeNode] = {}
    for partial in partials:
        proofs.append(SignerProof(partial.signer, partial.signature, partial.patch))
        for node in partial.nodes:
            nodes.setdefault(node.index, node)
    return encode_multisignature(MultiSignature(tuple(proofs), tuple(nodes.values())))


def assemble_multisignature_v0(partials: Iterable[PartialSignature]) -> bytes:
    """Pack contributions for a log with a version 0 manifest of several signers."""
    nodes: list[TreeNode] = []
    proofs = [_encode_proof_v0(partial, nodes) for partial in partials]
    return encode_array(proofs) + encode_nodes(nodes)


def _encode_proof_v0(partial: PartialSignature, nodes: list[TreeNode]) -> bytes:
    flags = _V0_FLAG_PATCH if partial.patch else 0
    proof = encode_uint(flags) + encode_uint(partial.signer) + partial.signature
    if not partial.patch:
        return proof
    positions = []
    for node in partial.nodes:
        if node not in nodes:
            nodes.append(node)
        positions.append(encode_uint(nodes.index(node)))
    # JS writes the length of the signed tree, where its last node ends; nobody reads it.
    last = partial.nodes[-1].index
    signed_length = (last + (~last & (last + 1)) + 1) // 2
    return proof + encode_uint(signed_length) + encode_uint(partial.patch) + encode_array(positions)


def decode_multisignature_untrusted(data: bytes) -> MultiSignature:
    """Decode the signature field of a log with manifest version 1 or later.

    Raises:
      DecodeError: truncated, followed by more bytes, or over a limit of ``protocol.limits``.
    """
    return _decode(data, _decode_proof)


def decode_multisignature_v0_untrusted(data: bytes) -> MultiSignature:
    """Decode the signature field of a version 0 log with several signers.

    Start and node positions of a patch are dropped: nodes are found by their index.

    Raises:
      DecodeError: truncated, followed by more bytes, or over a limit of ``protocol.limits``.
    """
    return _decode(data, _decode_proof_v0)


def _decode(data: bytes, proof: Callable[[Decoder], SignerProof]) -> MultiSignature:
    if len(data) > MAX_SIGNATURE_BYTES:
        raise DecodeError(f"a signature of {len(data)} bytes is over the limit")
    decoder = Decoder(data)
    proofs = tuple(decoder.array(proof, MAX_MANIFEST_SIGNERS))
    nodes = decode_nodes_untrusted(decoder)
    if decoder.remaining:
        raise DecodeError("bytes follow a multisignature")
    return MultiSignature(proofs, nodes)


def _decode_proof(decoder: Decoder) -> SignerProof:
    signer = decoder.uint()
    signature = decoder.fixed(SIGNATURE_BYTES)
    return SignerProof(signer, signature, decoder.uint())


def _decode_proof_v0(decoder: Decoder) -> SignerProof:
    flags = decoder.uint()
    signer = decoder.uint()
    signature = decoder.fixed(SIGNATURE_BYTES)
    if not flags & _V0_FLAG_PATCH:
        return SignerProof(signer, signature)
    decoder.uint()
    patch = decoder.uint()
    for _ in range(decoder.count(MAX_PROOF_NODES)):
        decoder.uint()
    return SignerProof(signer, signature, patch)
