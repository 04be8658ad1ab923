"""Following a truncated log: what is kept is what both histories share."""

from __future__ import annotations

import pytest

from protocol.errors import ProofError, StaleProofError
from protocol.hypercore.merkle.proof import Request
from protocol.hypercore.merkle.prover import build_proof
from protocol.hypercore.merkle.reorg import (
    Reorg,
    begin_reorg_untrusted,
    drop_to_first_difference_untrusted,
    reorg_request,
)
from protocol.hypercore.merkle.verifier import verify_proof_untrusted

from ...merkle_core import MemoryCore, block_values, written_core


def copy_of(source: MemoryCore) -> MemoryCore:
    copy = MemoryCore(source.key, source.manifest)
    copy.head, copy.nodes, copy.blocks = source.head, dict(source.nodes), dict(source.blocks)
    return copy


def rewritten(length: int, kept: int, new_length: int) -> tuple[MemoryCore, MemoryCore]:
    """A log, truncated to ``kept`` and grown to ``new_length``; and a full copy of before."""
    source = written_core(length)
    before = copy_of(source)
    source.truncate(kept)
    source.append(b"other %d" % i for i in range(kept, new_length))
    return source, before


def begin(source: MemoryCore, copy: MemoryCore) -> Reorg:
    request = reorg_request(1, source.head.fork, source.head.length)
    return begin_reorg_untrusted(copy, build_proof(source, request))


def finish(source: MemoryCore, reorg: Reorg) -> int:
    rounds = 0
    while (question := reorg.hash_request()) is not None:
        rounds += 1
        reorg.receive_untrusted(build_proof(source, Request(1, source.head.fork, hash=question)))
    return rounds


@pytest.mark.parametrize("length", range(1, 18))
def test_the_search_finds_exactly_the_common_prefix(length: int) -> None:
    for kept in range(length + 1):
        for new_length in range(max(kept, 1), length + 4):
            source, copy = rewritten(length, kept, new_length)
            reorg = begin(source, copy)
            rounds = finish(source, reorg)
            assert reorg.common_length == kept
            assert rounds <= length.bit_length() + 1
            copy.apply(reorg.change())
            assert copy.head == source.head
            assert copy.blocks == {i: b for i, b in source.blocks.items() if i < kept}
            assert all(source.nodes[i] == node for i, node in copy.nodes.items())


def test_stopping_the_search_early_drops_more_but_nothing_false() -> None:
    source, copy = rewritten(20, 11, 23)
    request = reorg_request(1, source.head.fork, source.head.length)
    change = drop_to_first_difference_untrusted(copy, build_proof(source, request))
    assert change.truncated_to == 0
    copy.apply(change)
    assert copy.head == source.head
    assert not copy.blocks


def test_the_log_goes_on_after_a_reorganisation() -> None:
    source, copy = rewritten(20, 11, 23)
    reorg = begin(source, copy)
    finish(source, reorg)
    copy.apply(reorg.change())
    source.append(block_values(9))
    growth = reorg_request(1, source.head.fork, 32)
    assert growth.upgrade is not None
    request = Request(1, source.head.fork, upgrade=type(growth.upgrade)(23, 9))
    copy.apply(verify_proof_untrusted(copy, build_proof(source, request)))
    assert copy.head == source.head


def test_a_fork_has_to_be_newer() -> None:
    source = written_core(4)
    data = build_proof(source, reorg_request(1, 0, 4))
    with pytest.raises(StaleProofError):
        begin_reorg_untrusted(copy_of(source), data)


def test_an_answer_for_another_tree_is_refused() -> None:
    source, copy = rewritten(20, 11, 23)
    reorg = begin(source, copy)
    question = reorg.hash_request()
    assert question is not None
    lie = build_proof(copy, Request(1, 0, hash=question))
    with pytest.raises(StaleProofError):
        reorg.receive_untrusted(lie)
    other, _ = rewritten(20, 9, 23)
    with pytest.raises(ProofError):
        reorg.receive_untrusted(build_proof(other, Request(1, 1, hash=question)))
    assert reorg.hash_request() == question


def test_a_search_ends_when_our_own_log_changes() -> None:
    source, copy = rewritten(20, 11, 23)
    reorg = begin(source, copy)
    question = reorg.hash_request()
    copy.append([b"more"])
    with pytest.raises(StaleProofError):
        reorg.receive_untrusted(build_proof(source, Request(1, 1, hash=question)))
