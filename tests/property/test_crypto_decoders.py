"""Manifests, nodes and multisignatures: what is encoded decodes, and no bytes do harm."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.hashes import TreeNode
from protocol.crypto.manifest import (
    Manifest,
    Prologue,
    Signer,
    decode_manifest_untrusted,
    encode_manifest,
)
from protocol.crypto.node_codec import decode_nodes_untrusted, encode_nodes
from protocol.crypto.signatures import (
    MultiSignature,
    PartialSignature,
    SignerProof,
    assemble_multisignature_v0,
    decode_multisignature_untrusted,
    decode_multisignature_v0_untrusted,
    encode_multisignature,
)
from protocol.encoding.compact import Decoder
from protocol.errors import DecodeError
from protocol.limits import MAX_LOG_LENGTH_BLOCKS, MAX_SAFE_INTEGER

HASHES = st.binary(min_size=32, max_size=32)
SIGNATURES = st.binary(min_size=64, max_size=64)
UINTS = st.integers(0, MAX_SAFE_INTEGER)
NODES = st.builds(TreeNode, UINTS, UINTS, HASHES)
NODE_LISTS = st.lists(NODES, max_size=6)
SIGNERS = st.lists(st.builds(Signer, HASHES, HASHES), max_size=4).map(tuple)
PROLOGUES = st.builds(Prologue, HASHES, st.integers(0, MAX_LOG_LENGTH_BLOCKS))
MANIFESTS = st.one_of(
    st.builds(Manifest, st.just(1), SIGNERS, UINTS, st.booleans(), st.none() | PROLOGUES),
    st.builds(
        Manifest,
        st.integers(2, 3),
        SIGNERS,
        UINTS,
        st.booleans(),
        st.none() | PROLOGUES,
        st.none() | st.lists(HASHES, max_size=3).map(tuple),
        st.none() | st.binary(max_size=40),
    ),
    st.builds(Manifest, st.just(0), SIGNERS, UINTS, st.booleans()),
    st.builds(lambda h: Manifest(0, (), 0, prologue=Prologue(h, 0)), HASHES),
)


@given(MANIFESTS)
def test_manifests_round_trip(manifest: Manifest) -> None:
    encoded = encode_manifest(manifest)
    decoder = Decoder(encoded + b"more")
    assert decode_manifest_untrusted(decoder) == manifest
    assert decoder.raw() == b"more"


@given(NODE_LISTS)
def test_nodes_round_trip(nodes: list[TreeNode]) -> None:
    assert list(decode_nodes_untrusted(Decoder(encode_nodes(nodes)))) == nodes


@given(st.lists(st.builds(SignerProof, UINTS, SIGNATURES, UINTS), max_size=4), NODE_LISTS)
def test_multisignatures_round_trip(proofs: list[SignerProof], nodes: list[TreeNode]) -> None:
    multisignature = MultiSignature(tuple(proofs), tuple(nodes))
    assert decode_multisignature_untrusted(encode_multisignature(multisignature)) == multisignature


PARTIALS = st.one_of(
    st.builds(PartialSignature, st.integers(0, 9), SIGNATURES),
    st.builds(
        PartialSignature,
        st.integers(0, 9),
        SIGNATURES,
        st.integers(1, 9),
        st.lists(st.builds(TreeNode, st.integers(0, 2**41), UINTS, HASHES), min_size=1, max_size=4),
    ),
)


@given(st.lists(PARTIALS, max_size=4))
def test_version_0_multisignatures_round_trip(partials: list[PartialSignature]) -> None:
    decoded = decode_multisignature_v0_untrusted(assemble_multisignature_v0(partials))
    assert decoded.proofs == tuple(SignerProof(p.signer, p.signature, p.patch) for p in partials)
    assert set(decoded.patch_nodes) == {node for p in partials for node in p.nodes}


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x01", b"\x00\x00", b"\x01\x00\x00"]))
def test_any_bytes_decode_or_are_refused(data: bytes, beginning: bytes) -> None:
    for decode in (
        lambda raw: decode_manifest_untrusted(Decoder(raw)),
        lambda raw: decode_nodes_untrusted(Decoder(raw)),
        decode_multisignature_untrusted,
        decode_multisignature_v0_untrusted,
    ):
        try:
            decode(beginning + data)
        except DecodeError:
            continue
