"""Rounds: what is merged, what is durable when, and what happens when a write fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from vitra_node.storage.environments.committer import MAX_QUEUED_BYTES, open_committer
from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.environments.lmdb_environment import LmdbEnvironment
from vitra_node.storage.environments.memory_environment import MemoryEnvironment
from vitra_node.storage.errors import (
    EnvironmentFull,
    StorageError,
    StoreClosed,
    StoreReadOnly,
)


class RecordingEnvironment(MemoryEnvironment):
    """Counts transactions; fails where told."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions: list[int] = []
        self.failures: list[Exception] = []
        self.grown = 0

    def write(self, batches: Sequence[Writes]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.transactions.append(len(batches))
        super().write(batches)

    def grow(self) -> None:
        self.grown += 1


class Counter:
    """A participant that writes how often it was asked."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.collected = 0
        self.committed_after: list[int] = []

    def collect(self) -> Writes:
        self.collected += 1
        return put(self.key, b"%d" % self.collected)

    def committed(self) -> None:
        self.committed_after.append(self.collected)


def put(key: bytes, value: bytes) -> Writes:
    writes = Writes()
    writes.put(key, value)
    return writes


async def test_concurrent_commits_share_a_transaction() -> None:
    environment = RecordingEnvironment()
    async with open_committer(environment) as committer, trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(committer.commit, put(b"%d" % number, b"v"))
    assert environment.transactions == [50]
    assert len(environment.items(b"", b"\xff")) == 50


async def test_tasks_that_write_one_thing_after_another_meet_in_the_same_rounds(
    tmp_path: Path,
) -> None:
    environment = LmdbEnvironment(tmp_path / "data")
    rounds: list[int] = []
    write = environment.write

    def counting(batches: Sequence[Writes]) -> None:
        rounds.append(len(batches))
        write(batches)

    environment.write = counting  # type: ignore[method-assign]

    async def writer(name: bytes) -> None:
        for number in range(20):
            await committer.commit(put(name + b"%d" % number, b"v"))

    async with open_committer(environment) as committer, trio.open_nursery() as nursery:
        for name in (b"a", b"b", b"c", b"d"):
            nursery.start_soon(writer, name)
    assert sum(rounds) == 80
    assert len(rounds) <= 25
    environment.close()


async def test_a_participant_is_asked_once_a_round() -> None:
    environment = RecordingEnvironment()
    participant = Counter(b"k")
    async with open_committer(environment) as committer:
        rounds = {committer.enlist(participant) for _ in range(10)}
        assert len(rounds) == 1
        await rounds.pop().wait()
        assert participant.committed_after == [1]
        await committer.enlist(participant).wait()
    assert participant.committed_after == [1, 2]
    assert environment.get(b"k") == b"2"


async def test_a_full_map_grows_and_the_write_is_repeated() -> None:
    environment = RecordingEnvironment()
    environment.failures = [EnvironmentFull("full"), EnvironmentFull("full")]
    async with open_committer(environment) as committer:
        await committer.commit(put(b"k", b"v"))
    assert environment.grown == 2
    assert environment.get(b"k") == b"v"


async def test_lmdb_grows_from_a_tiny_map(tmp_path: Path) -> None:
    environment = LmdbEnvironment(tmp_path / "data", map_bytes=32 * 1024)
    async with open_committer(environment) as committer:
        for number in range(50):
            await committer.commit(put(b"%03d" % number, bytes(100_000)))
            assert environment.get(b"%03d" % number) == bytes(100_000)
    assert environment.map_bytes > 5_000_000
    environment.close()
    reopened = LmdbEnvironment(tmp_path / "data", map_bytes=32 * 1024)
    assert len(reopened.items(b"", b"\xff")) == 50
    reopened.close()


async def test_a_failed_write_makes_the_store_read_only() -> None:
    environment = RecordingEnvironment()
    participant = Counter(b"k")
    async with open_committer(environment) as committer:
        await committer.commit(put(b"before", b"v"))
        environment.failures = [StorageError("No space left on device")]
        first, second = committer.submit(put(b"a", b"v")), committer.enlist(participant)
        for waiting in (first, second):
            with pytest.raises(StoreReadOnly, match="No space left"):
                await waiting.wait()
        with pytest.raises(StoreReadOnly, match="No space left"):
            committer.enlist(participant)
        with pytest.raises(StoreReadOnly, match="No space left"):
            await committer.commit(put(b"after", b"v"))
        assert environment.get(b"before") == b"v"
    assert participant.committed_after == []
    assert [key for key, _ in environment.items(b"", b"\xff")] == [b"before"]


async def test_what_queued_behind_a_failing_write_fails_too() -> None:
    environment = RecordingEnvironment()
    async with open_committer(environment) as committer:
        environment.failures = [StorageError("gone")]
        failing = committer.submit(put(b"a", b"v"))
        behind: list[StorageError] = []

        async def write_behind() -> None:
            # Handed over while the first round is under way.
            with pytest.raises(StoreReadOnly) as caught:
                await committer.commit(put(b"b", b"v"))
            behind.append(caught.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write_behind)
            with pytest.raises(StoreReadOnly):
                await failing.wait()
        assert len(behind) == 1


async def test_leaving_writes_what_was_handed_over() -> None:
    environment = RecordingEnvironment()
    participant = Counter(b"p")
    async with open_committer(environment) as committer:
        committer.submit(put(b"k", b"v"))
        committer.enlist(participant)
    assert environment.get(b"k") == b"v"
    assert participant.committed_after == [1]
    with pytest.raises(StoreClosed):
        committer.submit(put(b"late", b"v"))


async def test_leaving_by_cancellation_writes_it_too(tmp_path: Path) -> None:
    environment = LmdbEnvironment(tmp_path / "data")
    with trio.CancelScope() as scope:
        async with open_committer(environment) as committer:
            committer.submit(put(b"k", b"v"))
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert environment.get(b"k") == b"v"
    environment.close()


async def test_an_exception_of_the_body_is_not_wrapped(tmp_path: Path) -> None:
    environment = LmdbEnvironment(tmp_path / "data")
    with pytest.raises(KeyError, match="mine"):
        async with open_committer(environment):
            raise KeyError("mine")
    environment.close()


async def test_a_cancelled_wait_takes_nothing_back() -> None:
    environment = RecordingEnvironment()
    async with open_committer(environment) as committer:
        with trio.CancelScope() as scope:
            scope.cancel()
            await committer.commit(put(b"k", b"v"))
        await committer.commit(put(b"l", b"v"))
    assert environment.get(b"k") == b"v"


async def test_downloads_wait_while_much_is_queued() -> None:
    environment = RecordingEnvironment()
    async with open_committer(environment) as committer:
        await committer.wait_for_room()
        committer.submit(put(b"k", bytes(MAX_QUEUED_BYTES + 1)))
        passed = trio.Event()

        async def download() -> None:
            await committer.wait_for_room()
            passed.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(download)
            assert not passed.is_set()
            await wait_all_tasks_blocked()
            assert passed.is_set()
