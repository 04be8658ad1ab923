"""Hashes, keys, manifests and signatures against specs/vectors/hypercore.json."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.crypto import namespaces
from protocol.crypto.hashes import TreeNode, discovery_key, leaf_hash, parent_node
from protocol.crypto.keys import (
    ROOT_NAMESPACE,
    KeyPair,
    child_namespace,
    corestore_seed,
    verify,
)
from protocol.crypto.manifest import (
    Manifest,
    Prologue,
    Signer,
    decode_manifest_untrusted,
    default_manifest,
    encode_manifest,
    manifest_key,
)
from protocol.crypto.signatures import (
    PartialSignature,
    assemble_multisignature,
    assemble_multisignature_v0,
    compat_signable,
    decode_multisignature_untrusted,
    decode_multisignature_v0_untrusted,
    legacy_signable,
    single_signature,
    tree_signable,
)
from protocol.encoding.compact import Decoder

from .load import load_vectors

VECTORS: Any = load_vectors("hypercore")
HASHES = VECTORS["hashes"]
MANIFESTS = {name: m for name, m in VECTORS["manifests"].items() if isinstance(m, dict)}


def node(value: dict[str, Any]) -> TreeNode:
    return TreeNode(value["index"], value["size"], bytes.fromhex(value["hash"]))


def manifest_of(value: dict[str, Any]) -> Manifest:
    prologue = value["prologue"]
    return Manifest(
        version=value["version"],
        signers=tuple(
            Signer(bytes.fromhex(s["public_key"]), bytes.fromhex(s["namespace"]))
            for s in value["signers"]
        ),
        quorum=value["quorum"],
        allow_patch=value["allow_patch"],
        prologue=prologue and Prologue(bytes.fromhex(prologue["hash"]), prologue["length"]),
        linked=value["linked"] and tuple(bytes.fromhex(key) for key in value["linked"]),
        user_data=value["user_data"] and bytes.fromhex(value["user_data"]),
    )


def test_leaf_hashes() -> None:
    for case in HASHES["leaf"]:
        assert leaf_hash(bytes.fromhex(case["data"])).hex() == case["hash"]


def test_parent_hash_does_not_depend_on_argument_order() -> None:
    a, b = node(HASHES["parent"]["a"]), node(HASHES["parent"]["b"])
    parent = parent_node(a, b)
    assert parent == parent_node(b, a)
    assert (parent.index, parent.size) == (1, a.size + b.size)
    assert parent.hash.hex() == HASHES["parent"]["hash"]


def test_discovery_keys() -> None:
    for case in HASHES["discovery_key"]:
        assert discovery_key(bytes.fromhex(case["key"])).hex() == case["discovery_key"]


def test_namespaces() -> None:
    expected = HASHES["namespaces"]
    assert [
        namespaces.TREE.hex(),
        namespaces.REPLICATE_INITIATOR.hex(),
        namespaces.REPLICATE_RESPONDER.hex(),
        namespaces.MANIFEST.hex(),
        namespaces.DEFAULT_NAMESPACE.hex(),
        namespaces.DEFAULT_ENCRYPTION.hex(),
    ] == expected["hypercore[0..5]"]
    assert [
        namespaces.STREAM_INITIATOR.hex(),
        namespaces.STREAM_RESPONDER.hex(),
        namespaces.STREAM_SEND.hex(),
    ] == expected["hyperswarm/secret-stream[0..2]"]
    assert [namespaces.CORESTORE.hex()] == expected["corestore[0]"]


def test_key_pairs() -> None:
    for case in HASHES["key_pair"]:
        pair = KeyPair.from_seed(bytes.fromhex(case["seed"]))
        assert pair.public_key.hex() == case["public_key"]
        assert pair.secret_key.hex() == case["secret_key"]
        assert pair.seed.hex() == case["seed"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests(name: str) -> None:
    case = MANIFESTS[name]
    manifest = manifest_of(case)
    encoded = bytes.fromhex(case["encoded"])
    assert encode_manifest(manifest) == encoded
    assert decode_manifest_untrusted(Decoder(encoded)) == manifest
    assert manifest_key(manifest).hex() == case["key"]
    assert discovery_key(manifest_key(manifest)).hex() == case["discovery_key"]
    assert manifest.is_for(bytes.fromhex(case["key"]))


@pytest.mark.parametrize("case", VECTORS["signatures"], ids=lambda c: f"length{c['length']}")
def test_signatures_of_one_signer(case: dict[str, Any]) -> None:
    pair = KeyPair.from_seed(bytes.fromhex(case["seed"]))
    tree, length, fork = bytes.fromhex(case["tree_hash"]), case["length"], case["fork"]
    v1 = manifest_key(default_manifest(pair.public_key))
    signables = {
        "v1": tree_signable(v1, tree, length, fork),
        "v0_noncompat": tree_signable(namespaces.DEFAULT_NAMESPACE, tree, length, fork),
        "compat": compat_signable(tree, length, fork),
        "compat_legacy": legacy_signable(tree, length, fork),
    }
    for kind, signable in signables.items():
        expected = case[kind]
        assert signable.hex() == expected["signable"]
        signature = pair.sign(signable)
        assert verify(signable, signature, pair.public_key)
        stored = single_signature(signature) if kind == "v1" else signature
        assert stored.hex() == expected["stored_signature"]


def test_multisignatures() -> None:
    case = VECTORS["multisig"]
    nodes = [node(n) for n in case["patch_nodes"]]
    partials = [
        PartialSignature(
            p["signer"], bytes.fromhex(p["signature"]), p["patch"], nodes if p["patch"] else ()
        )
        for p in case["proofs"]
    ]
    encoded = assemble_multisignature(partials)
    assert encoded.hex() == case["encoded"]
    decoded = decode_multisignature_untrusted(encoded)
    assert [(p.signer, p.signature.hex(), p.patch) for p in decoded.proofs] == [
        (p["signer"], p["signature"], p["patch"]) for p in case["proofs"]
    ]
    assert list(decoded.patch_nodes) == nodes


def test_multisignatures_of_version_0() -> None:
    case = VECTORS["multisig"]
    nodes = tuple(node(n) for n in case["patch_nodes"])
    encoded = bytes.fromhex(case["v0"]["encoded"])
    decoded = decode_multisignature_v0_untrusted(encoded)
    assert [(p.signer, p.patch) for p in decoded.proofs] == [(0, 0), (1, 2)]
    assert decoded.patch_nodes == nodes
    partials = [
        PartialSignature(p.signer, p.signature, p.patch, nodes if p.patch else ())
        for p in decoded.proofs
    ]
    assert assemble_multisignature_v0(partials) == encoded


def test_corestore_namespaces() -> None:
    for case in VECTORS["corestore"]["namespaces"]:
        namespace = ROOT_NAMESPACE
        for name in case["path"].split("/"):
            namespace = child_namespace(namespace, name)
        assert namespace.hex() == case["namespace"]


@pytest.mark.parametrize("core", VECTORS["corestore"]["cores"], ids=lambda core: core["api"])
def test_corestore_keys(core: dict[str, Any]) -> None:
    primary_key = bytes.fromhex(VECTORS["corestore"]["primary_key"])
    namespace = bytes.fromhex(core.get("namespace", ROOT_NAMESPACE.hex()))
    if "seed 01" in core["api"]:
        seed = bytes([1]) * 32
    else:
        seed = corestore_seed(primary_key, namespace, core.get("name", "a"))
    assert core.get("seed", seed.hex()) == seed.hex()
    pair = KeyPair.from_seed(seed)
    assert core.get("public_key", pair.public_key.hex()) == pair.public_key.hex()
    manifest = default_manifest(pair.public_key, core.get("manifest_version", 1))
    key = pair.public_key if core["compat"] else manifest_key(manifest)
    assert key.hex() == core["key"]
    assert manifest.is_compat(key) == core["compat"]
    if "discovery_key" in core:
        assert discovery_key(key).hex() == core["discovery_key"]
