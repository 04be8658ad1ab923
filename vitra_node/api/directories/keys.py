"""The primary key of a data directory, in the clear or under a passphrase."""

from __future__ import annotations

from pathlib import Path

from ...errors import NotFound
from ...storage.environments.lock import DirectoryLock
from ...storage.keys.key_files import (
    KEYS_DIRECTORY,
    PRIMARY_KEY_NAME,
    Passphrase,
    is_sealed,
    read_key,
    rewrite_key,
)
from ..failures import telling


def are_sealed(directory: Path) -> bool:
    """Whether the keys need a passphrase; raises NotFound when there are none."""
    with telling():
        return is_sealed(_path(directory))


def seal_keys(directory: Path, old: Passphrase, new: Passphrase) -> None:
    """Put the keys under a passphrase, or under another one.

    Raises VitraError: NotFound without keys, NotAllowed for a wrong passphrase or a directory in
    use.
    """
    _rewrite(directory, old, new)


def unseal_keys(directory: Path, old: Passphrase) -> None:
    """Keep the keys in the clear. Raises like ``seal_keys``."""
    _rewrite(directory, old, None)


def _rewrite(directory: Path, old: Passphrase, new: Passphrase | None) -> None:
    path = _path(directory)
    with telling():
        lock = DirectoryLock(directory)
        try:
            key = read_key(path, old)
            assert key is not None, "the file was there, and the directory is locked"
            rewrite_key(path, key, None if new is None else new())
        finally:
            lock.release()


def _path(directory: Path) -> Path:
    path = directory / KEYS_DIRECTORY / PRIMARY_KEY_NAME
    if not path.exists():
        raise NotFound(f"There are no keys in {directory}.", unchanged="Nothing was changed.")
    return path
