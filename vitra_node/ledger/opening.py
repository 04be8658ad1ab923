"""What a database needs before it runs, taken from where it lives: a directory, or memory.

Three ways lead to the same parts: a new database of a contract, one that is known by its key, and
a sandbox. Nothing of the directory's description is written before what it describes is durable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from protocol.hyperbee import CacheRoom

from ..config import DirectoryConfig, read_config, write_config
from ..errors import NotAllowed, NotFound, StoreDamaged
from ..storage.corestore import Corestore
from ..storage.environments.lmdb_environment import DATA_NAME
from ..storage.keys.key_files import Passphrase
from ..storage.log.hypercore import Hypercore
from ..world import REAL_WORLD, World
from .contract_runner import ContractRunner
from .genesis import create_index
from .own_oplogs import OwnOplogs

CACHE_NAME = "compiled"


@dataclass(frozen=True)
class OpenParts:
    """The parts of one database, open.

    Attributes:
      directory: where it lives; None for memory.
      store: its logs.
      core: the log of its index.
      runner: what runs its contracts.
      local_oplog: key of the oplog that calls are published on, if any.
      world: where chance, date and sockets come from.
      sparse: whether only those blocks of the index are fetched that are read.
      room: for decoded blocks; None for room of its own.
    """

    directory: Path | None
    store: Corestore
    core: Hypercore
    runner: ContractRunner
    local_oplog: bytes | None
    world: World
    sparse: bool = False
    room: CacheRoom | None = None

    @property
    def cache_dir(self) -> Path | None:
        """Where compiled contracts are kept."""
        return cache_dir_of(self.directory)


@asynccontextmanager
async def created(
    path: Path | None,
    contract: str,
    participants: Sequence[bytes],
    passphrase: Passphrase | None,
    world: World,
    room: CacheRoom | None,
) -> AsyncIterator[OpenParts]:
    """A new database; see ``Database.create``."""
    async with _runner(path, world) as runner:
        compiled = await runner.compiled(contract)
        if path is not None and read_config(path).key is not None:
            raise NotAllowed(
                f"{path} holds a database already.",
                unchanged="It was not changed.",
                advice="Choose another directory, or remove this one with `vitra destroy`.",
            )
        if path is not None:
            require_store(path)
        async with Corestore.open(path, passphrase=passphrase, world=world) as store:
            config = DirectoryConfig() if path is None else read_config(path)
            local = await OwnOplogs(store).open_or_create(config.local_oplog)
            members = [local.key, *participants]
            core = await create_index(store, contract, members, compiled.runtime_id)
            if path is not None:
                made = replace(config, key=core.key, role="executor", local_oplog=local.key)
                write_config(path, made)
            yield OpenParts(path, store, core, runner, local.key, world, room=room)


@asynccontextmanager
async def loaded(
    path: Path | None,
    key: bytes | None,
    passphrase: Passphrase | None,
    sparse: bool | None,
    world: World,
    room: CacheRoom | None,
) -> AsyncIterator[OpenParts]:
    """A database by its key, or the one that the directory holds; see ``Database.load``."""
    config = DirectoryConfig() if path is None else read_config(path)
    wanted = config.key if key is None else key
    if wanted is None:
        raise NotFound(
            f"There is no database in {path}.",
            advice="Make one with `vitra init CONTRACT.js`, or get one with `vitra join KEY`.",
        )
    if config.key not in (None, wanted):
        raise NotAllowed(
            f"{path} holds another database.",
            unchanged="It was not changed.",
            advice="Choose another directory for this one.",
        )
    if path is not None:
        require_store(path)
    async with (
        _runner(path, world) as runner,
        Corestore.open(path, passphrase=passphrase, world=world) as store,
    ):
        core = await store.get(key=wanted, allow_truncation=False)
        if sparse and core.writable:
            raise NotAllowed(
                "The executor of a database holds all of its index.",
                unchanged="Nothing was changed.",
                advice="Join it into another directory for a sparse copy.",
            )
        role = "executor" if core.writable else "participant"
        known = replace(
            config,
            key=wanted,
            role=config.role or role,
            sparse=config.sparse if sparse is None else sparse,
        )
        if path is not None and known != replace(config, role=known.role):
            write_config(path, known)
        lean = known.sparse and not core.writable
        yield OpenParts(path, store, core, runner, config.local_oplog, world, lean, room)


@asynccontextmanager
async def sandboxed(contract: str, cover: bool) -> AsyncIterator[OpenParts]:
    """A database in memory that no one else sees; see ``Database.sandbox``."""
    async with ContractRunner.open(cover=cover) as runner:
        compiled = await runner.compiled(contract)
        async with Corestore.open(None) as store:
            local = await OwnOplogs(store).open_or_create(None)
            core = await create_index(store, contract, [local.key], compiled.runtime_id)
            yield OpenParts(None, store, core, runner, local.key, REAL_WORLD)


def require_store(path: Path) -> None:
    """Raise StoreDamaged where a directory had a store, and has none any more.

    A new one would be opened with the old keys, know nothing of what they signed, and make the
    same oplogs again: a second history of each.
    """
    config = read_config(path)
    had_one = config.key is not None or config.local_oplog is not None
    if had_one and not (path / DATA_NAME).exists():
        raise StoreDamaged(
            f"The data file {path / DATA_NAME} is missing.",
            unchanged="Nothing was put in its place: the keys have signed what it held.",
            advice="Bring that file back, or restore a backup into a new directory.",
        )


def _runner(path: Path | None, world: World) -> AbstractAsyncContextManager[ContractRunner]:
    return ContractRunner.open(cache_dir_of(path), world=world)


def cache_dir_of(path: Path | None) -> Path | None:
    """Where the compiled contracts of a database are kept; nowhere for one in memory."""
    return None if path is None else path / CACHE_NAME
