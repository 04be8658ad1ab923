"""Logs with an encryption key: what is stored, what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from protocol.crypto.block_encryption import PADDING_BYTES, BlockEncryption
from protocol.errors import DecodeError
from protocol.limits import MAX_BLOCK_BYTES
from vitra_node import Corestore, Hyperbee
from vitra_node.storage.errors import BlockTooLarge, NotWritable, StorageError

KEY = b"\x11" * 32


async def test_what_is_stored_is_encrypted_and_what_is_read_is_not(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        core = await store.get(name="log", encryption_key=KEY)
        assert await core.append([b"hello", b"world"]) == 2
        assert await core.append([]) == 2
        assert [await core.get(0), core.local_block(1)] == [b"hello", b"world"]
        assert core.local_block(2) is None
        assert core.encrypted
        stored = core.storage.block(1)
        encryption = BlockEncryption(KEY, core.key, compat=False)
        assert [stored] == encryption.encrypt(1, 0, [b"world"])
        assert core.byte_length == 10
        assert core.head.byte_length == 10 + 2 * PADDING_BYTES
    # The key is not kept.
    async with Corestore.open(tmp_path) as store:
        core = await store.get(name="log")
        assert not core.encrypted
        assert await core.get(1) == stored
        assert core is await store.get(name="log", encryption_key=KEY)
        assert await core.get(1) == b"world"
        assert core is await store.get(name="log")
        assert core.encrypted


async def test_no_block_of_another_fork_is_encrypted_alike() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log", encryption_key=KEY)
        stored = set()
        for _ in range(3):
            await core.append(b"same")
            stored.add(core.storage.block(0))
            await core.truncate(0)
        assert len(stored) == 3


async def test_compat_logs_have_another_key() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log", compat=True, encryption_key=KEY)
        await core.append(b"hello")
        encryption = BlockEncryption(KEY, core.key, compat=True)
        assert [core.storage.block(0)] == encryption.encrypt(0, 0, [b"hello"])


async def test_a_hyperbee_on_an_encrypted_log() -> None:
    async with Corestore.open(None) as store:
        bee = Hyperbee(await store.get(name="bee", encryption_key=KEY))
        await bee.put(b"k", b"v")
        found = await bee.get(b"k")
        assert found is not None
        assert found.value == b"v"


async def test_misuse() -> None:
    async with Corestore.open(None) as store:
        with pytest.raises(StorageError):
            await store.get(name="log", encryption_key=b"short")
        core = await store.get(name="log", encryption_key=KEY)
        with pytest.raises(StorageError):
            await store.get(name="log", encryption_key=bytes(32))
        with pytest.raises(BlockTooLarge):
            await core.append(bytes(MAX_BLOCK_BYTES - PADDING_BYTES + 1))


async def test_a_block_that_was_never_encrypted() -> None:
    async with Corestore.open(None) as theirs, Corestore.open(None) as ours:
        plain = await theirs.get(name="plain")
        await plain.append(b"short")
        copy = await ours.get(key=plain.key)
        here, there = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: ours.replicate(here, initiator=True))
            nursery.start_soon(lambda: theirs.replicate(there, initiator=False))
            assert await copy.get(0) == b"short"
            nursery.cancel_scope.cancel()
        assert copy is await ours.get(key=plain.key, encryption_key=KEY)
        with pytest.raises(DecodeError):
            await copy.get(0)


async def test_a_log_with_blocks_in_the_clear_takes_no_encryption_key(tmp_path: Path) -> None:
    for again in range(2):
        async with Corestore.open(tmp_path) as store:
            plain = await store.get(name="plain")
            await plain.append(b"plain")
            for given in ({"name": "plain"}, {"key": plain.key}):
                with pytest.raises(NotWritable, match="are not encrypted"):
                    await store.get(**given, encryption_key=KEY)  # type: ignore[arg-type]
            assert not plain.encrypted
            assert await plain.append(b"goes on") == 2 * again + 2
            assert await plain.get(2 * again) == b"plain"


async def test_nothing_is_appended_in_the_clear_when_the_key_was_forgotten(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        await (await store.get(name="new", encryption_key=KEY)).append(b"secret")
        empty = await store.get(name="later")
        assert empty is await store.get(name="later", encryption_key=KEY)
        await empty.append(b"secret")
    async with Corestore.open(tmp_path) as store:
        for name in ("new", "later"):
            core = await store.get(name=name)
            assert core.writable
            with pytest.raises(NotWritable, match="open it with its encryption key"):
                await core.append(b"not so secret")
            assert core.length == 1
            assert core is await store.get(name=name, encryption_key=KEY)
            assert await core.append(b"secret") == 2
