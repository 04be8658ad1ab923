"""Making and unmaking data directories: what no running node can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...config import CONFIG_NAME, Address, read_config, write_config
from ...database import Database
from ...errors import NotFound
from ...ledger.opening import require_store
from ...ledger.own_oplogs import OwnOplogs
from ...storage.corestore import Corestore
from ...storage.environments.lmdb_environment import DATA_NAME
from ...storage.environments.lock import LOCK_NAME, DirectoryLock
from ...storage.keys.key_files import KEYS_DIRECTORY
from ..failures import telling
from .local import Narrate, find_peers, reach_peers
from .own_files import delete, nothing_left_on_failure, own_files
from .passphrase import existing_passphrase


async def create_database(
    directory: Path, source: str, participants: Sequence[bytes]
) -> dict[str, Any]:
    """Make a database whose executor is this directory; returns what ``init`` prints.

    Raises VitraError: UsageProblem when the contract cannot run (nothing is created), NotAllowed
    when the directory has a database already.
    """
    with telling(), nothing_left_on_failure(directory):
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
    with telling(), nothing_left_on_failure(directory):
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
    with telling(), nothing_left_on_failure(directory):
        require_store(directory)
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
    present = [path.name for path in own_files(directory)]
    if not {CONFIG_NAME, DATA_NAME, KEYS_DIRECTORY} & set(present):
        raise NotFound(f"There is no database in {directory}.", unchanged="Nothing was deleted.")
    with telling():
        lock = DirectoryLock(directory)
        try:
            for name in present:
                delete(directory / name)
        finally:
            lock.release()
        _remove_if_empty(directory)
    return present


def _remove_if_empty(directory: Path) -> None:
    (directory / LOCK_NAME).unlink(missing_ok=True)
    if directory != Path.cwd() and not any(directory.iterdir()):
        directory.rmdir()
