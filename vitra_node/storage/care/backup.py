"""Backups: a whole store in one file, made while it is in use, and put back with care.

A restored log of our own is not written to before a peer has confirmed that nothing newer exists
(``restored.py``). Keys are in a backup only when a passphrase is given for them. Without them the
store comes back as one that reads: its logs are there, and none of them is its own.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import trio

from ...progress import Counter, Progress
from ..environments.committer import Committer
from ..environments.environment import Environment, Writes, check_schema
from ..environments.journaled_environment import JOURNAL_NAME, JournaledEnvironment
from ..environments.lmdb_environment import DATA_NAME
from ..environments.memory_environment import MemoryEnvironment
from ..environments.records import table_prefix
from ..environments.schema import (
    CORE_TABLE,
    HEAD_TABLE,
    RESTORED_TABLE,
    decode_core,
    decode_head,
    encode_core,
    head_key,
)
from ..environments.standing_view import StandingView, ViewLost
from ..errors import EnvironmentFull, KeyFileError, StorageError
from ..keys.key_files import (
    KEY_BYTES,
    KEYS_DIRECTORY,
    PRIMARY_KEY_NAME,
    create_key,
    open_keys_directory,
    sync_directory,
)
from ..keys.sealing import seal
from .backup_file import FILE_TABLE, BackupDamaged, BackupHeader, BackupReader, Pair, write_backup
from .restored import mark_restored

# A file that is being restored is built here, and moved into place when it is whole.
STAGING_NAME = ".restoring"

# A copy that is overtaken by the growth of the data file is begun anew, in a map that has room for
# eight times as much: it is address space only, and a slow disk or a busy machine must not lose
# a second time to the same writer.
_TRIES = 4
_DOUBLINGS_AFTER_LOSS = 3
# Large transactions are cheap for each pair, and are held in memory.
_BATCH_BYTES = 4 * 1024 * 1024
# What an environment notes about itself; a new one makes its own.
_OWN_TABLE = b"\x00"


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was put into a file, or out of one.

    Attributes:
      rows: pairs of the store.
      size_bytes: of the file.
      created_ms: when the backup was made, milliseconds since 1970.
      has_keys: whether it holds the primary key.
      own_logs: logs of our own that wait for a peer now; 0 when making a backup.
    """

    rows: int
    size_bytes: int
    created_ms: int
    has_keys: bool
    own_logs: int = 0


# Making ---------------------------------------------------------------------------------------


async def write_store(
    environment: Environment,
    committer: Committer,
    primary_key: bytes,
    target: Path,
    *,
    passphrase: str | None,
    files: Mapping[str, bytes],
    progress: Progress,
) -> BackupReport:
    """Write a backup of a store in use; the file is there when it is whole, or not at all.

    Args:
      passphrase: seals the primary key into the backup; None leaves it out.
      files: further files by name, such as the configuration.
      progress: is told of rows written.

    Raises:
      StorageError: the target exists, or cannot be written.
    """
    await trio.to_thread.run_sync(_check_free, target)
    sealed = None
    if passphrase is not None:
        sealed = await trio.to_thread.run_sync(seal, primary_key, passphrase)
    header = BackupHeader(time.time_ns() // 1_000_000, sealed)
    for attempt in range(_TRIES):
        view = await _standing_view(environment, committer, _DOUBLINGS_AFTER_LOSS * bool(attempt))
        try:
            with progress.counted("Writing", "rows") as counter:
                pairs = _counted(_with_files(view.pairs(), files), counter)
                rows, size = await trio.to_thread.run_sync(_write_file, target, header, pairs)
        except ViewLost:
            if attempt == _TRIES - 1:
                raise
        else:
            return BackupReport(rows - len(files), size, header.created_ms, sealed is not None)
        finally:
            view.close()
    raise AssertionError("the last try returns or raises")


class _Viewer:
    """Takes part in one round of the committer, to look between two writes."""

    def __init__(self, environment: Environment, doublings: int) -> None:
        self.environment = environment
        self.doublings = doublings
        self.view: StandingView | None = None

    def collect(self) -> Writes:
        # Where there is no room, the copy may be overtaken once more.
        with suppress(StorageError):
            for _ in range(self.doublings):
                self.environment.grow()
        self.view = self.environment.view()
        return Writes()

    def committed(self) -> None:
        pass


async def _standing_view(
    environment: Environment, committer: Committer, doublings: int
) -> StandingView:
    viewer = _Viewer(environment, doublings)
    await committer.enlist(viewer).wait()
    assert viewer.view is not None, "the round asked everyone who enlisted"
    return viewer.view


def _with_files(pairs: Iterable[Pair], files: Mapping[str, bytes]) -> Iterator[Pair]:
    yield from pairs
    for name, data in sorted(files.items()):
        yield FILE_TABLE + name.encode(), data


def _counted(pairs: Iterable[Pair], counter: Counter) -> Iterator[Pair]:
    for pair in pairs:
        counter.done += 1
        yield pair


def _check_free(target: Path) -> None:
    if target.exists():
        raise StorageError(f"{target} exists already")


def _write_file(target: Path, header: BackupHeader, pairs: Iterable[Pair]) -> tuple[int, int]:
    """Gives the number of pairs and the size of the file."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            rows = write_backup(file, header, pairs)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        os.link(temporary, target)
        sync_directory(target.parent)
    except FileExistsError as error:
        raise StorageError(f"{target} exists already") from error
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return rows, size


# Putting back ---------------------------------------------------------------------------------


def restore_store(
    file: Path,
    directory: Path,
    *,
    passphrase: str | None,
    nothing_newer: bool = False,
    tables_of_owner: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[BackupReport, dict[str, bytes]]:
    """Put a store back into a directory that has none; the caller holds the directory's lock.

    The files that the backup holds beside the store are given back for the caller to write, last.

    Args:
      passphrase: opens the sealed key; None restores without keys.
      nothing_newer: the caller knows that no log was written to after the backup, so that all may
        be written at once.
      tables_of_owner: names of record tables that mean nothing to a store without the keys.
      progress: is told of bytes read from the file.

    Raises:
      BackupDamaged: the file is no backup, or was altered or cut off. Nothing was restored.
      WrongPassphrase: the passphrase does not open the key. Nothing was restored.
      StorageError: the directory has a store, or cannot be written.
    """
    staging = directory / STAGING_NAME
    _clear_unfinished(directory, staging)
    try:
        with file.open("rb") as opened:
            reader = BackupReader(opened)
            primary_key = _primary_key(reader.header, passphrase)
            staging.mkdir(mode=0o700)
            prefixes = tuple(table_prefix(name) for name in tables_of_owner)
            restoring = _Restoring(primary_key is not None, nothing_newer, prefixes)
            keys = open_keys_directory(staging)
            create_key(keys / PRIMARY_KEY_NAME, primary_key or os.urandom(KEY_BYTES))
            size = file.stat().st_size
            with (progress or Progress()).measured(
                "Restoring", "bytes", size, lambda: restoring.read_bytes
            ):
                _fill(staging, reader, restoring, opened)
        for name in (KEYS_DIRECTORY, JOURNAL_NAME, DATA_NAME):
            (staging / name).rename(directory / name)
        sync_directory(directory)
    except OSError as error:
        raise StorageError(f"{file} cannot be restored: {error.strerror}") from error
    header = reader.header
    report = BackupReport(
        restoring.rows,
        file.stat().st_size,
        header.created_ms,
        header.sealed_key is not None,
        restoring.own_logs,
    )
    return report, restoring.files


def finish_restoring(directory: Path) -> None:
    """All is in place; until then a restoration that was cut off is begun anew."""
    shutil.rmtree(directory / STAGING_NAME, ignore_errors=True)


def _clear_unfinished(directory: Path, staging: Path) -> None:
    if staging.exists():
        for name in (DATA_NAME, JOURNAL_NAME, f"{DATA_NAME}-lock"):
            (directory / name).unlink(missing_ok=True)
        shutil.rmtree(directory / KEYS_DIRECTORY, ignore_errors=True)
        shutil.rmtree(staging)
    for name in (DATA_NAME, JOURNAL_NAME, KEYS_DIRECTORY):
        if (directory / name).exists():
            raise StorageError(f"{directory} has a store already")


def _primary_key(header: BackupHeader, passphrase: str | None) -> bytes | None:
    if passphrase is None:
        return None
    if header.sealed_key is None:
        raise KeyFileError("this backup was made without keys, so no passphrase opens any")
    key = header.sealed_key.open_untrusted(passphrase)
    if len(key) != KEY_BYTES:
        raise BackupDamaged("the key it holds is none")
    return key


def _fill(staging: Path, reader: BackupReader, restoring: _Restoring, opened: IO[bytes]) -> None:
    environment = JournaledEnvironment(staging)
    try:
        batch = Writes()
        for pair in reader.pairs_untrusted():
            restoring.take(pair, batch)
            if batch.size_bytes > _BATCH_BYTES:
                restoring.read_bytes = opened.tell()
                _write(environment, batch)
                batch = Writes()
        _write(environment, batch)
    finally:
        environment.close()
    (staging / f"{DATA_NAME}-lock").unlink(missing_ok=True)


def _write(environment: JournaledEnvironment, batch: Writes) -> None:
    while True:
        try:
            environment.write([batch])
        except EnvironmentFull:
            environment.grow()
        else:
            environment.settle()
            return


@dataclass
class _Restoring:
    """What becomes of each pair.

    Attributes:
      with_keys: whether logs of our own stay our own.
      nothing_newer: whether they may be written at once.
      prefixes_of_owner: rows that are left out without keys.
      read_bytes: how far the file is read.
      files: of the backup, by name.
    """

    with_keys: bool
    nothing_newer: bool
    prefixes_of_owner: tuple[bytes, ...] = ()
    rows: int = 0
    own_logs: int = 0
    read_bytes: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    # Discovery keys of our own logs, by the key of their head, which comes later.
    _own: dict[bytes, bytes] = field(default_factory=dict)

    def take(self, pair: Pair, batch: Writes) -> None:
        key, value = pair
        table = key[:1]
        if table == FILE_TABLE:
            self.files[key[1:].decode(errors="replace")] = value
            return
        self.rows += 1
        if table == _OWN_TABLE:
            self._take_own(key, value, batch)
            return
        if not self.with_keys and key.startswith(self.prefixes_of_owner):
            return
        if table == CORE_TABLE:
            value = self._take_core(key[1:], value)
        elif table == RESTORED_TABLE:
            # What waited for a peer then is marked anew.
            return
        elif table == HEAD_TABLE and key in self._own:
            length = decode_head(value).head.length
            mark_restored(batch, self._own[key], length)
        batch.put(key, value)

    def _take_own(self, key: bytes, value: bytes, batch: Writes) -> None:
        """The number of the next log is kept; what speaks of files is not, but its form counts."""
        if key == b"\x00schema":
            probe = MemoryEnvironment()
            writes = Writes()
            writes.put(key, value)
            probe.write([writes])
            check_schema(probe)
        elif key != b"\x00journal":
            batch.put(key, value)

    def _take_core(self, discovery_key: bytes, value: bytes) -> bytes:
        record = decode_core(value)
        if record.name is None:
            return value
        if not self.with_keys:
            return encode_core(replace(record, name=None))
        if not self.nothing_newer:
            self.own_logs += 1
            self._own[head_key(record.number)] = discovery_key
        return value
