"""Heads of any lengths, forks and manifests: contradictions are found and proven, and no others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.hypercore.core import TreeHead
from protocol.hypercore.heads.contradiction import Contradiction, Rewrite, Truncation
from protocol.hypercore.heads.heads_table import Heads
from protocol.hypercore.merkle.proof import Data, Request, UpgradeRequest
from protocol.hypercore.merkle.prover import build_proof
from protocol.limits import MAX_KEPT_HEADS
from protocol.transparency.proofs.log_frauds import (
    contradiction_of,
    log_fraud_proof,
    read_log_fraud_proof_untrusted,
)
from tests.merkle_core import MemoryCore
from tests.signed_logs import KINDS, Kind, blocks, sparse

kinds = st.sampled_from(sorted(KINDS)).map(KINDS.__getitem__)
lengths = st.integers(1, 40)


def check_proof(kind: Kind, contradiction: Contradiction) -> None:
    """The proof stands by itself, and says the same after its way through a file."""
    proof = log_fraud_proof(kind.key, kind.manifest, contradiction)
    proof.check_untrusted(kind.key)
    read = read_log_fraud_proof_untrusted(proof.to_json())
    assert read == proof
    assert contradiction_of(read) == contradiction
    read.check_untrusted()


def tree_of(core: MemoryCore, length: int) -> Data:
    """What a peer answers that is asked for its tree at ``length``."""
    request = Request(0, core.head.fork, upgrade=UpgradeRequest(0, length), manifest=True)
    return build_proof(core, request)


@settings(max_examples=150)
@given(kinds, lengths, lengths, st.integers(0, 40))
def test_a_full_copy_settles_every_shorter_head(kind: Kind, a: int, b: int, split: int) -> None:
    ours = kind.core(blocks(max(a, b), split, b"ours"))
    theirs = kind.core(blocks(min(a, b), split, b"theirs"))
    heads = Heads(ours)
    found = heads.see_untrusted(theirs.head)
    assert (found is not None) is (min(a, b) > split)
    if found is not None:
        assert heads.found == found
        assert heads.frozen
        check_proof(kind, found)
    else:
        assert heads.ahead == []
        assert not heads.frozen


@settings(max_examples=150)
@given(kinds, lengths, lengths, st.integers(0, 40))
def test_a_longer_head_is_settled_by_the_peer_that_shows_it(
    kind: Kind, a: int, b: int, split: int
) -> None:
    ours = kind.core(blocks(min(a, b), split, b"ours"))
    theirs = kind.core(blocks(max(a, b), split, b"theirs"))
    heads = Heads(sparse(ours, lambda _: False))
    found = heads.see_untrusted(theirs.head)
    if found is None and a != b:
        length = heads.question(theirs.head)
        assert length == ours.head.length
        head, found = heads.see_tree_untrusted(tree_of(theirs, length))
        assert head == theirs.head
    assert (found is not None) is (min(a, b) > split)
    if found is not None:
        check_proof(kind, found)


@settings(max_examples=100)
@given(kinds, lengths, lengths, st.integers(0, 40), st.randoms(use_true_random=False))
def test_what_a_sparse_copy_lacks_a_holder_of_its_history_shows(
    kind: Kind, a: int, b: int, split: int, random: object
) -> None:
    full = kind.core(blocks(max(a, b), split, b"ours"))
    theirs = kind.core(blocks(min(a, b), split, b"theirs"))
    heads = Heads(sparse(full, lambda index: index % 3 == 0))
    found = heads.see_untrusted(theirs.head)
    if found is None and theirs.head in heads.ahead:
        length = heads.question(theirs.head)
        assert length == theirs.head.length
        _, found = heads.see_tree_untrusted(tree_of(full, length))
        assert found is not None or heads.ahead == []
    assert (found is not None) is (min(a, b) > split)
    if found is not None:
        check_proof(kind, found)


@settings(max_examples=100)
@given(kinds, st.lists(st.tuples(lengths, st.booleans()), min_size=2, max_size=8), lengths)
def test_heads_ahead_of_our_tree_are_compared_as_it_grows(
    kind: Kind, shown: list[tuple[int, bool]], split: int
) -> None:
    """A node with an empty tree sees heads of two histories, then follows one of them."""
    histories = {name: kind.core(blocks(40, split, b"%d" % name)) for name in (False, True)}
    ours = MemoryCore(kind.key, kind.manifest)
    heads = Heads(ours)
    for length, name in shown:
        heads.see_untrusted(kind.head(histories[name], length))
    for length in (7, 20, 40):
        ours.nodes = histories[False].nodes
        ours.head = kind.head(histories[False], length)
        heads.grown()
    beyond = [length for length, name in shown if name and length > split]
    if beyond:
        assert heads.found is not None
        check_proof(kind, heads.found)
    else:
        assert heads.found is None
        assert heads.ahead == []


@settings(max_examples=60)
@given(kinds, lengths, st.integers(1, 2**53 - 1), st.integers(0, 40))
def test_a_fork_number_above_zero_is_a_truncation(
    kind: Kind, length: int, fork: int, known: int
) -> None:
    core = kind.core(blocks(40, 40, b"x"))
    ours = MemoryCore(kind.key, kind.manifest)
    if known:
        ours.head = kind.head(core, known)
    heads = Heads(ours)
    head = kind.head(core, length, fork)
    found = heads.see_untrusted(head)
    assert found == Truncation(head, ours.head if known else None)
    check_proof(kind, found)
    permissive = Heads(ours, may_truncate=True)
    assert permissive.see_untrusted(head) is None
    assert not permissive.frozen


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_table_is_bounded_and_keeps_what_binds_most(kind: Kind) -> None:
    core = kind.core(blocks(3 * MAX_KEPT_HEADS, 1000, b"x"))
    heads = Heads(MemoryCore(kind.key, kind.manifest))
    shown = [kind.head(core, length) for length in range(1, 3 * MAX_KEPT_HEADS)]
    for head in shown:
        assert heads.see_untrusted(head) is None
    assert len(heads.ahead) <= MAX_KEPT_HEADS
    assert heads.ahead[-1] == shown[-1]
    version = heads.version
    assert heads.see_untrusted(shown[-1]) is None
    assert heads.version == version


def test_sizes_that_a_relay_divides_anew_frame_nobody() -> None:
    """The hash of a parent covers only the sum: the nodes are right, their sizes are not."""
    kind = KINDS["version 1"]
    core = kind.core(blocks(4, 4, b"x"))
    data = tree_of(core, 3)
    assert data.upgrade is not None
    node, extra = data.upgrade.nodes[-1], data.upgrade.additional_nodes[0]
    lied = replace(
        data,
        upgrade=replace(
            data.upgrade,
            nodes=(*data.upgrade.nodes[:-1], node._replace(size=node.size + 1)),
            additional_nodes=(extra._replace(size=extra.size - 1),),
        ),
    )
    heads = Heads(kind.core(blocks(3, 3, b"x")))
    head, found = heads.see_tree_untrusted(lied)
    assert (head, found) == (core.head, None)


def order_of(found: Contradiction | None) -> list[TreeHead]:
    assert isinstance(found, Rewrite)
    return [found.first.head, found.second.head]


def test_both_sides_make_the_same_proof() -> None:
    kind = KINDS["version 1"]
    one = kind.core(blocks(9, 4, b"one"))
    other = kind.core(blocks(9, 4, b"other"))
    first, second = Heads(one), Heads(other)
    assert order_of(first.see_untrusted(other.head)) == order_of(second.see_untrusted(one.head))
