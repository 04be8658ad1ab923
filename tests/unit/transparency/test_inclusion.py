"""Inclusion proofs: made by any holder, checked with nothing but the file."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from protocol.crypto.manifest import multi_signer_manifest
from protocol.errors import ProofError, RecordError
from protocol.hypercore.merkle.proof import BlockPart, BlockRequest, Request, UpgradeRequest
from protocol.hypercore.merkle.prover import CannotProve, build_proof
from protocol.hypercore.merkle.verifier import verify_proof_untrusted
from protocol.transparency.proofs.inclusion import InclusionProof, prove_inclusion
from tests.merkle_core import KEY_PAIR, MemoryCore, compat_core, written_core


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 100])
def test_every_block_of_a_log_is_proven(length: int) -> None:
    core = written_core(length)
    for index in range(length):
        proof = prove_inclusion(core, index)
        again = InclusionProof.from_json_untrusted(proof.to_json())
        assert again == proof
        proven = again.check_untrusted(core.key)
        assert (proven.index, proven.block) == (index, core.block(index))
        assert proven.head == core.head
        assert proven.log_key == core.key


def test_logs_whose_key_is_their_writers() -> None:
    core = compat_core(5)
    proof = prove_inclusion(core, 3)
    assert proof.manifest is None
    assert (
        InclusionProof.from_json_untrusted(proof.to_json()).check_untrusted().block == b"block #3"
    )


def test_logs_that_were_truncated() -> None:
    core = written_core(9)
    core.truncate(4)
    core.append([b"another"])
    proven = prove_inclusion(core, 4).check_untrusted(core.key)
    assert (proven.block, proven.head.fork) == (b"another", 1)


def test_a_proof_needs_nothing_but_the_path() -> None:
    full = written_core(20)
    sparse = MemoryCore(full.key)
    request = Request(0, 0, BlockRequest(13, 0), upgrade=UpgradeRequest(0, 20), manifest=True)
    sparse.apply(verify_proof_untrusted(sparse, build_proof(full, request)))
    assert sparse.block(12) is None
    assert prove_inclusion(sparse, 13).check_untrusted(full.key).block == b"block #13"
    with pytest.raises(CannotProve):
        prove_inclusion(sparse, 12)


def test_nothing_to_prove() -> None:
    core = written_core(1)
    with pytest.raises(CannotProve):
        prove_inclusion(core, 1)
    with pytest.raises(CannotProve):
        prove_inclusion(MemoryCore(core.key), 0)


def test_a_proof_for_another_log() -> None:
    proof = prove_inclusion(written_core(3), 1)
    with pytest.raises(ProofError):
        proof.check_untrusted(bytes(32))
    with pytest.raises(ProofError):
        replace(proof, log_key=bytes(32)).check_untrusted()
    other = multi_signer_manifest((KEY_PAIR.public_key,), version=1)
    with pytest.raises(ProofError):
        replace(proof, manifest=replace(other, allow_patch=True)).check_untrusted()


def forgeries(proof: InclusionProof) -> list[InclusionProof]:
    block, upgrade = proof.block, proof.upgrade
    node = block.nodes[0]
    return [
        replace(proof, block=replace(block, value=block.value + b"!")),
        replace(proof, block=replace(block, index=block.index + 1)),
        replace(proof, block=replace(block, nodes=block.nodes[1:])),
        replace(proof, block=replace(block, nodes=(*block.nodes, node))),
        replace(
            proof, block=replace(block, nodes=(node._replace(size=node.size + 1), *block.nodes[1:]))
        ),
        replace(proof, block=BlockPart(10**6, block.value, ())),
        replace(proof, upgrade=replace(upgrade, length=upgrade.length - 1)),
        replace(proof, upgrade=replace(upgrade, length=upgrade.length + 1)),
        replace(proof, upgrade=replace(upgrade, nodes=upgrade.nodes[1:])),
        replace(proof, upgrade=replace(upgrade, nodes=(*upgrade.nodes, node))),
        replace(proof, upgrade=replace(upgrade, additional_nodes=(node,))),
        replace(proof, upgrade=replace(upgrade, signature=None)),
        replace(proof, upgrade=replace(upgrade, signature=bytes(64))),
        replace(proof, upgrade=replace(upgrade, signature=b"")),
        replace(proof, fork=1),
    ]


def test_forgeries_are_refused() -> None:
    for index in (0, 4, 10):
        proof = prove_inclusion(written_core(11), index)
        if not proof.block.nodes:
            continue
        for forgery in forgeries(proof):
            with pytest.raises(ProofError):
                InclusionProof.from_json_untrusted(forgery.to_json()).check_untrusted()


def test_proofs_are_small() -> None:
    core = written_core(5_000)
    assert len(prove_inclusion(core, 1_234).to_json()) < 4096


def test_files_of_any_other_form_are_refused() -> None:
    document = json.loads(prove_inclusion(written_core(11), 4).to_json())
    wrong: list[Any] = [None, -1, 1.5, True, "x", [], [[]], [[1, 2]], [[1, 2, 3]], {}, 2**60]
    for name in document:
        for value in wrong:
            if name in ("signature", "manifest") and value is None:
                continue
            changed = json.dumps({**document, name: value})
            with suppress(RecordError, ProofError):
                InclusionProof.from_json_untrusted(changed).check_untrusted()
                assert (name, value) == ("additionalRoots", [])
        missing = {other: value for other, value in document.items() if other != name}
        with pytest.raises(RecordError):
            InclusionProof.from_json_untrusted(json.dumps(missing))
    for text in ("", "null", "[]", "{", "[" * 100_000, "1e400"):
        with pytest.raises(RecordError):
            InclusionProof.from_json_untrusted(text)
