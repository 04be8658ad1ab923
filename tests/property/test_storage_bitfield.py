"""The bitfield of a core against a plain set of block numbers."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.environments.memory_environment import MemoryEnvironment
from vitra_node.storage.log.bitfield import PAGE_BITS, Bitfield

LIMIT = 3 * PAGE_BITS + 100
# Around the edges of pages and bytes, and anywhere.
INDEXES = st.one_of(
    st.integers(0, 20),
    st.sampled_from([PAGE_BITS, 2 * PAGE_BITS]).flatmap(lambda n: st.integers(n - 9, n + 9)),
    st.integers(0, LIMIT - 1),
)


class BitfieldMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.environment = MemoryEnvironment()
        self.bitfield = Bitfield(self.environment, 7, 0)
        self.model: set[int] = set()
        self.collected: Writes | None = None

    @rule(index=INDEXES, length=st.one_of(st.just(1), st.integers(0, PAGE_BITS + 50)))
    def add_range(self, index: int, length: int) -> None:
        end = min(index + length, LIMIT)
        self.bitfield.add_range(index, end)
        self.model.update(range(index, end))

    @rule(index=INDEXES, length=st.one_of(st.just(1), st.integers(0, PAGE_BITS + 50)))
    def remove_range(self, index: int, length: int) -> None:
        end = min(index + length, LIMIT)
        self.bitfield.remove_range(index, end)
        self.model.difference_update(range(index, end))

    @rule(length=INDEXES)
    def truncate(self, length: int) -> None:
        self.bitfield.truncate(length)
        self.model = {index for index in self.model if index < length}

    @rule()
    def collect(self) -> None:
        if self.collected is None:
            self.collected = Writes()
            self.bitfield.collect(self.collected)

    @rule()
    def commit(self) -> None:
        if self.collected is not None:
            self.environment.write([self.collected])
            self.bitfield.committed()
            self.collected = None

    @rule()
    def reopen(self) -> None:
        self.commit()
        self.collect()
        mark = self.bitfield.contiguous_length
        self.commit()
        self.bitfield = Bitfield(self.environment, 7, mark)

    @rule(start=st.integers(0, LIMIT // 32), length=st.integers(1, LIMIT // 32))
    def read(self, start: int, length: int) -> None:
        bits = int.from_bytes(self.bitfield.read(32 * start, 32 * length), "little")
        held = {32 * start + i for i in range(32 * length) if bits >> i & 1}
        assert held == {i for i in self.model if 32 * start <= i < 32 * (start + length)}

    @rule(index=INDEXES)
    def has(self, index: int) -> None:
        assert self.bitfield.has(index) == (index in self.model)

    @invariant()
    def contiguous(self) -> None:
        gap = next(index for index in range(LIMIT + 1) if index not in self.model)
        assert self.bitfield.contiguous_length == gap


TestBitfield = BitfieldMachine.TestCase
TestBitfield.settings = settings(max_examples=80, stateful_step_count=30)


def test_a_log_held_from_its_start_writes_no_page() -> None:
    bitfield = Bitfield(MemoryEnvironment(), 1, 0)
    writes = Writes()
    for index in range(0, 3 * PAGE_BITS, 5):
        bitfield.add_range(index, index + 5)
        bitfield.collect(writes)
        bitfield.committed()
    assert not writes
