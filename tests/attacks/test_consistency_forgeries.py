"""Proofs that a log only grew: genuine ones hold, and nothing else does.

``VITRA_TEST_FORGERIES=10000`` for the full size.
"""

from __future__ import annotations

import json
import os
import random
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from protocol.crypto.manifest import encode_manifest
from protocol.errors import ProofError, RecordError
from protocol.hypercore.merkle.proof import BlockRequest, Request, UpgradeRequest
from protocol.hypercore.merkle.prover import CannotProve, build_proof
from protocol.hypercore.merkle.verifier import verify_proof_untrusted
from protocol.transparency.proofs.consistency import ConsistencyProof, prove_consistency
from tests.merkle_core import MemoryCore, written_core
from tests.signed_logs import KINDS, Kind, blocks

FORGERIES = int(os.environ.get("VITRA_TEST_FORGERIES", "1500"))
GENUINE = max(60, FORGERIES // 20)

Document = dict[str, Any]


def genuine(kind: Kind, rng: random.Random) -> ConsistencyProof:
    length = rng.randrange(2, 70)
    core = kind.core(blocks(length, length, b"x"))
    earlier = rng.randrange(1, length)
    signature = kind.head(core, earlier).signature if rng.random() < 0.5 else None
    return prove_consistency(core, earlier, signature)


def check(text: str) -> ConsistencyProof:
    proof = ConsistencyProof.from_json_untrusted(text)
    proof.check_untrusted()
    return proof


def kind_at(rng: random.Random) -> Kind:
    return rng.choice(list(KINDS.values()))


def test_every_genuine_proof_is_accepted() -> None:
    rng = random.Random(1)
    for _ in range(GENUINE):
        kind = kind_at(rng)
        proof = genuine(kind, rng)
        assert check(proof.to_json()) == proof
        proof.check_untrusted(kind.key)
        with pytest.raises(ProofError):
            proof.check_untrusted(bytes(32))


def test_all_pairs_of_lengths() -> None:
    kind = KINDS["version 1"]
    core = kind.core(blocks(33, 33, b"x"))
    heads = {length: kind.head(core, length) for length in range(1, 34)}
    for later in range(2, 34):
        core.head = heads[later]
        for earlier in range(1, later):
            proof = check(prove_consistency(core, earlier).to_json())
            assert (proof.earlier.roots, proof.later) == (heads[earlier].roots, heads[later])


def test_one_block_with_its_way_up_is_enough() -> None:
    full = written_core(100)
    for length in (1, 2, 31, 64, 65, 77, 99):
        sparse = MemoryCore(full.key)
        block, upgrade = BlockRequest(length - 1, 0), UpgradeRequest(0, 100)
        request = Request(0, 0, block, upgrade=upgrade, manifest=True)
        sparse.apply(verify_proof_untrusted(sparse, build_proof(full, request)))
        assert prove_consistency(sparse, length) == prove_consistency(full, length)
        with pytest.raises(CannotProve):
            prove_consistency(sparse, 50)


@pytest.mark.parametrize("length", [-1, 0, 5, 6])
def test_what_is_not_to_be_proven(length: int) -> None:
    with pytest.raises(CannotProve):
        prove_consistency(written_core(5), length)


def test_a_proof_is_small() -> None:
    core = written_core(5_000)
    assert max(len(prove_consistency(core, n).to_json()) for n in (1, 1234, 4095, 4999)) < 4096


# An earlier tree that the log never had -----------------------------------------------------------


def test_another_beginning_does_not_grow_into_the_log() -> None:
    """Both trees are the writer's own, and both are signed: it is a fork, and no growth."""
    rng = random.Random(2)
    for _ in range(FORGERIES // 8):
        kind = kind_at(rng)
        split, length = rng.randrange(20), rng.randrange(22, 40)
        ours = kind.core(blocks(length, split, b"ours"))
        theirs = kind.core(blocks(length, split, b"theirs"))
        earlier = rng.randrange(split + 1, length)
        wrong = kind.head(theirs, earlier)
        if rng.random() < 0.5:
            wrong = replace(wrong, signature=None)
        proof = replace(prove_consistency(ours, earlier), earlier=wrong)
        if rng.random() < 0.5:
            proof = replace(proof, nodes=prove_consistency(theirs, earlier).nodes)
        with pytest.raises(ProofError):
            check(proof.to_json())


def test_sizes_of_an_unsigned_tree_are_not_proven_but_hashes_are() -> None:
    """One byte moved from the earlier root to its sibling: their parent's hash stays as it was."""
    kind = KINDS["version 1"]
    core = kind.core(blocks(4, 4, b"x"))
    proof = prove_consistency(core, 2)
    (root,), (node,) = proof.earlier.roots, proof.nodes
    moved = replace(
        proof,
        earlier=replace(proof.earlier, roots=(root._replace(size=root.size - 1),)),
        nodes=(node._replace(size=node.size + 1),),
    )
    accepted = check(moved.to_json())
    assert [each.hash for each in accepted.earlier.roots] == [root.hash]
    signed = replace(moved.earlier, signature=kind.head(core, 2).signature)
    with pytest.raises(ProofError):
        check(replace(moved, earlier=signed).to_json())


# Parts of a genuine proof exchanged ---------------------------------------------------------------


def flip(text: str, rng: random.Random) -> str:
    data = bytearray(b64decode(text))
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return b64encode(data).decode()


def any_nodes(document: Document, rng: random.Random) -> list[Any]:
    lists = [document["earlier"]["roots"], document["nodes"], document["later"]["roots"]]
    found: list[Any] = rng.choice(lists)
    return found


def another_hash(document: Document, kind: Kind, rng: random.Random) -> None:
    node = rng.choice(any_nodes(document, rng))
    node[2] = flip(node[2], rng)


def another_place(document: Document, kind: Kind, rng: random.Random) -> None:
    rng.choice(any_nodes(document, rng))[0] += rng.choice([1, 2, 64])


def a_short_hash(document: Document, kind: Kind, rng: random.Random) -> None:
    node = rng.choice(any_nodes(document, rng))
    node[2] = b64encode(b64decode(node[2])[:-1]).decode()


def one_too_few(document: Document, kind: Kind, rng: random.Random) -> None:
    nodes = any_nodes(document, rng)
    del nodes[rng.randrange(len(nodes))]


def one_too_many(document: Document, kind: Kind, rng: random.Random) -> None:
    nodes = any_nodes(document, rng)
    nodes.insert(rng.randrange(len(nodes) + 1), list(rng.choice(nodes)))


def another_length(document: Document, kind: Kind, rng: random.Random) -> None:
    # Each is at most 70, and the later one is longer.
    document[rng.choice(["earlier", "later"])]["length"] += rng.choice([-100, -1, 1, 64, 2**50])


def another_fork(document: Document, kind: Kind, rng: random.Random) -> None:
    which = rng.choice([["earlier"], ["later"], ["earlier", "later"]])
    for each in which:
        document[each]["fork"] += 1


def another_log(document: Document, kind: Kind, rng: random.Random) -> None:
    other = rng.choice([each for each in KINDS.values() if each.key != kind.key])
    document["logKey"] = other.key.hex()
    if rng.random() < 0.7:
        manifest = b64encode(encode_manifest(other.manifest)).decode()
        document["manifest"] = None if other.manifest.is_compat(other.key) else manifest


def another_signature(document: Document, kind: Kind, rng: random.Random) -> None:
    signed = [each for each in ("earlier", "later") if document[each]["signature"] is not None]
    head = document[rng.choice(signed)]
    data = bytearray(b64decode(head["signature"]))
    data[rng.randrange(2, 60)] ^= 1 << rng.randrange(8)
    head["signature"] = b64encode(data).decode()


def no_signature(document: Document, kind: Kind, rng: random.Random) -> None:
    document["later"]["signature"] = rng.choice([None, document["earlier"]["signature"]])


def turned_round(document: Document, kind: Kind, rng: random.Random) -> None:
    document["earlier"], document["later"] = document["later"], document["earlier"]


def the_same_twice(document: Document, kind: Kind, rng: random.Random) -> None:
    document["earlier"] = document["later"]
    document["nodes"] = rng.choice([[], document["nodes"]])


TAMPERS: list[Callable[[Document, Kind, random.Random], None]] = [
    another_hash,
    another_place,
    a_short_hash,
    one_too_few,
    one_too_many,
    another_length,
    another_fork,
    another_log,
    another_signature,
    no_signature,
    turned_round,
    the_same_twice,
]


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
def test_no_part_of_a_genuine_proof_can_be_exchanged(
    tamper: Callable[[Document, Kind, random.Random], None],
) -> None:
    rng = random.Random(3)
    for _ in range(FORGERIES // 16):
        kind = kind_at(rng)
        document = json.loads(genuine(kind, rng).to_json())
        tamper(document, kind, rng)
        with pytest.raises((ProofError, RecordError)):
            check(json.dumps(document))


def test_files_of_any_other_form_are_refused() -> None:
    document = json.loads(genuine(KINDS["version 1"], random.Random(4)).to_json())
    wrong: list[Any] = [None, -1, 1.5, True, "x", [], [[]], [[1, 2]], [[1, 2, 3]], {}, 2**60]
    for name in document:
        for value in wrong:
            with suppress(RecordError, ProofError):
                check(json.dumps({**document, name: value}))
                raise AssertionError((name, value))
        missing = {other: value for other, value in document.items() if other != name}
        with pytest.raises(RecordError):
            check(json.dumps(missing))
    for text in ("", "null", "[]", "{", "[" * 100_000, "1e400", "9" * 300_000):
        with pytest.raises(RecordError):
            check(text)
