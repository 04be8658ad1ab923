"""Checking and repairing the store of a data directory that no node uses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import trio

from ...config import Address, read_config
from ...database import Database
from ...errors import NotFound
from ...progress import Progress, Step
from ...storage.care.fsck import Finding, check_directory
from ...storage.care.repair import Repair, repair_directory
from ...storage.environments.lmdb_environment import DATA_NAME
from ..failures import telling
from ..watched import watched, watcher
from .local import Narrate, open_when_free, reach_peers

# A peer that gives nothing for so long has nothing more to give.
PATIENCE_SECONDS = 10.0


def check(directory: Path, progress: Progress) -> list[dict[str, Any]]:
    """Everything that is wrong with the store; nothing is changed.

    ``progress`` is counted, so another thread may look at it.

    Raises VitraError: NotFound without a store, NotAllowed while a process uses it.
    """
    _require_store(directory)
    with telling():
        return [_finding_shape(finding) for finding in check_directory(directory, progress)]


def repair(directory: Path, progress: Progress) -> list[dict[str, Any]]:
    """Take out what is wrong; gives what was done to each damaged log. Raises like ``check``."""
    _require_store(directory)
    with telling():
        return [_repair_shape(done) for done in repair_directory(directory, progress)]


def fetch_missing(
    directory: Path,
    peers: tuple[Address, ...],
    narrate: Narrate,
    show: Callable[[Step], None] | None = None,
) -> int:
    """Fetch what is not here from peers; gives how many blocks are missing still."""
    config = read_config(directory).with_peers(peers)
    if config.key is None:
        return 0

    async def fetch() -> int:
        async with AsyncExitStack() as stack:
            database = await open_when_free(stack, directory)
            await reach_peers(database, config, narrate)
            async with watched(watcher(show)) as progress:
                return await _fetch(database, progress)

    with telling():
        return trio.run(fetch)


async def _fetch(database: Database, progress: Progress) -> int:
    """Sync for as long as blocks arrive."""
    missing = _missing(database)
    while missing and database.peers:
        with trio.move_on_after(PATIENCE_SECONDS):
            await database.sync(full=True, progress=progress)
        before, missing = missing, _missing(database)
        if missing >= before:
            break
    return missing


def _missing(database: Database) -> int:
    cores = [database.index.core, *(oplog.core for oplog in database.oplogs)]
    # An empty index says nothing about how much there should be.
    unknown = 1 if database.index.core.length == 0 else 0
    return unknown + sum(core.storage.missing(0, core.length) for core in cores)


def _require_store(directory: Path) -> None:
    if not (directory / DATA_NAME).exists():
        raise NotFound(f"There is no store in {directory}.", unchanged="Nothing was changed.")


def _finding_shape(finding: Finding) -> dict[str, Any]:
    return {
        "log": None if finding.key is None else finding.key.hex(),
        "discovery_key": finding.discovery_key.hex(),
        "block": finding.block,
        "problem": finding.problem,
    }


def _repair_shape(done: Repair) -> dict[str, Any]:
    return {
        "log": None if done.key is None else done.key.hex(),
        "discovery_key": done.discovery_key.hex(),
        "problems": len(done.findings),
        "action": done.action,
        "repaired": done.done,
    }
