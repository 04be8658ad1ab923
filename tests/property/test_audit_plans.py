"""Segments and samples: what they find together is what a replay of the whole index finds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import BeeBlockError, RecordError
from protocol.hyperbee.blocks import decode_block_untrusted
from protocol.hyperbee.reading import BlockReads
from protocol.transparency.audits.sampling import (
    altered_for,
    chance_to_see,
    sampled_blocks,
    sampled_part,
)
from protocol.transparency.audits.segments import (
    MIN_SEGMENT_BLOCKS,
    ReplayAgain,
    Segment,
    cut,
    join,
    join_sample,
    wanted_cuts,
)
from protocol.transparency.frauds import CannotTell, UncertaintyCode, Verdict, Verified, Violated
from protocol.transparency.replay.state import START
from protocol.transparency.replay.state_at import state_at
from tests.replay_world import History, bee_blocks, drive
from tests.toy_contract import ALICE

from .test_replay_properties import careful_runner, genesis_of, honest, steps

T = TypeVar("T")


def look(reads: BlockReads[T], blocks: Sequence[bytes]) -> T:
    """Run a reader, which hears of blocks that are none of a Hyperbee."""
    try:
        seq = next(reads)
        while True:
            try:
                block = decode_block_untrusted(blocks[seq], seq)
            except BeeBlockError as error:
                seq = reads.throw(error)
            else:
                seq = reads.send(block)
    except StopIteration as stop:
        result: T = stop.value
        return result


def in_segments(past: History, blocks: Sequence[bytes], cuts: Sequence[int]) -> Verdict:
    segments = look(cut(START, len(blocks), cuts), blocks)
    assert [segment.stop for segment in segments[:-1]] == [s.state.position for s in segments[1:]]
    assert (segments[0].state, segments[-1].stop) == (START, len(blocks))
    verdicts = [replay(past, blocks, segment) for segment in segments]
    joined = join(segments, verdicts)
    assert not isinstance(joined, ReplayAgain), "the tree pages pin the state"
    return joined


def replay(past: History, blocks: Sequence[bytes], segment: Segment) -> Verdict:
    runner = careful_runner(past)
    try:
        return drive(past, segment.state, runner=runner, blocks=blocks, stop=segment.stop)[0]
    except BeeBlockError as error:
        # As ``replay_part`` does: what stands before is broken, and found there.
        state = segment.state
        return CannotTell(UncertaintyCode.UNEXPECTED_SEQ, str(error), state.position, state)


def altered(blocks: list[bytes], first: int, data: st.DataObject) -> None:
    """Change a byte, or put one block where another was."""
    seq = data.draw(st.integers(first, len(blocks) - 1))
    before = blocks[seq]
    if data.draw(st.booleans()):
        position = data.draw(st.integers(0, len(before) - 1))
        byte = data.draw(st.integers(0, 255))
        blocks[seq] = before[:position] + bytes([byte]) + before[position + 1 :]
    else:
        blocks[seq] = blocks[data.draw(st.integers(1, len(blocks) - 1))]


@settings(max_examples=150)
@given(steps, st.lists(st.integers(1, 80), max_size=5), st.booleans(), st.data())
def test_segments_come_to_the_verdict_of_the_whole(
    moves: list[tuple[bytes, Any, Any]], cuts: list[int], is_honest: bool, data: st.DataObject
) -> None:
    past = honest([(ALICE, {"op": "increment"}, None), *moves])
    blocks = bee_blocks(past.writes)
    if not is_honest:
        altered(blocks, genesis_of(past) + 1, data)
    whole, _ = drive(past, runner=careful_runner(past), blocks=blocks)
    joined = in_segments(past, blocks, sorted(each for each in cuts if each < len(blocks)))
    if isinstance(whole, CannotTell):
        # Segments also see what lies behind.
        assert joined == whole or isinstance(joined, Violated)
    else:
        assert joined == whole


@settings(max_examples=100)
@given(steps, st.booleans(), st.data())
def test_a_sample_of_everything_finds_what_the_whole_finds(
    moves: list[tuple[bytes, Any, Any]], is_honest: bool, data: st.DataObject
) -> None:
    past = honest([(ALICE, {"op": "increment"}, None), *moves])
    blocks = bee_blocks(past.writes)
    if not is_honest:
        altered(blocks, genesis_of(past) + 1, data)
    whole, _ = drive(past, runner=careful_runner(past), blocks=blocks)
    verdicts = []
    for seq in sampled_blocks(bytes(32), b"any", 1.0, 1, len(blocks)):
        verdict = sampled(past, blocks, seq)
        if verdict is not None:
            verdicts.append(verdict)
    joined = join_sample(verdicts, START)
    if isinstance(whole, Violated):
        assert isinstance(joined, Violated)
        assert joined.violation.seq == whole.violation.seq
        assert joined.violation.code is whole.violation.code
    elif isinstance(whole, Verified):
        assert joined == whole


def sampled(past: History, blocks: Sequence[bytes], seq: int) -> Verdict | None:
    stop = look(sampled_part(seq, len(blocks)), blocks)
    if stop is None:
        return None
    try:
        state = START if seq == 1 else look(state_at(seq), blocks)
    except (RecordError, BeeBlockError) as error:
        return CannotTell(UncertaintyCode.UNEXPECTED_SEQ, str(error), seq, START)
    return replay(past, blocks, Segment(state, stop))


def test_no_cut_is_searched_for_farther_than_a_transaction_reaches() -> None:
    past = honest([(ALICE, {"op": "increment"}, None)] * 2)
    blocks = bee_blocks(past.writes)
    junk = blocks[-1]
    blocks += [junk] * 10_000
    read = []

    class Counted(list[bytes]):
        def __getitem__(self, seq: Any) -> Any:
            read.append(seq)
            return super().__getitem__(seq)

    segments = look(cut(START, len(blocks), range(500, 10_000, 500)), Counted(blocks))
    # After the first transactions there is no ack any more.
    assert len(segments) == 2
    assert len(read) < 19 * 4200
    assert min(read[-4000:]) > 5000


def test_every_block_belongs_to_one_part_of_a_sample() -> None:
    past = honest([(ALICE, {"op": "put", "entries": {"/a": 1, "/b": 2}}, None)] * 5)
    blocks = bee_blocks(past.writes)
    parts = [(seq, look(sampled_part(seq, len(blocks)), blocks)) for seq in range(1, len(blocks))]
    ends = [(seq, stop) for seq, stop in parts if stop is not None]
    assert [seq for seq, _ in ends] == [1, *(stop for _, stop in ends[:-1])]
    assert ends[-1][1] == len(blocks)


def test_a_segment_that_began_elsewhere_is_replayed_again() -> None:
    past = honest([(ALICE, {"op": "increment"}, None)] * 4)
    blocks = bee_blocks(past.writes)
    segments = look(cut(START, len(blocks), [8]), blocks)
    first = replay(past, blocks, segments[0])
    wrong = [segments[0], Segment(START, segments[1].stop)]
    assert join(wrong, [first, Verified(START)]) == ReplayAgain(1, first.state)
    # A violation before that is one, whatever follows.
    unknown = CannotTell(UncertaintyCode.CANNOT_FETCH_OP, "gone", 5, START)
    assert join(wrong, [unknown, Verified(START)]) == unknown


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(2, 64))
def test_cuts_leave_segments_that_are_worth_it(start: int, blocks: int, jobs: int) -> None:
    cuts = [start, *wanted_cuts(start, start + blocks, jobs), start + blocks]
    sizes = [two - one for one, two in pairwise(cuts)]
    assert len(sizes) == 1 or min(sizes) >= MIN_SEGMENT_BLOCKS
    assert max(sizes) - min(sizes) <= 1


# Which are taken ----------------------------------------------------------------------------------


def test_the_blocks_that_a_seed_takes() -> None:
    """Once more from the words of the specification."""
    key, seed, probability = bytes(range(32)), "größe".encode(), 0.1
    taken = []
    for seq in range(1, 3000):
        data = b"vitra/sample/1\0" + key + seq.to_bytes(8, "big") + seed
        digest = blake2b(data, digest_size=32).digest()
        if int.from_bytes(digest[:8], "big") < probability * 2**64:
            taken.append(seq)
    assert sampled_blocks(key, seed, probability, 1, 3000) == taken
    assert taken[:5] == [23, 26, 57, 78, 79]
    assert sampled_blocks(key, seed, probability, 1000, 2000) == [
        seq for seq in taken if 1000 <= seq < 2000
    ]


@given(st.binary(max_size=20), st.floats(1e-9, 1), st.floats(1e-9, 1))
def test_a_greater_sample_has_all_of_a_smaller_one(seed: bytes, one: float, two: float) -> None:
    less, more = sorted((one, two))
    taken = [set(sampled_blocks(bytes(32), seed, each, 1, 200)) for each in (less, more)]
    assert taken[0] <= taken[1]
    assert len(sampled_blocks(bytes(32), seed, 1.0, 1, 200)) == 199


@pytest.mark.parametrize("probability", [0.02, 0.3])
def test_seeds_take_each_block_as_often_as_is_said(probability: float) -> None:
    """Within five standard deviations, for every one of 300 blocks over 400 seeds."""
    seeds, blocks = 400, 300
    counts = [0] * (blocks + 1)
    for seed in range(seeds):
        for seq in sampled_blocks(bytes(32), b"%d" % seed, probability, 1, blocks + 1):
            counts[seq] += 1
    deviation = math.sqrt(seeds * probability * (1 - probability))
    assert all(abs(count - seeds * probability) < 5 * deviation for count in counts[1:])


@given(st.floats(1e-9, 1), st.floats(0.01, 0.999))
def test_confidence_is_the_number_it_is_called(probability: float, chance: float) -> None:
    needed = altered_for(probability, chance)
    assert chance_to_see(probability, needed) >= chance - 1e-9
    assert needed == 1 or chance_to_see(probability, needed - 1) < chance + 1e-9


def test_confidence_by_example() -> None:
    assert chance_to_see(0.05, 1) == pytest.approx(0.05)
    assert chance_to_see(0.05, 10) == pytest.approx(1 - 0.95**10)
    assert (chance_to_see(1, 1), chance_to_see(1, 0), chance_to_see(0.5, 0)) == (1, 0, 0)
    assert (altered_for(0.05, 0.99), altered_for(1, 0.99), altered_for(0.5, 0.5)) == (90, 1, 1)


def test_a_simulated_sample_sees_one_of_many_as_often_as_is_said() -> None:
    rolls = Random(5)
    for altered_blocks in (1, 3, 20):
        places = set(rolls.sample(range(1, 1000), altered_blocks))
        seen = sum(
            not places.isdisjoint(sampled_blocks(bytes(32), b"%d" % seed, 0.05, 1, 1000))
            for seed in range(300)
        )
        chance = chance_to_see(0.05, altered_blocks)
        assert abs(seen - 300 * chance) < 4 * math.sqrt(300 * chance * (1 - chance))
