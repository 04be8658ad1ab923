"""Which blocks a peer is asked for first: those that the fewest others have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.hypercore.replication.bitfield import RemoteBlocks
from protocol.hypercore.replication.scheduler import CHUNK_BLOCKS, BlockScheduler

from ..replication_nodes import MemoryCore

CHUNKS = 6
LENGTH = CHUNKS * CHUNK_BLOCKS
holdings = st.lists(st.booleans(), min_size=CHUNKS, max_size=CHUNKS)


def lacking_core() -> MemoryCore:
    """A log of which only the head is here."""
    whole = MemoryCore.writable([b"x"] * LENGTH)
    core = MemoryCore(whole.key, whole.manifest)
    core.head = whole.head
    return core


CORE = lacking_core()


def remote(chunks: list[bool]) -> RemoteBlocks:
    blocks = RemoteBlocks(LENGTH)
    for chunk, held in enumerate(chunks):
        if held:
            blocks.set_range(chunk * CHUNK_BLOCKS, CHUNK_BLOCKS)
    return blocks


@given(holdings, st.lists(holdings, max_size=4))
def test_chunks_come_by_how_many_others_have_them(
    own: list[bool], others: list[list[bool]]
) -> None:
    scheduler = BlockScheduler(CORE)
    scheduler.want(0, None)
    blocks = remote(own)
    rest = [remote(other) for other in others]
    order = []
    while picked := scheduler.pick(1, blocks, rest):
        chunk = picked[-1] // CHUNK_BLOCKS
        start = chunk * CHUNK_BLOCKS
        assert picked == list(range(start + CHUNK_BLOCKS - 1, start - 1, -1))
        order.append(chunk)
        for index in reversed(picked):
            scheduler.requested(index, 1)
    held = [chunk for chunk in range(CHUNKS) if own[chunk]]
    assert order == sorted(held, key=lambda chunk: sum(other[chunk] for other in others))


@given(st.lists(st.booleans(), min_size=64, max_size=64), st.integers(0, 3))
def test_every_block_is_asked_for_once(own: list[bool], others: int) -> None:
    scheduler = BlockScheduler(CORE)
    scheduler.want(0, None)
    blocks = RemoteBlocks(LENGTH)
    for index, held in enumerate(own):
        if held:
            blocks.set_range(index * 3, 2)
    rest = []
    for number in range(others):
        other = RemoteBlocks(LENGTH)
        other.set_range(5 + 7 * number, 31)
        rest.append(other)
    asked: list[int] = []
    while picked := scheduler.pick(1, blocks, rest):
        for index in reversed(picked):
            asked.append(index)
            scheduler.requested(index, 1)
    assert sorted(asked) == [index for index in range(LENGTH) if blocks.has(index)]
