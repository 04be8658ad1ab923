"""The files of a data directory that are a node's own, and taking them away again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...config import CONFIG_NAME, read_config
from ...errors import VitraError
from ...frauds import DIRECTORY_NAME as FRAUD_NAME
from ...ledger.opening import CACHE_NAME
from ...storage.care.backup import STAGING_NAME
from ...storage.environments.lmdb_environment import DATA_NAME
from ...storage.environments.lock import LOCK_NAME, DirectoryLock
from ...storage.errors import StorageError
from ...storage.keys.key_files import KEYS_DIRECTORY
from ..control.socket_file import SOCKET_NAME

# Everything that a node writes into its directory, as patterns. The configuration goes last, so
# that an interrupted deletion can be taken up again; other files are never touched.
_OWN_FILES = (
    SOCKET_NAME,
    "node.log*",
    "http-token",
    f"{Path(DATA_NAME).stem}.*",
    STAGING_NAME,
    CACHE_NAME,
    FRAUD_NAME,
    KEYS_DIRECTORY,
    CONFIG_NAME,
    LOCK_NAME,
)


@contextmanager
def nothing_left_on_failure(directory: Path) -> Iterator[None]:
    """Make the directory for its owner alone; a failed block leaves nothing that it made.

    What was there before stays, and everything does once the directory is described as holding a
    database or an oplog: then there is something to go on with.
    """
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    if missing:
        directory.mkdir(mode=0o700, parents=True)
    before = set(directory.iterdir())
    try:
        yield
    except BaseException:
        with suppress(OSError, StorageError, VitraError):
            _delete_new(directory, before)
            # Stops at the first that is not empty, or not ours any more.
            for each in missing:
                each.rmdir()
        raise


def _delete_new(directory: Path, before: set[Path]) -> None:
    # What another process makes here meanwhile is not ours to delete: it holds the lock.
    lock = DirectoryLock(directory)
    try:
        config = read_config(directory)
        if config.key is None and config.local_oplog is None:
            for path in own_files(directory):
                if path not in before:
                    delete(path)
    finally:
        lock.release()


def own_files(directory: Path) -> list[Path]:
    """What is there of a node's own, in the order to delete it."""
    return [path for pattern in _OWN_FILES for path in sorted(directory.glob(pattern))]


def delete(path: Path) -> None:
    """Delete a file or a whole directory; of a link, the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
