"""Messages and announcements against random bytes, random values, and simple models."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.hashes import TreeNode
from protocol.crypto.manifest import default_manifest
from protocol.errors import DecodeError, ProofError, RemoteProtocolError
from protocol.hypercore.merkle.block_proof import (
    decode_block_answer_untrusted,
    encode_block_answer,
    encode_block_request,
    fold_block_untrusted,
    prove_block,
)
from protocol.hypercore.merkle.proof import (
    BlockPart,
    BlockRequest,
    Data,
    HashPart,
    HashRequest,
    Request,
    SeekPart,
    SeekRequest,
    UpgradePart,
    UpgradeRequest,
)
from protocol.hypercore.merkle.prover import CannotProve, build_proof
from protocol.hypercore.merkle.verifier import verify_proof_untrusted
from protocol.hypercore.replication.bitfield import RemoteBlocks
from protocol.hypercore.replication.messages import (
    Bitfield,
    Cancel,
    Extension,
    Message,
    NoData,
    Range,
    Sync,
    Unwant,
    Want,
    decode_data_untrusted,
    decode_message_untrusted,
    decode_request_untrusted,
    encode_data,
    encode_message,
)

from ..replication_nodes import WRITER, MemoryCore

integers = st.integers(0, 2**53 - 1) | st.sampled_from([0, 1, 252, 253, 65535, 65536, 2**32])
lengths = st.integers(0, 2**40)
blobs = st.binary(max_size=40)
flags = st.booleans()
nodes = st.lists(
    st.builds(TreeNode, integers, integers, st.binary(min_size=32, max_size=32)), max_size=4
).map(tuple)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Sync, integers, lengths, integers, flags, flags, flags, flags, flags),
    st.builds(
        Request,
        integers,
        integers,
        maybe(st.builds(BlockRequest, integers, integers)),
        maybe(st.builds(HashRequest, integers, integers)),
        maybe(st.builds(SeekRequest, integers, integers)),
        maybe(st.builds(UpgradeRequest, integers, integers)),
        flags,
        integers,
    ),
    st.builds(Cancel, integers),
    st.builds(
        Data,
        integers,
        integers,
        maybe(st.builds(BlockPart, integers, blobs, nodes)),
        maybe(st.builds(HashPart, integers, nodes)),
        maybe(st.builds(SeekPart, integers, nodes)),
        maybe(
            st.builds(
                UpgradePart,
                lengths,
                lengths,
                nodes,
                nodes,
                maybe(st.binary(min_size=1, max_size=80)),
            )
        ),
        maybe(st.just(default_manifest(WRITER.public_key))),
    ),
    st.builds(NoData, integers, st.sampled_from([None, 0, 1, 2, 300])),
    st.builds(Want, integers, integers, flags),
    st.builds(Unwant, integers, integers, flags),
    st.builds(Bitfield, integers, st.binary(max_size=16).map(lambda b: b * 4)),
    st.builds(Range, integers, integers, flags),
    st.builds(Extension, st.text(max_size=8), blobs),
)


@given(messages)
def test_messages_survive_the_wire(message: Message) -> None:
    kind, payload = encode_message(message)
    assert decode_message_untrusted(kind, payload) == message


@given(messages, st.data())
def test_mutated_messages_decode_or_raise_decode_error(
    message: Message, data: st.DataObject
) -> None:
    kind, payload = encode_message(message)
    mutated = bytearray(payload)
    for _ in range(data.draw(st.integers(0, 4))):
        if mutated:
            mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    mutated = mutated[: data.draw(st.integers(0, len(mutated)))]
    with contextlib.suppress(DecodeError):
        decode_message_untrusted(kind, bytes(mutated))


@given(st.integers(0, 12), st.binary(max_size=200))
def test_random_bytes_decode_or_raise_decode_error(kind: int, payload: bytes) -> None:
    try:
        message = decode_message_untrusted(kind, payload)
    except DecodeError:
        return
    if kind > 9:
        assert message is None
    elif message is not None:
        # What was read can be written, and reads the same again.
        assert decode_message_untrusted(*encode_message(message)) == message


# The fast lane does what the general way does -----------------------------------------------------


@given(st.binary(max_size=300), st.data())
def test_block_answers_decode_alike(noise: bytes, data: st.DataObject) -> None:
    part = st.builds(BlockPart, integers, blobs, nodes)
    message = Data(data.draw(integers), data.draw(integers), block=data.draw(part))
    payload = encode_data(message)
    cut = data.draw(st.integers(0, len(payload)))
    for candidate in (payload, payload + noise, payload[:cut], b"\x01" + noise):
        if candidate[:1] != b"\x01":
            continue
        try:
            general = decode_data_untrusted(candidate)
        except DecodeError:
            with pytest.raises(DecodeError):
                decode_block_answer_untrusted(candidate)
            continue
        assert general.block is not None
        answer = decode_block_answer_untrusted(candidate)
        assert (answer.request, answer.fork) == (general.request, general.fork)
        assert (answer.index, answer.value) == (general.block.index, general.block.value)
        assert tuple(answer.nodes) == general.block.nodes


@given(integers, integers, integers, integers)
def test_block_requests_encode_alike(id_: int, fork: int, index: int, steps: int) -> None:
    payload = encode_block_request(id_, fork, index, steps)
    assert decode_request_untrusted(payload) == Request(id_, fork, BlockRequest(index, steps))


CORE = MemoryCore.writable([b"%d" % i * (i % 7) for i in range(45)])


def climb(index: int, steps: int) -> int:
    return ((2 * (index >> steps) + 1) << steps) - 1


@given(st.integers(0, 50), st.integers(0, 8) | integers, st.data())
def test_blocks_are_proven_and_verified_alike(index: int, steps: int, data: st.DataObject) -> None:
    request = Request(1, 0, block=BlockRequest(index, steps))
    fast = prove_block(CORE, index, steps)
    try:
        proof = build_proof(CORE, request)
    except CannotProve:
        assert fast is None
        return
    assert fast is not None
    payload = encode_block_answer(1, 0, index, *fast)
    assert payload == encode_data(proof)

    mutated = bytearray(payload)
    if data.draw(flags):
        mutated[data.draw(st.integers(1, len(mutated) - 1))] ^= data.draw(st.integers(1, 255))
    reader = MemoryCore(CORE.key, CORE.manifest)
    reader.head = CORE.head
    top = CORE.nodes[climb(index, steps)]
    reader.nodes[top.index] = top
    try:
        answer = decode_block_answer_untrusted(bytes(mutated))
        general = decode_data_untrusted(bytes(mutated))
    except DecodeError:
        return
    accepted: list[TreeNode] | None
    try:
        accepted = fold_block_untrusted(answer)
        if answer.fork or accepted.pop() != top:
            accepted = None
    except ProofError:
        accepted = None
    try:
        change = verify_proof_untrusted(reader, general)
    except RemoteProtocolError:
        assert accepted is None
        return
    assert accepted is not None
    assert {n.index: n for n in accepted} == {n.index: n for n in change.nodes}
    assert change.blocks == ((answer.index, answer.value),)


# Announcements ------------------------------------------------------------------------------------

SPAN = 300
spans = st.tuples(st.integers(0, SPAN), st.integers(0, SPAN))
steps_ = st.lists(
    st.one_of(
        st.tuples(st.just("have"), spans),
        st.tuples(st.just("drop"), spans),
        st.tuples(st.just("bits"), st.tuples(st.integers(0, 8), st.binary(max_size=24))),
    ),
    max_size=12,
)


@given(steps_)
def test_announcements_against_a_set(steps: list[tuple[str, tuple[int, int | bytes]]]) -> None:
    blocks = RemoteBlocks(0)
    model: set[int] = set()
    for kind, (first, what) in steps:
        start = 32 * first if kind == "bits" else first
        if isinstance(what, bytes):
            words = what[: len(what) & ~3]
            blocks.set_bitfield(start, words)
            for i in range(8 * len(words)):
                if words[i >> 3] >> (i & 7) & 1:
                    model.add(start + i)
                else:
                    model.discard(start + i)
        elif kind == "have":
            blocks.set_range(start, what)
            model |= set(range(start, start + what))
        else:
            blocks.drop_range(start, what)
            model -= set(range(start, start + what))
        held = {i for i in range(3 * SPAN) if blocks.has(i)}
        assert held == model
        mask = blocks.mask(0, 3 * SPAN)
        assert {i for i in range(3 * SPAN) if mask >> i & 1} == model
        assert all(i in model for i in range(blocks.contiguous))
        for at, size in ((0, 5), (3, 40), (31, 64), (100, 150)):
            expected = all(i in model for i in range(at, at + size))
            assert blocks.has_range(at, size) == expected
