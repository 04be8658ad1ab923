"""Flat tree, Merkle tree, heads and proofs against specs/vectors/hypercore.json."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.crypto.hashes import TreeNode
from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import (
    Manifest,
    Prologue,
    decode_manifest_untrusted,
    default_manifest,
    manifest_key,
)
from protocol.encoding.compact import Decoder
from protocol.hypercore.core import EMPTY_HEAD, TreeHead
from protocol.hypercore.merkle import flat_tree
from protocol.hypercore.merkle.growth import append_blocks, assemble_head, sign_head, sign_partial
from protocol.hypercore.merkle.proof import (
    BlockRequest,
    Data,
    HashRequest,
    Request,
    SeekRequest,
    UpgradeRequest,
)
from protocol.hypercore.merkle.prover import build_proof, max_missing_nodes, missing_nodes
from protocol.hypercore.merkle.quorum import verify_head
from protocol.hypercore.merkle.verifier import verify_proof_untrusted

from ..merkle_core import MemoryCore, block_values, written_core
from .load import load_vectors

VECTORS: Any = load_vectors("hypercore")
FLAT_TREE = VECTORS["flat_tree"]
MULTISIG = VECTORS["multisig"]


def node(value: dict[str, Any]) -> TreeNode:
    return TreeNode(value["index"], value["size"], bytes.fromhex(value["hash"]))


def nodes(values: list[dict[str, Any]]) -> tuple[TreeNode, ...]:
    return tuple(node(value) for value in values)


def head_of(length: int, fork: int = 0) -> TreeHead:
    return replace(append_blocks(EMPTY_HEAD, block_values(length))[1], fork=fork)


def test_full_roots() -> None:
    for length, roots in FLAT_TREE["full_roots_by_length"].items():
        assert flat_tree.full_roots(int(length)) == roots


def test_flat_tree_nodes() -> None:
    for case in FLAT_TREE["nodes"]:
        index = case["index"]
        assert flat_tree.depth(index) == case["depth"]
        assert flat_tree.offset(index) == case["offset"]
        assert flat_tree.node_index(case["depth"], case["offset"]) == index
        assert flat_tree.parent(index) == case["parent"]
        assert flat_tree.sibling(index) == case["sibling"]
        children = flat_tree.children(index)
        assert (None if children is None else list(children)) == case["children"]
        assert [flat_tree.left_span(index), flat_tree.right_span(index)] == case["spans"]


def test_trees_of_every_length() -> None:
    for case in VECTORS["trees"]["lengths"]:
        head = head_of(case["length"])
        assert head.length == case["length"]
        assert head.byte_length == case["byte_length"]
        assert head.roots == nodes(case["roots"])
        assert head.hash().hex() == case["tree_hash"]


def test_all_nodes() -> None:
    grown, _ = append_blocks(EMPTY_HEAD, block_values(20))
    assert tuple(sorted(grown)) == nodes(VECTORS["trees"]["all_nodes_length20"])


@pytest.mark.parametrize("case", VECTORS["signatures"], ids=lambda c: f"length{c['length']}")
@pytest.mark.parametrize("kind", ["v1", "v0_noncompat", "compat"])
def test_signed_heads(case: dict[str, Any], kind: str) -> None:
    pair = KeyPair.from_seed(bytes.fromhex(case["seed"]))
    manifest = default_manifest(pair.public_key, version=0 if kind == "v0_noncompat" else 1)
    key = bytes.fromhex(case[kind]["key"])
    assert manifest.is_compat(key) == case[kind]["is_compat"]
    head = sign_head(manifest, key, pair, head_of(case["length"], case["fork"]))
    assert head.signature is not None
    assert head.signature.hex() == case[kind]["stored_signature"]
    assert verify_head(key, manifest, head)
    assert not verify_head(key, manifest, replace(head, fork=head.fork + 1))


def multisig_manifest(name: str) -> tuple[bytes, Manifest]:
    encoded = bytes.fromhex(VECTORS["manifests"][name]["encoded"])
    manifest = decode_manifest_untrusted(Decoder(encoded))
    return manifest_key(manifest), manifest


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("v1_multi_2of3_patch", MULTISIG["encoded"]),
        ("v1_multi_2of3_patch", MULTISIG["no_patch"]["encoded"]),
        ("v0_multi_2of3", MULTISIG["v0"]["encoded"]),
    ],
)
def test_quorum_heads(name: str, encoded: str) -> None:
    key, manifest = multisig_manifest(name)
    head = replace(head_of(MULTISIG["commit_length"]), signature=bytes.fromhex(encoded))
    assert head.hash().hex() == MULTISIG["tree_hash8"]
    assert verify_head(key, manifest, head)
    for signer in range(3):
        forged = bytearray.fromhex(encoded)
        forged[2] = signer + 5
        assert not verify_head(key, manifest, replace(head, signature=bytes(forged)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("v1_multi_2of3_patch", MULTISIG["encoded"]), ("v0_multi_2of3", MULTISIG["v0"]["encoded"])],
)
def test_quorum_heads_are_assembled_as_in_js(name: str, expected: str) -> None:
    key, manifest = multisig_manifest(name)
    pairs = [KeyPair.from_seed(bytes([i]) * 32) for i in (1, 2)]
    head, longer = head_of(8), head_of(10)
    partials = (
        sign_partial(manifest, key, pairs[0], head),
        sign_partial(manifest, key, pairs[1], longer, 2, nodes(MULTISIG["patch_nodes"])),
    )
    signature = assemble_head(manifest, key, head, partials).signature
    assert signature is not None
    assert signature.hex() == expected


def request_of(case: dict[str, Any]) -> Request:
    parts = case["request"]
    return Request(
        7,
        0,
        block=BlockRequest(**parts["block"]) if "block" in parts else None,
        hash=HashRequest(**parts["hash"]) if "hash" in parts else None,
        seek=SeekRequest(**parts["seek"]) if "seek" in parts else None,
        upgrade=UpgradeRequest(**parts["upgrade"]) if "upgrade" in parts else None,
    )


def assert_same_proof(data: Data, expected: dict[str, Any]) -> None:
    assert (data.block is None) == (expected.get("block") is None)
    assert (data.hash is None) == (expected.get("hash") is None)
    assert (data.seek is None) == (expected.get("seek") is None)
    assert (data.upgrade is None) == (expected.get("upgrade") is None)
    if data.block is not None:
        assert data.block.index == expected["block"]["index"]
        assert data.block.value == b"block #%d" % data.block.index
        assert data.block.nodes == nodes(expected["block"]["nodes"])
    if data.hash is not None:
        assert data.hash.index == expected["hash"]["index"]
        assert data.hash.nodes == nodes(expected["hash"]["nodes"])
    if data.seek is not None:
        assert data.seek.bytes == expected["seek"]["bytes"]
        assert data.seek.nodes == nodes(expected["seek"]["nodes"])
    if data.upgrade is not None:
        assert data.upgrade.start == expected["upgrade"]["start"]
        assert data.upgrade.length == expected["upgrade"]["length"]
        assert data.upgrade.nodes == nodes(expected["upgrade"]["nodes"])
        assert data.upgrade.additional_nodes == nodes(expected["upgrade"]["additionalNodes"])


PROOF_IDS = [str(case["request"]).replace("'", "") for case in VECTORS["proofs"]["cases"]]


@pytest.mark.parametrize("case", VECTORS["proofs"]["cases"], ids=PROOF_IDS)
def test_proofs_are_built_as_in_js_and_verify(case: dict[str, Any]) -> None:
    source = written_core(case["length"])
    data = build_proof(source, request_of(case))
    assert_same_proof(data, case["proof"])

    copy = MemoryCore(source.key, source.manifest)
    start = case["request"].get("upgrade", {"start": case["length"]})["start"]
    if start:
        copy.apply(
            verify_proof_untrusted(
                copy,
                build_proof(written_core(start), Request(1, 0, upgrade=UpgradeRequest(0, start))),
            )
        )
    if "upgrade" not in case["request"]:
        # The peer trusts what the request says it has: the top of the path.
        copy.nodes = dict(source.nodes)
    elif start:
        copy.nodes.update({i: n for i, n in source.nodes.items() if i < 2 * start - 1})
    change = verify_proof_untrusted(copy, data)
    copy.apply(change)
    if data.upgrade is not None:
        assert copy.head == source.head
    if data.block is not None:
        assert copy.blocks == {data.block.index: data.block.value}
    assert all(source.nodes[n.index] == n for n in change.nodes)


@pytest.mark.parametrize("with_signer", [False, True])
def test_the_prologue_is_always_sent_whole(with_signer: bool) -> None:
    tree = head_of(4)
    signers = default_manifest(KeyPair.from_seed(bytes([1]) * 32).public_key).signers
    prologue = Prologue(tree.hash(), 4)
    manifest = Manifest(
        1, signers if with_signer else (), 1 if with_signer else 0, prologue=prologue
    )
    source = MemoryCore(manifest_key(manifest), manifest)
    source.append(block_values(4))
    if with_signer:
        source.append(block_values(3, start=4))
    data = build_proof(source, Request(1, 0, upgrade=UpgradeRequest(0, 2), manifest=True))
    assert data.upgrade is not None
    assert (data.upgrade.start, data.upgrade.length) == (0, 4)
    copy = MemoryCore(source.key)
    copy.apply(verify_proof_untrusted(copy, data))
    assert copy.head == source.head
    assert copy.manifest == manifest


def test_missing_nodes() -> None:
    for length, cases in VECTORS["missing_nodes_max"].items():
        if length == "note":
            continue
        count = int(length.removeprefix("length"))
        source = written_core(count)
        fresh = MemoryCore(source.key, source.manifest)
        fresh.apply(
            verify_proof_untrusted(
                fresh, build_proof(source, Request(1, 0, upgrade=UpgradeRequest(0, count)))
            )
        )
        for block, expected in cases.items():
            assert max_missing_nodes(2 * int(block), count) == expected
            assert missing_nodes(fresh, int(block)) == expected
            assert missing_nodes(source, int(block)) == 0
