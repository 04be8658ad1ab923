"""What is proven, and how a request is turned down."""

from __future__ import annotations

import pytest

from protocol.errors import LocalProtocolError
from protocol.hypercore.merkle.growth import (
    append_blocks,
    head_at,
    roots_at,
    sign_head,
    upgrade_nodes,
)
from protocol.hypercore.merkle.proof import (
    BlockRequest,
    Data,
    HashRequest,
    Request,
    SeekRequest,
    UpgradeRequest,
)
from protocol.hypercore.merkle.prover import CannotProve, NoDataReason, build_proof, missing_nodes
from protocol.hypercore.merkle.verifier import verify_proof_untrusted
from protocol.limits import MAX_BLOCK_BYTES

from ...merkle_core import (
    KEY_PAIR,
    MemoryCore,
    block_values,
    compat_core,
    written_core,
)

NOT_AVAILABLE = NoDataReason.NOT_AVAILABLE
INVALID = NoDataReason.INVALID_REQUEST


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request(1, 1, block=BlockRequest(0, 0)), NOT_AVAILABLE),
        (Request(1, 0, block=BlockRequest(10, 0)), NOT_AVAILABLE),
        (Request(1, 0, block=BlockRequest(2**52, 0)), NOT_AVAILABLE),
        (Request(1, 0, block=BlockRequest(3, 4)), INVALID),
        (Request(1, 0, block=BlockRequest(3, 2**53 - 1)), INVALID),
        (Request(1, 0, block=BlockRequest(0, 0), hash=HashRequest(0, 0)), INVALID),
        (Request(1, 0, hash=HashRequest(20, 0)), INVALID),
        (Request(1, 0, hash=HashRequest(15, 0)), INVALID),
        (Request(1, 0, hash=HashRequest(2**53 - 1, 0)), INVALID),
        (Request(1, 0, upgrade=UpgradeRequest(0, 0)), INVALID),
        (Request(1, 0, upgrade=UpgradeRequest(0, 11)), INVALID),
        (Request(1, 0, upgrade=UpgradeRequest(10, 1)), INVALID),
        (Request(1, 0, upgrade=UpgradeRequest(0, 4), block=BlockRequest(5, 0)), INVALID),
        (Request(1, 0, upgrade=UpgradeRequest(5, 5), hash=HashRequest(7, 0)), INVALID),
        (
            Request(
                1, 0, upgrade=UpgradeRequest(4, 6), block=BlockRequest(5, 0), seek=SeekRequest(50)
            ),
            INVALID,
        ),
        (Request(1, 0, block=BlockRequest(0, 1), seek=SeekRequest(50)), INVALID),
        (Request(1, 0, block=BlockRequest(3, 1), seek=SeekRequest(3)), INVALID),
        (Request(1, 0, block=BlockRequest(3, 1), seek=SeekRequest(3, 2**53 - 1)), INVALID),
    ],
    ids=str,
)
def test_requests_without_an_answer(request_: Request, reason: NoDataReason) -> None:
    with pytest.raises(CannotProve) as caught:
        build_proof(written_core(10), request_)
    assert caught.value.reason is reason


def test_a_manifest_is_given_even_when_the_rest_is_not() -> None:
    source = written_core(3)
    request = Request(1, 4, block=BlockRequest(0, 0), manifest=True)
    assert build_proof(source, request) == Data(1, 0, manifest=source.manifest)
    with pytest.raises(CannotProve):
        build_proof(compat_core(3), request)


def test_an_empty_log_proves_nothing_but_its_manifest() -> None:
    source = written_core(0)
    assert build_proof(source, Request(1, 0, upgrade=UpgradeRequest(0, 3))) == Data(1, 0)
    assert build_proof(source, Request(1, 0, manifest=True)).manifest == source.manifest


def test_a_sparse_copy_serves_what_it_can() -> None:
    source = written_core(10)
    copy = MemoryCore(source.key)
    whole = Request(1, 0, upgrade=UpgradeRequest(0, 10), manifest=True)
    copy.apply(verify_proof_untrusted(copy, build_proof(source, whole)))
    block = Request(1, 0, block=BlockRequest(3, missing_nodes(copy, 3)))
    copy.apply(verify_proof_untrusted(copy, build_proof(source, block)))
    assert build_proof(copy, block) == build_proof(source, block)
    assert build_proof(copy, whole) == build_proof(source, whole)
    for request in (
        Request(1, 0, block=BlockRequest(4, 1)),
        Request(1, 0, hash=HashRequest(8, 1)),
        Request(1, 0, upgrade=UpgradeRequest(6, 4)),
    ):
        with pytest.raises(CannotProve) as caught:
            build_proof(copy, request)
        assert caught.value.reason is NOT_AVAILABLE


def test_a_seek_skips_the_padding_of_each_block() -> None:
    source = written_core(10)
    # Each block is "block #i": eight bytes, of which two count.
    data = build_proof(source, Request(1, 0, hash=HashRequest(0, 3), seek=SeekRequest(9, 6)))
    assert data.seek is not None
    assert data.seek.nodes[0].index == 8


def test_a_request_can_carry_nothing() -> None:
    assert build_proof(written_core(3), Request(1, 0)) == Data(1, 0)


def test_heads_of_earlier_lengths() -> None:
    source = written_core(10)
    assert source.manifest is not None
    for length in range(11):
        head = head_at(source, length, 0)
        assert head == append_blocks(head_at(source, 0, 0), block_values(length))[1]
    assert roots_at(MemoryCore(source.key), 3) is None
    assert upgrade_nodes(MemoryCore(source.key), 0, 3) is None
    with pytest.raises(LocalProtocolError):
        head_at(source, 11, 0)


def test_blocks_over_the_limit_are_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        append_blocks(written_core(1).head, [bytes(MAX_BLOCK_BYTES + 1)])


def test_only_signers_sign() -> None:
    source = written_core(1)
    assert source.manifest is not None
    stranger = type(KEY_PAIR).from_seed(bytes(32))
    with pytest.raises(LocalProtocolError):
        sign_head(source.manifest, source.key, stranger, source.head)
