"""Logs with an encryption key: what is stored, what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

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
        plain = await store.get(name="plain")
        await plain.append(b"short")
        await store.get(name="plain", encryption_key=KEY)
        with pytest.raises(DecodeError):
            await plain.get(0)


async def test_nothing_is_appended_in_the_clear_when_the_key_was_forgotten(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        await (await store.get(name="new", encryption_key=KEY)).append(b"secret")
        plain = await store.get(name="later")
        await plain.append(b"plain")
        await store.get(name="later", encryption_key=KEY)
    async with Corestore.open(tmp_path) as store:
        for name in ("new", "later"):
            core = await store.get(name=name)
            assert core.writable
            with pytest.raises(NotWritable, match="open it with its encryption key"):
                await core.append(b"not so secret")
            assert core.length == 1
            assert core is await store.get(name=name, encryption_key=KEY)
            assert await core.append(b"secret") == 2
