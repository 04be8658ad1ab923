"""Backups of data directories: the store and the files beside it, into one file and out again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...config import (
    CONFIG_NAME,
    DirectoryConfig,
    read_config,
    write_config,
    write_file_atomically,
)
from ...database import Database
from ...errors import (
    NotAllowed,
    NotFound,
    StoreDamaged,
    UsageProblem,
    is_disk_full,
)
from ...frauds import DIRECTORY_NAME as FRAUD_NAME
from ...ledger.own_oplogs import TABLE as OWN_OPLOGS_TABLE
from ...progress import Progress
from ...storage.care.backup import BackupReport, finish_restoring, restore_store
from ...storage.care.backup_file import BackupDamaged, BackupReader
from ...storage.environments.lock import DirectoryLock
from ...storage.errors import StorageError
from ...storage.keys.sealing import WrongPassphrase
from ..failures import telling
from .own_files import nothing_left_on_failure

# Proofs larger than this do not travel in a backup; they can be found again by `vitra verify`.
_MAX_FRAUD_BYTES = 4 * 1024 * 1024

_FRAUD_FILE = re.compile(rf"{FRAUD_NAME}/[0-9a-f]{{8,64}}\.json")


async def back_up(
    database: Database, target: Path, passphrase: str | None, progress: Progress
) -> dict[str, Any]:
    """Write a backup of an open database's directory; gives what ``backup`` prints.

    Raises:
      NotAllowed: the database is in memory.
      UsageProblem: the target exists, or cannot be written.
      StoreDamaged: its disk is full.
    """
    if database.directory is None:
        raise NotAllowed("A database in memory has nothing to back up.")
    files = _files_of(database.directory)
    try:
        report = await database.store.back_up(
            target, passphrase=passphrase, files=files, progress=progress
        )
    except StorageError as error:
        kind = StoreDamaged if is_disk_full(error) else UsageProblem
        raise kind(
            f"The backup cannot be written: {error}.",
            unchanged="The database goes on; no file was left.",
            advice="Name a file that does not exist yet, on a disk with room for it.",
        ) from error
    return {"file": str(target), **_shape(report)}


def has_keys(file: Path) -> bool:
    """Whether a backup holds keys, for which a passphrase is needed.

    Raises VitraError: NotFound without the file, UsageProblem when it is no backup.
    """
    try:
        with file.open("rb") as opened:
            return BackupReader(opened).header.sealed_key is not None
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {file}.", unchanged="Nothing was restored.") from error
    except BackupDamaged as error:
        raise _damaged(file, error) from error
    except OSError as error:
        raise UsageProblem(
            f"{file} cannot be read: {error.strerror}.", unchanged="Nothing was restored."
        ) from error


def restore_directory(
    file: Path, directory: Path, *, passphrase: str | None, nothing_newer: bool, progress: Progress
) -> dict[str, Any]:
    """Put a backup into a directory that has no database; gives what ``restore`` prints.

    ``progress`` is counted, so another thread may look at it.

    Raises VitraError: UsageProblem for a file that is no whole backup, NotAllowed for a wrong
    passphrase or a directory in use.
    """
    if read_config(directory).key is not None:
        raise NotAllowed(
            f"{directory} holds a database already.",
            unchanged="It was not changed.",
            advice="Restore into another directory, with --dir.",
        )
    with telling(), nothing_left_on_failure(directory):
        lock = DirectoryLock(directory)
        try:
            return _restore(file, directory, passphrase, nothing_newer, progress)
        finally:
            lock.release()


def _restore(
    file: Path,
    directory: Path,
    passphrase: str | None,
    nothing_newer: bool,
    progress: Progress,
) -> dict[str, Any]:
    try:
        report, files = restore_store(
            file,
            directory,
            passphrase=passphrase,
            nothing_newer=nothing_newer,
            tables_of_owner=(OWN_OPLOGS_TABLE,),
            progress=progress,
        )
        config = _write_files(directory, files, with_keys=passphrase is not None)
    except WrongPassphrase as error:
        raise NotAllowed(
            f"The backup's keys cannot be opened: {error}.",
            unchanged="Nothing was restored.",
            advice="Try again, or restore without keys, to read only.",
        ) from error
    except BackupDamaged as error:
        raise _damaged(file, error) from error
    finish_restoring(directory)
    return {
        "key": None if config.key is None else config.key.hex(),
        "role": config.role,
        "unconfirmed": report.own_logs,
        **_shape(report),
    }


def _damaged(file: Path, error: BackupDamaged) -> UsageProblem:
    return UsageProblem(
        f"{file} cannot be restored: {error}.",
        unchanged="Nothing was restored.",
        advice="Try another copy of it.",
    )


def _files_of(directory: Path) -> dict[str, bytes]:
    files = {}
    config = directory / CONFIG_NAME
    if config.exists():
        files[CONFIG_NAME] = config.read_bytes()
    for path in sorted((directory / FRAUD_NAME).glob("*.json")):
        if path.stat().st_size <= _MAX_FRAUD_BYTES:
            files[f"{FRAUD_NAME}/{path.name}"] = path.read_bytes()
    return files


def _write_files(directory: Path, files: dict[str, bytes], *, with_keys: bool) -> DirectoryConfig:
    """The files of a backup, the configuration last: with it the directory has a database."""
    for name, data in files.items():
        if _FRAUD_FILE.fullmatch(name):
            (directory / FRAUD_NAME).mkdir(mode=0o700, exist_ok=True)
            write_file_atomically(directory / name, data)
    if CONFIG_NAME not in files:
        return DirectoryConfig()
    write_file_atomically(directory / CONFIG_NAME, files[CONFIG_NAME])
    try:
        config = read_config(directory)
    except StoreDamaged as error:
        (directory / CONFIG_NAME).unlink()
        raise BackupDamaged("the configuration it holds does not decode") from error
    if not with_keys:
        role = "participant" if config.role == "executor" else config.role
        config = replace(config, role=role, local_oplog=None)
        write_config(directory, config)
    return config


def _shape(report: BackupReport) -> dict[str, Any]:
    return {
        "bytes": report.size_bytes,
        "rows": report.rows,
        "created": report.created_ms,
        "with_keys": report.has_keys,
    }
