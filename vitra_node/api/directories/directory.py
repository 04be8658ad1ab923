"""Making and unmaking data directories: what no running node can be asked for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...config import CONFIG_NAME, Address, read_config, write_config
from ...database import Database
from ...errors import NotFound
from ...frauds import DIRECTORY_NAME as FRAUD_NAME
from ...ledger.opening import CACHE_NAME
from ...ledger.own_oplogs import OwnOplogs
from ...storage.corestore import Corestore
from ...storage.environments.lmdb_environment import DATA_NAME
from ...storage.environments.lock import LOCK_NAME, DirectoryLock
from ...storage.keys.key_files import KEYS_DIRECTORY
from ..control.socket_file import SOCKET_NAME
from ..failures import telling
from .local import Narrate, find_peers, reach_peers
from .passphrase import existing_passphrase

# Everything that a node writes into its directory, as patterns. The configuration goes last, so
# that an interrupted deletion can be taken up again; other files are never touched.
_OWN_FILES = (
    SOCKET_NAME,
    "node.log*",
    "http-token",
    f"{Path(DATA_NAME).stem}.*",
    CACHE_NAME,
    FRAUD_NAME,
    KEYS_DIRECTORY,
    CONFIG_NAME,
    LOCK_NAME,
)


async def create_database(
    directory: Path, source: str, participants: Sequence[bytes]
) -> dict[str, Any]:
    """Make a database whose executor is this directory; returns what ``init`` prints.

    Raises VitraError: UsageProblem when the contract cannot run (nothing is created), NotAllowed
    when the directory has a database already.
    """
    with telling(), _private_directory(directory):
        async with Database.create(
            directory,
            contract=source,
            participants=participants,
            passphrase=existing_passphrase,
        ) as database:
            oplog = database.local_oplog
            return {
                "key": database.key.hex(),
                "role": "executor",
                "oplog": None if oplog is None else oplog.key.hex(),
            }


async def join_database(
    directory: Path,
    key: bytes,
    peers: tuple[Address, ...],
    narrate: Narrate,
    *,
    swarm: bool = False,
    bootstrap: tuple[Address, ...] = (),
    sparse: bool | None = None,
) -> dict[str, Any]:
    """Get a database by its key; returns what ``join`` prints.

    The peers are remembered, and tried once: one that cannot be reached is narrated. With ``swarm``
    others are looked for when these gave nothing; ``bootstrap`` is remembered as well. ``sparse``:
    see ``Database.load``.
    """
    with telling():
        async with Database.load(
            directory, key, passphrase=existing_passphrase, sparse=sparse
        ) as database:
            config = read_config(directory).with_peers(peers)
            config = replace(config, bootstrap=bootstrap or config.bootstrap)
            write_config(directory, config)
            if not database.is_executor:
                await reach_peers(database, config, narrate)
                if swarm and not database.index.length:
                    await find_peers(database, config.bootstrap or None, narrate)
            oplog = database.local_oplog
            return {
                "key": database.key.hex(),
                "role": "executor" if database.is_executor else "participant",
                "sparse": database.is_sparse,
                "oplog": None if oplog is None else oplog.key.hex(),
                "index_length": database.index.length,
                "peers": len(database.peers),
            }


async def prepare_oplog(directory: Path) -> dict[str, Any]:
    """Make an oplog in a directory that has no database yet.

    Its key can then be named to whoever makes the database, and the directory joins it later.
    """
    with telling():
        async with Corestore.open(directory, passphrase=existing_passphrase) as store:
            core = await OwnOplogs(store).create()
            config = read_config(directory)
            if config.local_oplog is None:
                write_config(directory, replace(config, local_oplog=core.key))
            return {"key": core.key.hex(), "length": 0, "active": False, "writable": True}


def destroy_directory(directory: Path) -> list[str]:
    """Delete all that a node wrote into the directory, and the directory when nothing is left.

    Returns the names that were deleted. Raises VitraError: NotFound when there is nothing of a
    node's, NotAllowed when a process holds the directory.
    """
    present = [path.name for pattern in _OWN_FILES for path in sorted(directory.glob(pattern))]
    if not {CONFIG_NAME, DATA_NAME, KEYS_DIRECTORY} & set(present):
        raise NotFound(f"There is no database in {directory}.", unchanged="Nothing was deleted.")
    with telling():
        lock = DirectoryLock(directory)
        try:
            for name in present:
                path = directory / name
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        finally:
            lock.release()
        _remove_if_empty(directory)
    return present


@contextmanager
def _private_directory(directory: Path) -> Iterator[None]:
    """Make the directory for its owner alone; when the block fails, leave nothing of it behind."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    if missing:
        directory.mkdir(mode=0o700, parents=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            # Stops at the first that is not empty, or not ours any more.
            for each in missing:
                each.rmdir()
        raise


def _remove_if_empty(directory: Path) -> None:
    (directory / LOCK_NAME).unlink(missing_ok=True)
    if directory != Path.cwd() and not any(directory.iterdir()):
        directory.rmdir()
