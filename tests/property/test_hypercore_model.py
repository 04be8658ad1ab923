"""A writer's log against a plain list, in memory and on disk, over reopening."""

from __future__ import annotations

import tempfile
from pathlib import Path

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.hypercore.core import EMPTY_HEAD
from protocol.hypercore.merkle.flat_tree import full_roots
from protocol.hypercore.merkle.growth import append_blocks
from protocol.hypercore.merkle.quorum import verify_head
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.log.hypercore import Hypercore

BLOCKS = st.lists(st.binary(max_size=12), min_size=1, max_size=9)
APPEND = st.tuples(st.just("append"), BLOCKS)
TOGETHER = st.tuples(st.just("together"), st.lists(BLOCKS, min_size=2, max_size=4))
TRUNCATE = st.tuples(st.just("truncate"), st.floats(0, 1))
CLEAR = st.tuples(st.just("clear"), st.tuples(st.floats(0, 1), st.floats(0, 1)))
REOPEN = st.tuples(st.just("reopen"), st.none())
STEPS = st.lists(st.one_of(APPEND, APPEND, TOGETHER, TRUNCATE, CLEAR, REOPEN), max_size=14)


class Model:
    """What the log should hold; None stands for a block that was cleared."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.held: list[bytes | None] = []
        self.fork = 0

    async def step(self, core: Hypercore, kind: str, argument: object) -> None:
        if kind == "append":
            await self.append(core, argument)
        elif kind == "together":
            await self.append_together(core, argument)
        elif kind == "truncate":
            length = round(argument * len(self.written))
            if length != len(self.written):
                self.fork += 1
            await core.truncate(length)
            del self.written[length:], self.held[length:]
        elif kind == "clear":
            start, end = sorted(round(each * len(self.written)) for each in argument)
            await core.clear(start, end)
            self.held[start:end] = [None] * (end - start)

    async def append(self, core: Hypercore, blocks: list[bytes]) -> None:
        self.written += blocks
        self.held += blocks
        assert await core.append(blocks) == len(self.written)

    async def append_together(self, core: Hypercore, groups: list[list[bytes]]) -> None:
        ends: dict[int, list[bytes]] = {}

        async def one(blocks: list[bytes]) -> None:
            ends[await core.append(blocks)] = blocks

        async with trio.open_nursery() as nursery:
            for blocks in groups:
                nursery.start_soon(one, blocks)
        for end in sorted(ends):
            self.written += ends[end]
            self.held += ends[end]
            assert len(self.written) == end

    def check(self, core: Hypercore) -> None:
        _, head = append_blocks(EMPTY_HEAD, self.written)
        assert (core.length, core.byte_length, core.fork) == (
            head.length,
            head.byte_length,
            self.fork,
        )
        assert core.head.roots == head.roots
        if self.written:
            assert core.manifest is not None
            assert verify_head(core.key, core.manifest, core.head)
        assert [core.local_block(i) for i in range(core.length)] == self.held
        assert [core.has(i) for i in range(core.length)] == [b is not None for b in self.held]
        gap = self.held.index(None) if None in self.held else len(self.held)
        assert core.contiguous_length == gap
        assert core.local_block(core.length) is None
        assert not core.has(core.length)
        self.check_nodes(core)

    def check_nodes(self, core: Hypercore) -> None:
        """Exactly the nodes of the tree are stored: none is left of what was truncated."""
        expected, _ = append_blocks(EMPTY_HEAD, self.written)
        stored = {i: core.storage.node(i) for i in range(2 * len(self.written) + 70)}
        assert {i: node for i, node in stored.items() if node is not None} == {
            node.index: node for node in expected
        }
        assert [stored[i] for i in full_roots(core.length)] == list(core.head.roots)


@given(STEPS)
@settings(max_examples=150)
def test_in_memory_it_is_a_list(steps: list[tuple[str, object]]) -> None:
    async def run() -> None:
        model = Model()
        async with Corestore.open(None) as store:
            core = await store.get(name="log")
            for kind, argument in steps:
                await model.step(core, kind, argument)
                model.check(core)

    trio.run(run)


@given(STEPS)
@settings(max_examples=60)
def test_on_disk_it_is_a_list_also_after_reopening(steps: list[tuple[str, object]]) -> None:
    async def run(directory: Path) -> None:
        model = Model()
        todo = [*steps, ("reopen", None)]
        while todo:
            async with Corestore.open(directory) as store:
                core = await store.get(name="log")
                model.check(core)
                while todo:
                    kind, argument = todo.pop(0)
                    if kind == "reopen":
                        break
                    await model.step(core, kind, argument)
                    model.check(core)

    with tempfile.TemporaryDirectory() as directory:
        trio.run(run, Path(directory) / "store")
