"""The rules of verification, one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.crypto.hashes import TreeNode
from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import (
    Manifest,
    Prologue,
    default_manifest,
    manifest_key,
    multi_signer_manifest,
)
from protocol.crypto.signatures import assemble_multisignature
from protocol.errors import LocalProtocolError, ProofError, StaleProofError
from protocol.hypercore.core import EMPTY_HEAD, TreeHead
from protocol.hypercore.merkle.growth import (
    append_blocks,
    assemble_head,
    sign_head,
    sign_partial,
    upgrade_nodes,
)
from protocol.hypercore.merkle.proof import (
    BlockRequest,
    Data,
    HashPart,
    HashRequest,
    Request,
    SeekPart,
    UpgradePart,
    UpgradeRequest,
)
from protocol.hypercore.merkle.prover import build_proof
from protocol.hypercore.merkle.quorum import verify_head
from protocol.hypercore.merkle.verifier import (
    verify_first_upgrade_untrusted,
    verify_proof_untrusted,
)
from protocol.limits import MAX_BLOCK_BYTES, MAX_LOG_LENGTH_BLOCKS, MAX_PROOF_NODES

from ...merkle_core import (
    KEY_PAIR,
    MemoryCore,
    block_values,
    compat_core,
    written_core,
)

PAIRS = [KEY_PAIR, *(KeyPair.from_seed(bytes([i]) * 32) for i in (2, 3))]
KEYS = tuple(pair.public_key for pair in PAIRS)
JUNK = TreeNode(0, 1, bytes(32))


def upgrade_proof(source: MemoryCore, start: int, length: int) -> Data:
    request = Request(1, source.head.fork, upgrade=UpgradeRequest(start, length), manifest=True)
    return build_proof(source, request)


def upgraded(source: MemoryCore) -> MemoryCore:
    copy = MemoryCore(source.key)
    copy.apply(verify_proof_untrusted(copy, upgrade_proof(source, 0, source.head.length)))
    return copy


def upgrade_of(data: Data) -> UpgradePart:
    assert data.upgrade is not None
    return data.upgrade


def test_the_manifest_is_learnt_with_the_first_upgrade() -> None:
    source = written_core(5)
    change = verify_proof_untrusted(MemoryCore(source.key), upgrade_proof(source, 0, 5))
    assert change.manifest == source.manifest
    assert change.head == source.head


def test_a_known_manifest_is_not_replaced() -> None:
    source = written_core(5)
    copy = MemoryCore(source.key, source.manifest)
    data = replace(upgrade_proof(source, 0, 5), manifest=default_manifest(KEYS[1]))
    assert verify_proof_untrusted(copy, data).manifest is None


def test_a_log_with_a_hashed_key_needs_its_manifest() -> None:
    source = written_core(5)
    data = replace(upgrade_proof(source, 0, 5), manifest=None)
    with pytest.raises(ProofError, match="no valid signature"):
        verify_proof_untrusted(MemoryCore(source.key), data)


def test_a_manifest_alone_is_learnt_when_the_key_is_its_hash() -> None:
    source = written_core(0)
    answer = build_proof(source, Request(1, 0, manifest=True))
    assert verify_proof_untrusted(MemoryCore(source.key), answer).manifest == source.manifest
    forged = Data(1, 0, manifest=default_manifest(KEYS[1]))
    with pytest.raises(ProofError, match="not the one"):
        verify_proof_untrusted(MemoryCore(source.key), forged)


def test_a_manifest_cannot_be_planted_by_naming_the_key_as_signer() -> None:
    # Such a manifest would pass as compat, and every genuine proof would be refused after it.
    source = written_core(3)
    copy = MemoryCore(source.key)
    planted = Data(1, 0, manifest=default_manifest(source.key))
    copy.apply(verify_proof_untrusted(copy, planted))
    assert copy.manifest is None
    copy.apply(verify_proof_untrusted(copy, upgrade_proof(source, 0, 3)))
    assert copy.head == source.head


def test_a_compat_log_learns_nothing_but_its_key() -> None:
    source = compat_core(3)
    data = upgrade_proof(source, 0, 3)
    assert data.manifest is None
    prologue = Prologue(bytes(32), 1)
    embellished = replace(default_manifest(source.key), prologue=prologue, allow_patch=True)
    change = verify_proof_untrusted(MemoryCore(source.key), replace(data, manifest=embellished))
    assert change.manifest == default_manifest(source.key)


def test_an_upgrade_from_another_length_is_stale() -> None:
    source = written_core(8)
    copy = upgraded(written_core(5))
    with pytest.raises(StaleProofError):
        verify_proof_untrusted(copy, upgrade_proof(source, 4, 4))
    with pytest.raises(StaleProofError):
        verify_proof_untrusted(copy, upgrade_proof(source, 0, 8))
    assert verify_proof_untrusted(copy, upgrade_proof(source, 5, 3)).head == source.head


def test_a_proof_for_another_fork_is_stale() -> None:
    source = written_core(8)
    copy = upgraded(source)
    data = build_proof(source, Request(1, 0, block=BlockRequest(2, 3)))
    with pytest.raises(StaleProofError):
        verify_proof_untrusted(copy, replace(data, fork=1))


def test_an_empty_log_joins_at_any_fork_that_is_signed() -> None:
    source = written_core(8)
    source.truncate(4)
    source.append(block_values(2))
    data = upgrade_proof(source, 0, 6)
    assert verify_proof_untrusted(MemoryCore(source.key), data).head == source.head
    with pytest.raises(ProofError):
        verify_proof_untrusted(MemoryCore(source.key), replace(data, fork=2))


def test_nodes_that_are_not_needed_are_refused() -> None:
    source = written_core(10)
    data = upgrade_proof(source, 0, 10)
    part = upgrade_of(data)
    for extra in (
        replace(part, nodes=(*part.nodes, JUNK)),
        replace(part, additional_nodes=(JUNK,)),
    ):
        with pytest.raises(ProofError):
            verify_proof_untrusted(MemoryCore(source.key), replace(data, upgrade=extra))


def test_additional_nodes_have_to_be_the_fewest() -> None:
    # Two children instead of their parent lead to the same roots, but no honest peer sends them.
    source = written_core(8)
    data = upgrade_proof(source, 0, 2)
    part = upgrade_of(data)
    assert [node.index for node in part.additional_nodes] == [5, 11]
    split = (part.additional_nodes[0], source.nodes[9], source.nodes[13])
    with pytest.raises(ProofError, match="additional nodes"):
        verify_proof_untrusted(
            MemoryCore(source.key), replace(data, upgrade=replace(part, additional_nodes=split))
        )


def test_sizes_that_no_hash_fixes_are_not_kept() -> None:
    source = written_core(10)
    data = upgrade_proof(source, 0, 7)
    part = upgrade_of(data)
    *first, last = part.nodes
    sibling, *rest = part.additional_nodes
    assert (last.index, sibling.index) == (12, 14)
    shifted = replace(
        part,
        nodes=(*first, last._replace(size=last.size + 3)),
        additional_nodes=(sibling._replace(size=sibling.size - 3), *rest),
    )
    copy = MemoryCore(source.key)
    copy.apply(verify_proof_untrusted(copy, replace(data, upgrade=shifted)))
    assert copy.head == source.head
    assert 12 not in copy.nodes
    assert 14 not in copy.nodes
    assert copy.nodes[13] == source.nodes[13]
    # The block below is still provable, from the parent.
    proof = build_proof(source, Request(1, 0, block=BlockRequest(6, 1)))
    copy.apply(verify_proof_untrusted(copy, proof))
    assert copy.nodes[12] == source.nodes[12]
    assert copy.nodes[14] == source.nodes[14]


def test_a_hash_proof_keeps_the_nodes_whose_sizes_are_fixed() -> None:
    source = written_core(10)
    copy = upgraded(source)
    data = build_proof(source, Request(1, 0, hash=HashRequest(6, 2)))
    with pytest.raises(ProofError, match="not known"):
        verify_proof_untrusted(copy, data)
    data = build_proof(source, Request(1, 0, hash=HashRequest(6, 3)))
    kept = verify_proof_untrusted(copy, data).nodes
    assert sorted(node.index for node in kept) == [1, 3, 5, 11]


def test_a_block_has_to_lead_to_a_stored_node() -> None:
    source = written_core(10)
    copy = upgraded(source)
    short = build_proof(source, Request(1, 0, block=BlockRequest(3, 2)))
    with pytest.raises(ProofError, match="not known"):
        verify_proof_untrusted(copy, short)
    whole = build_proof(source, Request(1, 0, block=BlockRequest(3, 3)))
    assert whole.block is not None
    with pytest.raises(ProofError, match="another node"):
        verify_proof_untrusted(copy, replace(whole, block=replace(whole.block, value=b"lie")))
    copy.apply(verify_proof_untrusted(copy, whole))
    assert copy.block(3) == b"block #3"


def test_a_path_beside_an_upgrade_has_to_fit_it() -> None:
    source = written_core(10)
    request = Request(1, 0, block=BlockRequest(9, 0), upgrade=UpgradeRequest(0, 10), manifest=True)
    data = build_proof(source, request)
    assert data.block is not None
    lie = replace(data, block=replace(data.block, index=8))
    with pytest.raises(ProofError):
        verify_proof_untrusted(MemoryCore(source.key), lie)
    alone = replace(data, upgrade=None)
    with pytest.raises(ProofError, match="not known"):
        verify_proof_untrusted(MemoryCore(source.key), alone)


@pytest.mark.parametrize(
    "data",
    [
        Data(1, 0, upgrade=UpgradePart(0, 0, ())),
        Data(1, 0, upgrade=UpgradePart(0, MAX_LOG_LENGTH_BLOCKS + 1, ())),
        Data(1, 0, upgrade=UpgradePart(0, 1, (JUNK,) * (MAX_PROOF_NODES + 1))),
        Data(1, 0, hash=HashPart(1, ())),
        Data(1, 0, hash=HashPart(1, (JUNK,))),
        Data(1, 0, hash=HashPart(0, (TreeNode(0, 1, bytes(31)),))),
        Data(1, 0, seek=SeekPart(0, ())),
        Data(1, 0, seek=SeekPart(0, (TreeNode(2**53, 1, bytes(32)),))),
    ],
    ids=str,
)
def test_impossible_proofs_are_refused(data: Data) -> None:
    with pytest.raises(ProofError):
        verify_proof_untrusted(upgraded(written_core(3)), data)


def test_a_block_over_the_limit_is_refused() -> None:
    source = written_core(3)
    data = build_proof(source, Request(1, 0, block=BlockRequest(0, 1)))
    assert data.block is not None
    big = replace(data.block, value=bytes(MAX_BLOCK_BYTES + 1))
    with pytest.raises(ProofError, match="over the limit"):
        verify_proof_untrusted(upgraded(source), replace(data, block=big))


# Prologues ----------------------------------------------------------------------------------------


def prologue_manifest(length: int, public_keys: tuple[bytes, ...]) -> Manifest:
    _, head = append_blocks(EMPTY_HEAD, block_values(length))
    return multi_signer_manifest(public_keys, prologue=Prologue(head.hash(), length))


def test_a_static_log_ignores_what_stands_in_the_signature_field() -> None:
    source = written_core(6, prologue_manifest(6, ()))
    assert source.head.signature is None
    data = upgrade_proof(source, 0, 6)
    left_over = replace(data, upgrade=replace(upgrade_of(data), signature=b"left over"))
    assert verify_proof_untrusted(MemoryCore(source.key), left_over).head == source.head


def test_an_unsigned_tree_has_no_fork() -> None:
    source = written_core(6, prologue_manifest(6, ()))
    forged = replace(upgrade_proof(source, 0, 6), fork=9)
    with pytest.raises(ProofError, match="fork"):
        verify_proof_untrusted(MemoryCore(source.key), forged)


def test_a_static_log_cannot_grow() -> None:
    manifest = prologue_manifest(6, ())
    key = manifest_key(manifest)
    longer = written_core(8)
    data = replace(upgrade_proof(longer, 0, 8), manifest=manifest)
    with pytest.raises(ProofError):
        verify_proof_untrusted(MemoryCore(key), data)


def test_a_prologue_cannot_be_left_out_or_changed() -> None:
    manifest = prologue_manifest(6, KEYS[:1])
    source = written_core(9, manifest)
    data = upgrade_proof(source, 0, 6)
    assert verify_proof_untrusted(MemoryCore(source.key), data).head == source.head
    part = upgrade_of(data)
    other = written_core(9, prologue_manifest(4, KEYS[:1]))
    short = replace(upgrade_proof(other, 0, 4), manifest=manifest)
    with pytest.raises(ProofError, match="prologue"):
        verify_proof_untrusted(MemoryCore(source.key), short)
    wrong = replace(part, nodes=(part.nodes[0]._replace(hash=bytes(32)), *part.nodes[1:]))
    with pytest.raises(ProofError, match="prologue"):
        verify_proof_untrusted(MemoryCore(source.key), replace(data, upgrade=wrong))


# Quorums ------------------------------------------------------------------------------------------


def heads(*lengths: int) -> list[TreeHead]:
    return [append_blocks(EMPTY_HEAD, block_values(length))[1] for length in lengths]


def test_a_quorum_needs_different_signers() -> None:
    manifest = multi_signer_manifest(KEYS)
    key = manifest_key(manifest)
    (head,) = heads(5)
    one, two = (sign_partial(manifest, key, pair, head) for pair in PAIRS[:2])
    assert verify_head(key, manifest, assemble_head(manifest, key, head, (one, two)))
    assert verify_head(key, manifest, assemble_head(manifest, key, head, (two, one)))
    assert not verify_head(key, manifest, assemble_head(manifest, key, head, (one, one)))
    # Only the first proofs count, so a good one behind a bad one does not help.
    bad = replace(two, signature=bytes(64))
    signed = assemble_head(manifest, key, head, (one, bad, two))
    assert not verify_head(key, manifest, signed)


def test_a_quorum_cannot_rest_on_longer_trees_alone() -> None:
    manifest = multi_signer_manifest(KEYS, allow_patch=True)
    key = manifest_key(manifest)
    head, longer = heads(5, 6)
    nodes = upgrade_nodes(written_core(6), 5, 6)
    assert nodes is not None
    patched = [sign_partial(manifest, key, pair, longer, 1, nodes) for pair in PAIRS[:2]]
    exact = sign_partial(manifest, key, PAIRS[2], head)
    mixed = assemble_head(manifest, key, head, (patched[0], exact))
    assert verify_head(key, manifest, mixed)
    with pytest.raises(LocalProtocolError, match="head itself"):
        assemble_head(manifest, key, head, patched)
    forced = replace(head, signature=assemble_multisignature(patched))
    assert not verify_head(key, manifest, forced)


def test_patches_need_the_permission_of_the_manifest() -> None:
    manifest = multi_signer_manifest(KEYS)
    key = manifest_key(manifest)
    head, longer = heads(5, 6)
    nodes = upgrade_nodes(written_core(6), 5, 6)
    assert nodes is not None
    partials = (
        sign_partial(manifest, key, PAIRS[0], head),
        sign_partial(manifest, key, PAIRS[1], longer, 1, nodes),
    )
    assert not verify_head(key, manifest, assemble_head(manifest, key, head, partials))


def test_a_head_alone_has_to_be_consistent() -> None:
    source = written_core(5)
    manifest = source.manifest
    assert manifest is not None
    head = source.head
    assert verify_head(source.key, manifest, head)
    for lie in (
        replace(head, length=6),
        replace(head, byte_length=head.byte_length + 1),
        replace(head, fork=1),
        replace(head, roots=head.roots[:1]),
        replace(head, signature=None),
        replace(head, signature=b""),
        replace(head, signature=b"\x01" * 68),
        EMPTY_HEAD,
    ):
        assert not verify_head(source.key, manifest, lie)
    assert not verify_head(source.key, default_manifest(KEYS[1]), head)


def test_a_first_upgrade_is_verified_without_any_log() -> None:
    source = written_core(7)
    data = upgrade_proof(source, 0, 7)
    assert verify_first_upgrade_untrusted(source.key, None, data).head == source.head
    with pytest.raises(ProofError):
        verify_first_upgrade_untrusted(source.key, None, upgrade_proof(source, 3, 4))
    with pytest.raises(ProofError):
        verify_first_upgrade_untrusted(source.key, None, Data(1, 0))


def test_every_version_of_one_signer_signs_and_verifies() -> None:
    (head,) = heads(5)
    for version in range(4):
        manifest = default_manifest(KEYS[0], version=version)
        for key in (manifest_key(manifest), KEYS[0]):
            signed = sign_head(manifest, key, KEY_PAIR, head)
            assert verify_head(key, manifest, signed)
            assert not verify_head(key, manifest, replace(signed, fork=1))
