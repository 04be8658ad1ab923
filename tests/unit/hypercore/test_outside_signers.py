"""Logs whose secret key is kept by another process: signed as with the key, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from protocol.crypto.keys import KeyPair
from tests.ssh_agent import agent
from vitra_node import Corestore
from vitra_node.storage.care.fsck import check_directory
from vitra_node.storage.errors import NotWritable, SignerFailed, StorageError, StoreReadOnly

PAIR = KeyPair.from_seed(b"\x31" * 32)
PATIENCE_SECONDS = 60


async def in_thread_asked(asked: object) -> None:
    assert callable(asked)
    assert await trio.to_thread.run_sync(asked) == "asked\n"


async def test_an_agent_signs_what_the_key_itself_would(tmp_path: Path) -> None:
    blocks = [b"one", b"two", b"three"]
    async with Corestore.open(None) as store:
        log = await store.get(key_pair=PAIR)
        await log.append(blocks)
        key, head = log.key, log.head
    with agent(tmp_path, PAIR) as outside:
        for round_ in range(2):
            async with Corestore.open(tmp_path / "store") as store:
                log = await store.get(signer=outside.signer)
                assert (log.key, log.writable, log.key_pair) == (key, True, None)
                if round_ == 0:
                    assert await log.append(blocks) == 3
                    assert log.head == head, "signature and all"
                else:
                    assert await log.append(b"four") == 4
                    await log.truncate(2)
                    assert (log.length, log.fork) == (2, 1)
    assert list(check_directory(tmp_path / "store")) == []
    # What is not signed by anyone here can be read, and not written.
    async with Corestore.open(tmp_path / "store") as store:
        log = await store.get(key=key)
        assert not log.writable
        assert await log.get(1) == b"two"
        with pytest.raises(NotWritable):
            await log.append(b"x")
        with pytest.raises(StorageError, match="has one of"):
            await store.get(name="log", signer=PAIR)


async def test_a_reader_verifies_what_an_agent_signed(tmp_path: Path) -> None:
    with agent(tmp_path, PAIR) as outside:
        async with Corestore.open(None) as store, Corestore.open(None) as reader:
            log = await store.get(signer=outside.signer, allow_truncation=False)
            copy = await reader.get(key=log.key)
            here, there = trio.testing.memory_stream_pair()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: store.replicate(here, initiator=True))
                nursery.start_soon(lambda: reader.replicate(there, initiator=False))
                await log.append([b"a", b"b"])
                with trio.fail_after(PATIENCE_SECONDS):
                    await copy.wait_for_length(2)
                    assert await copy.get(1) == b"b"
                nursery.cancel_scope.cancel()
            assert copy.head == log.head


@pytest.mark.parametrize("on_disk", [True, False])
async def test_the_store_goes_on_while_somebody_thinks(tmp_path: Path, on_disk: bool) -> None:
    path = tmp_path / "store" if on_disk else None
    with agent(tmp_path, PAIR, "waits") as outside, trio.fail_after(PATIENCE_SECONDS):
        async with Corestore.open(path) as store:
            log = await store.get(signer=outside.signer)
            other = await store.get(name="other")
            await other.append(b"here")
            lengths: list[int] = []

            async def append(block: bytes) -> None:
                lengths.append(await log.append(block))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(append, b"first")
                await in_thread_asked(outside.asked)
                # Reads are answered, and what comes now gathers for one signature more.
                assert await other.get(0) == b"here"
                assert (log.length, lengths) == (0, [])
                for number in range(20):
                    nursery.start_soon(append, b"later %d" % number)
                await trio.testing.wait_all_tasks_blocked()
                outside.consent()
                await in_thread_asked(outside.asked)
                assert (log.length, lengths) == (1, [1])
                outside.consent()
            assert sorted(lengths) == list(range(1, 22))
            assert await log.get(0) == b"first"
            later = {await log.get(index) for index in range(1, 21)}
            assert later == {b"later %d" % number for number in range(20)}
    if path is not None:
        assert list(check_directory(path)) == []


@pytest.mark.parametrize(
    ("manner", "why"),
    [
        ("refuses", "refused"),
        ("lies", "does not hold"),
        ("gone", "cannot be asked"),
    ],
)
async def test_nothing_is_stored_without_a_signature(tmp_path: Path, manner: str, why: str) -> None:
    store_path = tmp_path / "store"
    with agent(tmp_path, PAIR) as outside:
        async with Corestore.open(store_path) as store:
            log = await store.get(signer=outside.signer)
            await log.append(b"signed")
            head = log.head
    with agent(tmp_path, PAIR, manner) as outside:
        if manner == "gone":
            outside.process.kill()
            outside.process.wait(PATIENCE_SECONDS)
        async with Corestore.open(store_path) as store:
            log = await store.get(signer=outside.signer)
            with pytest.raises(StoreReadOnly, match=why) as failure:
                await log.append(b"not signed")
            assert isinstance(failure.value.__cause__, SignerFailed)
            assert log.head == head
            # As after a disk that failed: nothing is written until the store is opened again.
            with pytest.raises(StoreReadOnly, match=why):
                await log.append(b"again")
    assert list(check_directory(store_path)) == []
    async with Corestore.open(store_path) as store:
        log = await store.get(key_pair=PAIR)
        assert log.head == head
        assert await log.append(b"second") == 2
