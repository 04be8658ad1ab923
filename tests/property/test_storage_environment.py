"""Every kind of environment against a plain dict: same answers, also after reopening."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vitra_node.storage.environments.environment import Environment, KeyRange, Writes
from vitra_node.storage.environments.journaled_environment import JOURNAL_NAME, JournaledEnvironment
from vitra_node.storage.environments.lmdb_environment import DATA_NAME, LmdbEnvironment
from vitra_node.storage.environments.memory_environment import MemoryEnvironment
from vitra_node.storage.errors import EnvironmentFull

# Few distinct bytes, so that keys collide, are prefixes of each other and lie at range ends.
FIRST_KEY = b"\x01"  # below lies what an environment notes about itself
KEYS = st.lists(st.sampled_from([1, 2, 0x7F, 0xFE, 0xFF]), min_size=1, max_size=4).map(bytes)
VALUES = st.one_of(st.binary(max_size=20), st.integers(0, 255).map(lambda n: bytes((n,)) * 3000))
PUT = st.tuples(st.just("put"), KEYS, VALUES)
DELETE = st.tuples(st.just("delete"), KEYS)
DELETE_RANGE = st.tuples(st.just("range"), KEYS, KEYS)
BATCHES = st.lists(st.lists(st.one_of(PUT, PUT, PUT, DELETE, DELETE_RANGE), max_size=8), max_size=3)


def make_writes(steps: list[tuple]) -> Writes:
    writes = Writes()
    for step in steps:
        if step[0] == "put":
            writes.put(step[1], step[2])
        elif step[0] == "delete":
            writes.delete(step[1])
        else:
            writes.delete_range(step[1], step[2])
    return writes


def carry_out(model: dict[bytes, bytes], steps: list[tuple]) -> None:
    for step in steps:
        if step[0] == "put":
            model[step[1]] = step[2]
        elif step[0] == "delete":
            model.pop(step[1], None)
        else:
            for key in [key for key in model if step[1] <= key < step[2]]:
                del model[key]


class EnvironmentMachine(RuleBasedStateMachine):
    """The model is a dict; ranges are answered by sorting it."""

    environment: Environment

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[bytes, bytes] = {}

    def open(self) -> Environment:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.environment = self.open()

    @rule(batches=BATCHES)
    def write(self, batches: list[list[tuple]]) -> None:
        while True:
            try:
                self.environment.write([make_writes(steps) for steps in batches])
                break
            except EnvironmentFull:
                self.environment.grow()
        self.environment.settle()
        for steps in batches:
            carry_out(self.model, steps)

    @rule(key=KEYS)
    def get(self, key: bytes) -> None:
        assert self.environment.get(key) == self.model.get(key)

    @rule(
        start=st.one_of(st.just(FIRST_KEY), KEYS),
        end=KEYS,
        limit=st.one_of(st.none(), st.integers(0, 4)),
        reverse=st.booleans(),
    )
    def items(self, start: bytes, end: bytes, limit: int | None, reverse: bool) -> None:
        expected = sorted(
            ((k, v) for k, v in self.model.items() if start <= k < end), reverse=reverse
        )
        found = self.environment.items(start, end, limit=limit, reverse=reverse)
        assert found == expected[:limit]

    @rule(keys=st.lists(KEYS, max_size=6), max_bytes=st.integers(1, 7000))
    def run_of_values(self, keys: list[bytes], max_bytes: int) -> None:
        expected: list[bytes] = []
        for key in keys:
            if key not in self.model or sum(map(len, expected)) >= max_bytes:
                break
            expected.append(self.model[key])
        assert self.environment.run_of_values(keys, max_bytes) == expected

    @invariant()
    def same_content(self) -> None:
        if hasattr(self, "environment"):
            assert dict(self.environment.items(FIRST_KEY, b"\xff" * 8)) == self.model

    def teardown(self) -> None:
        if hasattr(self, "environment"):
            self.environment.close()


class MemoryMachine(EnvironmentMachine):
    def open(self) -> Environment:
        return MemoryEnvironment()


class DiskMachine(EnvironmentMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())

    @rule()
    def reopen(self) -> None:
        self.environment.close()
        self.environment = self.open()

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.directory)


class LmdbMachine(DiskMachine):
    def open(self) -> Environment:
        # A map of a few pages, so that it is outgrown within an example.
        return LmdbEnvironment(self.directory / "data", map_bytes=64 * 1024)


class JournaledMachine(DiskMachine):
    """Also crashes: a copy of the files at any moment opens to the same content."""

    def open(self) -> Environment:
        # Room for a few transactions, so that most examples fill the journal several times.
        return JournaledEnvironment(self.directory, map_bytes=64 * 1024, journal_bytes=12 * 1024)

    @rule()
    def crash(self) -> None:
        copy = Path(tempfile.mkdtemp())
        for name in (DATA_NAME, JOURNAL_NAME):
            shutil.copy(self.directory / name, copy / name)
        self.environment.close()
        shutil.rmtree(self.directory)
        self.directory = copy
        self.environment = self.open()


TestMemoryEnvironment = MemoryMachine.TestCase
TestMemoryEnvironment.settings = settings(max_examples=60, stateful_step_count=30)
TestJournaledEnvironment = JournaledMachine.TestCase
TestJournaledEnvironment.settings = settings(max_examples=60, stateful_step_count=25)
TestLmdbEnvironment = LmdbMachine.TestCase
TestLmdbEnvironment.settings = settings(max_examples=25, stateful_step_count=25)


@pytest.mark.parametrize("count", [1, 1024, 2049, 5000])
def test_memory_keeps_order_over_many_chunks(count: int) -> None:
    environment = MemoryEnvironment()
    keys = [(i * 7919 % count).to_bytes(4, "big") for i in range(count)]
    writes = Writes()
    for key in keys:
        writes.put(key, key)
    environment.write([writes])
    assert [key for key, _ in environment.items(b"", b"\xff")] == sorted(set(keys))
    low, high = (count // 3).to_bytes(4, "big"), (2 * count // 3).to_bytes(4, "big")
    writes = Writes()
    writes.delete_range(low, high)
    environment.write([writes])
    left = [key for key in sorted(set(keys)) if not low <= key < high]
    assert [key for key, _ in environment.items(b"", b"\xff")] == left
    assert [key for key, _ in environment.items(b"", b"\xff", reverse=True)] == left[::-1]


def test_writes_keep_order_and_size() -> None:
    first, second = Writes(), Writes()
    first.put(b"a", b"1")
    first.delete_range(b"a", b"b")
    first.put(b"a", b"22")
    second.put(b"b", b"3")
    first.extend(second)
    first.put(b"c", b"")
    assert first.steps == [
        [(b"a", b"1")],
        KeyRange(b"a", b"b"),
        [(b"a", b"22")],
        [(b"b", b"3")],
        [(b"c", b"")],
    ]
    assert first.size_bytes == 2 + 3 + 2 + 1
    assert not Writes()
