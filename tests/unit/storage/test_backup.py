"""Backups of a store: whole, made while it is written to, and put back without making a fork."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from vitra_node.storage.care import backup
from vitra_node.storage.care.backup import STAGING_NAME, finish_restoring, restore_store
from vitra_node.storage.care.backup_file import BackupDamaged, BackupReader
from vitra_node.storage.care.fsck import check_directory
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.environments.journaled_environment import JournaledEnvironment
from vitra_node.storage.environments.lmdb_environment import LmdbEnvironment
from vitra_node.storage.environments.standing_view import ViewLost
from vitra_node.storage.errors import KeyFileError, NotWritable, StorageError
from vitra_node.storage.keys.sealing import WrongPassphrase

PASSPHRASE = "correct horse battery staple"

# How often an old copy is put back while a peer has the newer log; 100 by VITRA_TEST_RESTORES=100.
RESTORES = int(os.environ.get("VITRA_TEST_RESTORES", "8"))


@asynccontextmanager
async def connected(one: Corestore, two: Corestore) -> AsyncIterator[None]:
    here, there = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: one.replicate(here, initiator=True))
        nursery.start_soon(lambda: two.replicate(there, initiator=False))
        yield
        nursery.cancel_scope.cancel()


async def backed_up(directory: Path, target: Path, passphrase: str | None) -> bytes:
    """A backup of a store with one log of three blocks; gives the key of the log."""
    async with Corestore.open(directory) as store:
        log = await store.get(name="log")
        await log.append([b"one", b"two", b"three"])
        await store.records.table("notes").put(b"a", b"b")
        report = await store.back_up(target, passphrase=passphrase, files={"vitra.json": b"{}"})
        assert report.has_keys == (passphrase is not None)
        assert report.size_bytes > 100
        return log.key


def restore(file: Path, directory: Path, **options: object) -> dict[str, bytes]:
    directory.mkdir(exist_ok=True)
    options.setdefault("passphrase", None)
    _, files = restore_store(file, directory, **options)  # type: ignore[arg-type]
    finish_restoring(directory)
    return files


async def test_without_keys_everything_comes_back_to_read(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    key = await backed_up(tmp_path / "a", file, None)
    assert file.stat().st_mode & 0o777 == 0o600
    assert restore(file, tmp_path / "b", tables_of_owner=["notes"]) == {"vitra.json": b"{}"}
    assert list(check_directory(tmp_path / "b")) == []
    async with Corestore.open(tmp_path / "b") as store:
        log = await store.get(key=key)
        assert not log.writable
        assert [await log.get(i) for i in range(3)] == [b"one", b"two", b"three"]
        assert store.restored_logs() == []
        assert store.records.table("notes").get(b"a") is None
        # The name means another log now, which does not disturb the old one.
        assert (await store.get(name="log")).key != key


async def test_with_keys_the_log_waits_for_a_peer_that_has_it(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    key = await backed_up(tmp_path / "a", file, PASSPHRASE)
    restore(file, tmp_path / "b", passphrase=PASSPHRASE)
    async with Corestore.open(tmp_path / "b") as store, Corestore.open(None) as reader:
        log = await store.get(name="log")
        assert (log.key, log.restored_length, log.writable) == (key, 3, False)
        assert store.restored_logs() == [log.discovery_key]
        assert store.records.table("notes").get(b"a") == b"b"
        with pytest.raises(NotWritable):
            await log.append(b"four")
        # Somebody who knows nothing yet confirms nothing.
        await reader.get(key=key)
        async with connected(store, reader):
            with trio.move_on_after(0.05):
                await store.cores.resume_writing(log)
            assert not log.writable
    # The original wrote on, and its reader has that.
    async with (
        Corestore.open(tmp_path / "a") as original,
        Corestore.open(tmp_path / "b") as store,
        Corestore.open(None) as reader,
    ):
        await (await original.get(name="log")).append(b"four")
        copy = await reader.get(key=key)
        async with connected(original, reader):
            await copy.update()
            await copy.download()
        log = await store.get(name="log")
        assert not log.writable
        async with connected(store, reader):
            with trio.fail_after(10):
                await store.cores.resume_writing(log)
            assert (log.length, log.writable) == (4, True)
            await log.append(b"five")
            await copy.wait_for_length(5)
            assert copy.fork == 0
        assert store.restored_logs() == []
    async with Corestore.open(tmp_path / "b") as store:
        assert (await store.get(name="log")).writable


async def test_old_copies_never_fork_a_log_that_a_peer_has(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    key = await backed_up(tmp_path / "origin", file, PASSPHRASE)
    async with Corestore.open(None) as reader:
        copy = await reader.get(key=key)
        forks: list[object] = []
        copy.on_fork(forks.append)
        for number in range(RESTORES):
            directory = tmp_path / f"{number}"
            restore(file, directory, passphrase=PASSPHRASE)
            async with Corestore.open(directory) as store:
                log = await store.get(name="log")
                if number == 0:
                    # The first has to be taken on trust: nobody else has the log.
                    async with Corestore.open(tmp_path / "origin") as origin:
                        await origin.get(key=key)
                        async with connected(origin, reader):
                            await copy.update()
                            await copy.download()
                async with connected(store, reader):
                    with trio.fail_after(10):
                        await store.cores.resume_writing(log)
                    length = await log.append(b"from copy %d" % number)
                    await copy.wait_for_length(length)
                    await copy.download()
        assert copy.length == 3 + RESTORES
        assert [await copy.get(3 + n) for n in range(RESTORES)] == [
            b"from copy %d" % n for n in range(RESTORES)
        ]
        assert forks == []


async def test_who_knows_that_nothing_is_newer_may_write_at_once(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    await backed_up(tmp_path / "a", file, PASSPHRASE)
    restore(file, tmp_path / "b", passphrase=PASSPHRASE, nothing_newer=True)
    async with Corestore.open(tmp_path / "b") as store:
        log = await store.get(name="log")
        assert log.restored_length is None
        assert await log.append(b"four") == 4


async def test_a_backup_of_a_busy_store_is_one_moment_of_it(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path / "a") as store:
        log = await store.get(name="log")
        done = trio.Event()

        async def write() -> None:
            number = 0
            while not done.is_set():
                await log.append([os.urandom(3000) for _ in range(number % 40 + 1)])
                number += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            for number in range(5):
                await log.wait_for_length(log.length + 20)
                await store.back_up(tmp_path / f"backup{number}")
            done.set()
    lengths = []
    for number in range(5):
        restore(tmp_path / f"backup{number}", tmp_path / f"b{number}")
        assert list(check_directory(tmp_path / f"b{number}")) == []
        async with Corestore.open(tmp_path / f"b{number}") as store:
            copy = await store.get(key=log.key)
            assert copy.contiguous_length == copy.length
            lengths.append(copy.length)
    assert lengths == sorted(lengths)
    assert len(set(lengths)) == 5


async def test_a_file_that_grows_ends_the_view_and_another_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Corestore.open(tmp_path / "a") as store:
        log = await store.get(name="log")
        await log.append([b"%d" % n for n in range(2000)])
        real = backup.write_backup
        tries = 0

        def growing(*arguments: object) -> int:
            nonlocal tries
            tries += 1
            if tries == 1:
                trio.from_thread.run_sync(store._environment.grow)
            return real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(backup, "write_backup", growing)
        environment = store._environment
        assert isinstance(environment, JournaledEnvironment)
        before = environment._lmdb._map_bytes
        await store.back_up(tmp_path / "file")
        assert tries == 2
        # Room for the writer that overtook it, so that the next copy is not overtaken as well.
        assert environment._lmdb._map_bytes == before * 2 * 8
    restore(tmp_path / "file", tmp_path / "b")
    assert list(check_directory(tmp_path / "b")) == []


def test_a_lost_view_says_so(tmp_path: Path) -> None:
    environment = LmdbEnvironment(tmp_path / "data")
    view = environment.view()
    environment.grow()
    with pytest.raises(ViewLost):
        list(view.pairs())
    view.close()
    environment.close()


async def test_no_damaged_file_is_restored(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    await backed_up(tmp_path / "a", file, None)
    good = file.read_bytes()
    bad = tmp_path / "bad"
    target = tmp_path / "b"
    rolls = random.Random(1)
    cuts = [good[:length] for length in rolls.sample(range(len(good)), 60)]
    flips = []
    for at in rolls.sample(range(len(good)), 200):
        flipped = bytearray(good)
        flipped[at] ^= 1 << rolls.randrange(8)
        flips.append(bytes(flipped))
    for data in [*cuts, *flips, good + b"x"]:
        bad.write_bytes(data)
        with pytest.raises(BackupDamaged):
            restore(bad, target)
        # What was begun is no store: the next one starts anew.
        assert not (target / "cores.mdb").exists()
    restore(file, target)
    assert list(check_directory(target)) == []


async def test_a_restoration_that_was_cut_off_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    key = await backed_up(tmp_path / "a", file, PASSPHRASE)
    target = tmp_path / "b"
    target.mkdir()
    restore_store(file, target, passphrase=PASSPHRASE)
    assert (target / STAGING_NAME).exists()
    (target / "cores.mdb").unlink()
    restore(file, target, passphrase=PASSPHRASE)
    async with Corestore.open(target) as store:
        assert (await store.get(name="log")).key == key


async def test_what_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    await backed_up(tmp_path / "a", file, PASSPHRASE)
    with pytest.raises(WrongPassphrase):
        restore(file, tmp_path / "b", passphrase="another")
    with pytest.raises(StorageError, match="has a store already"):
        restore(file, tmp_path / "a", passphrase=PASSPHRASE)
    async with Corestore.open(tmp_path / "a") as store:
        with pytest.raises(StorageError, match="exists already"):
            await store.back_up(file)
        with pytest.raises(KeyFileError, match="empty"):
            await store.back_up(tmp_path / "other", passphrase="")
        await store.back_up(tmp_path / "other")
    with pytest.raises(KeyFileError, match="without keys"):
        restore(tmp_path / "other", tmp_path / "c", passphrase=PASSPHRASE)
    with file.open("rb") as opened:
        assert PASSPHRASE.encode() not in opened.read()
    with file.open("rb") as opened:
        assert BackupReader(opened).header.sealed_key is not None
