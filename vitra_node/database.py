"""``Database``: one database on this node, as programs use it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path

import trio

from protocol.crypto.keys import SEED_BYTES, KeyPair
from protocol.encoding.paths import CONTRACT_SOURCE
from protocol.hyperbee import CacheRoom
from protocol.transparency.frauds import Verdict
from protocol.transparency.proofs.log_frauds import LogFraudProof
from protocol.transparency.proofs.result_proof import ResultProof
from protocol.transparency.replay.state import FIRST_ENTRY_SEQ

from .auditing import Auditing, VerifyReport
from .config import Address, read_config, write_config
from .contracts.engine import Method, Value
from .errors import NotAllowed, NotFound
from .frauds import DIRECTORY_NAME, FraudStore, KeptFraud
from .key_text import as_key
from .ledger.bounded_core import READ_SECONDS, UNCONNECTED_READ_SECONDS
from .ledger.console import ContractConsole, ContractNews
from .ledger.index import Index
from .ledger.opening import OpenParts, created, loaded, sandboxed
from .ledger.oplogs import Oplog, OplogSet
from .ledger.own_oplogs import OwnOplogs
from .ledger.votes import standing_votes
from .log_frauds import LogForkFraudProof
from .net.connections import Connections
from .net.direct import DirectPeers
from .net.swarm.swarm import Swarm
from .nursery import open_owned_nursery
from .progress import Progress
from .roles.audits.audit import scope_of
from .roles.executing import Executing
from .roles.executor import Executor
from .roles.monitor import Monitor
from .roles.participant import Participant
from .roles.swarming import Swarming
from .roles.syncing import SPARSE_MEMBERS_SECONDS, follow_members, sync_index, sync_oplogs
from .storage.keys.key_files import Passphrase
from .transactions import Transaction
from .world import REAL_WORLD, World


class Database:
    """A database, executed, written to or watched by this node.

    Resource handling: made by ``create``, ``load`` and ``sandbox``, async context managers. It
    owns a data directory (one process at a time), connections, tasks and contract workers, all of
    which end with the block.
    """

    # What executes; tests of monitors put one in its place that cheats.
    executor_type: type[Executor] = Executor

    def __init__(
        self,
        parts: OpenParts,
        nursery: trio.Nursery,
        watch: Callable[[ContractNews], None] | None = None,
    ) -> None:
        self.directory = directory = parts.directory
        self.store = store = parts.store
        self._whole_index = whole = Index(parts.core, parts.room)
        self.index = whole.within(self._read_seconds)
        self._is_sparse = parts.sparse
        self._runner = runner = parts.runner
        self._world = world = parts.world
        self._oplogs = OplogSet(store, self._keep_fork)
        self._own = OwnOplogs(store)
        self._local: Oplog | None = None
        pair = KeyPair.from_seed(world.random_bytes(SEED_BYTES))
        connections = Connections(store.cores, pair, store.wait_for_room, world=world)
        self._peers = DirectPeers(connections, nursery, world=world)
        self._swarming = Swarming(store, connections, parts.core, self._oplogs, nursery, world)
        self.auditing = Auditing(
            whole,
            self._oplogs,
            runner,
            FraudStore(None if directory is None else directory / DIRECTORY_NAME),
            parts.cache_dir,
            store.records,
            self._is_in_reach,
        )
        self._console = ContractConsole(self.key, self._milliseconds, watch)
        self._participant = Participant(
            self.index,
            self._oplogs,
            runner,
            store.records,
            lambda: self._local,
            self._milliseconds,
            self._console,
        )
        self._executing = Executing(
            self.executor_type,
            self.index,
            self._oplogs,
            runner,
            store,
            self._milliseconds,
            self._console,
            nursery,
        )

    # Making and opening ---------------------------------------------------------------------------

    @classmethod
    @asynccontextmanager
    async def create(
        cls,
        directory: str | PathLike[str] | None,
        *,
        contract: str,
        participants: Sequence[bytes | str] = (),
        passphrase: Passphrase | None = None,
        world: World = REAL_WORLD,
        room: CacheRoom | None = None,
    ) -> AsyncIterator[Database]:
        """Make a database from a contract; this node is its executor and first participant.

        Args:
          directory: where it lives; None for memory.
          contract: JavaScript source of the contract, one ES module.
          participants: keys of further oplogs that may write from the beginning.
          passphrase: asked for if the directory has a sealed key.
          world: where chance, date and sockets come from.
          room: for decoded blocks, shared with other databases; None for room of its own.

        Raises:
          ContractSyntaxError: the contract cannot run; nothing was created.
          UsageProblem: a participant's key is none; nothing was created.
          NotAllowed: the directory has a database already; it was not changed.
          StoreInUse: another process holds the directory.
        """
        keys = [as_key(key) for key in participants]
        path = None if directory is None else Path(directory)
        async with (
            created(path, contract, keys, passphrase, world, room) as parts,
            cls._running(parts) as database,
        ):
            yield database

    @classmethod
    @asynccontextmanager
    async def load(
        cls,
        directory: str | PathLike[str] | None,
        key: bytes | str | None = None,
        *,
        passphrase: Passphrase | None = None,
        sparse: bool | None = None,
        world: World = REAL_WORLD,
        room: CacheRoom | None = None,
    ) -> AsyncIterator[Database]:
        """Open a database by its key, or the one that the directory holds.

        ``passphrase`` is asked for if the directory's key is sealed; chance, date and sockets come
        from ``world``. With ``sparse`` only those blocks of the index are fetched that are read.
        The directory remembers that; None is what it remembers, and at first not sparse.
        Decoded blocks take ``room``, which several databases may share.

        Reads that need a block which is missing here raise ``BlockNotAvailable`` if no peer gives
        it within ``READ_SECONDS``.

        Raises:
          NotFound: no key is given, and the directory remembers none.
          NotAllowed: the directory holds another database, or is its executor and cannot be sparse.
          UsageProblem: the key is none.
          StoreInUse: another process holds the directory.
        """
        path = None if directory is None else Path(directory)
        wanted = None if key is None else as_key(key)
        async with (
            loaded(path, wanted, passphrase, sparse, world, room) as parts,
            cls._running(parts) as database,
        ):
            yield database

    @classmethod
    @asynccontextmanager
    async def sandbox(
        cls,
        *,
        contract: str,
        cover: bool = False,
        watch: Callable[[ContractNews], None] | None = None,
    ) -> AsyncIterator[Database]:
        """A database in memory that no one else sees, to try a contract out.

        Args:
          cover: let ``coverage`` tell which lines of the contract ran.
          watch: is told what the contract writes to its console and where it fails.

        Raises:
          ContractSyntaxError: the contract cannot run.
        """
        async with (
            sandboxed(contract, cover) as parts,
            cls._running(parts, watch=watch) as database,
        ):
            yield database

    @classmethod
    @asynccontextmanager
    async def _running(
        cls,
        parts: OpenParts,
        watch: Callable[[ContractNews], None] | None = None,
    ) -> AsyncIterator[Database]:
        core = parts.core
        async with AsyncExitStack() as stack:
            nursery = await stack.enter_async_context(open_owned_nursery())
            database = cls(parts, nursery, watch)
            assert core.heads is not None, "the index of a database is never truncated"
            core.heads.on_proof(database._keep_fork)
            if not core.writable and not parts.sparse:
                stack.enter_context(core.tail(0))
            for key in database._own.all():
                await database._open_own(key)
            if parts.local_oplog is not None:
                database._local = database._oplogs.find(parts.local_oplog)
            # Else what names the members may be missing, and can only come once we are open.
            if core.length and core.contiguous_length == core.length:
                await database._oplogs.refresh(database.index)
            database._participant.start(nursery)
            database._executing.start()
            if not core.writable:
                pause = SPARSE_MEMBERS_SECONDS if parts.sparse else 0.0
                nursery.start_soon(follow_members, database._whole_index, database._oplogs, pause)
            yield database

    # What it is -----------------------------------------------------------------------------------

    @property
    def key(self) -> bytes:
        """The 32-byte public key by which anyone finds and verifies the database."""
        return self.index.key

    @property
    def is_executor(self) -> bool:
        """Whether this node can sign the index."""
        return self.index.core.writable

    @property
    def is_participant(self) -> bool:
        """Whether this node can publish operations that count."""
        return self._local is not None and self._local.active

    @property
    def is_sparse(self) -> bool:
        """Whether only those blocks of the index are fetched that are read here."""
        return self._is_sparse

    @property
    def oplogs(self) -> list[Oplog]:
        """The oplogs of the participants, and our own that are not listed (yet)."""
        return list(self._oplogs)

    @property
    def local_oplog(self) -> Oplog | None:
        """The oplog that ``call`` publishes to."""
        return self._local

    @property
    def unconfirmed(self) -> list[bytes]:
        """Keys of own logs that are read-only since they were restored from a backup.

        A peer that has the newest of them ends that; see ``specs/07-storage.md``.
        """
        return [core.key for core in self._executing.unconfirmed()]

    @property
    def contract_walls(self) -> frozenset[str] | None:
        """What confines contracts on this machine, of ``WALLS``; None before one has run."""
        return self._runner.walls

    @property
    def executor_fault(self) -> str | None:
        """What this executor cannot execute, and why; None while it works."""
        return self._executing.fault

    @property
    def out_of_reach(self) -> str | None:
        """Why no executor can execute what is published here, as far as is known; or None.

        In a swarm it is never known: whom it will find is open.
        """
        if self.is_executor:
            return self._executing.stopped
        if self._peers.connected or self.network is not None:
            return None
        return "this node is connected to nobody"

    async def contract_source(self) -> str:
        """The source of the contract in force; raises NotFound before anything was synced."""
        return await self.index.contract_source()

    async def methods(self) -> list[Method]:
        """The methods that ``call`` takes."""
        compiled = await self._runner.compiled(await self.contract_source())
        return list(compiled.methods)

    async def coverage(self) -> tuple[set[int], frozenset[int]]:
        """Lines of the contract that ran since the last time, and those that can; of a sandbox."""
        source = await self.contract_source()
        compiled = await self._runner.compiled(source)
        return await self._runner.passed_lines(source), compiled.coverable_lines

    # Own oplogs -----------------------------------------------------------------------------------

    async def create_oplog(self) -> Oplog:
        """Make an oplog of our own; it becomes the one to publish to if there was none."""
        core = await self._own.create()
        oplog = await self._oplogs.open(core.key)
        if self._local is None:
            await self.set_local_oplog(core.key)
        return oplog

    async def set_local_oplog(self, key: bytes | str | None) -> None:
        """Publish to this oplog from now on; None publishes nowhere.

        Raises:
          NotAllowed: the oplog is not our own.
        """
        oplog = None
        if key is not None:
            wanted = as_key(key)
            oplog = self._oplogs.find(wanted) if wanted in self._own.all() else None
            if oplog is None:
                raise NotAllowed(
                    f"Oplog {wanted.hex()} is not our own.",
                    unchanged="Nothing was changed.",
                    advice="See yours with `vitra oplog ls`, or make one with `vitra oplog new`.",
                )
        self._local = oplog
        if self.directory is not None:
            config = read_config(self.directory)
            local = None if oplog is None else oplog.key
            write_config(self.directory, replace(config, local_oplog=local))

    async def delete_oplog(self, key: bytes | str) -> None:
        """Give up an oplog of our own: nothing can be published on it any more.

        What was published stays; it is part of the database's history.

        Raises:
          NotFound: we have no such oplog.
        """
        wanted = as_key(key)
        if wanted not in self._own.all():
            raise NotFound(
                f"Oplog {wanted.hex()} is not our own.", unchanged="Nothing was changed."
            )
        if self._local is not None and self._local.key == wanted:
            await self.set_local_oplog(None)
        await self._own.forget(wanted)
        oplog = self._oplogs.find(wanted)
        if oplog is not None and not oplog.active:
            self._oplogs.close(wanted)

    async def _open_own(self, key: bytes) -> None:
        await self._own.open(key)
        await self._oplogs.open(key)

    # Calling --------------------------------------------------------------------------------------

    async def call(self, method: str, params: Value = None) -> Transaction:
        """Call a method of the contract and publish what it emits; durable on return.

        Raises:
          NotFound: there is no such method, or no contract yet.
          NotAllowed: the call emits, and this node has no oplog that counts.
          ContractCallError: the method threw.
          ContractTimeout, WorkerFault: the machine gave up on it.
        """
        return await self._participant.call(method, params)

    async def rollback(self, to: int | None) -> Transaction:
        """Vote for the contract source that index block ``to`` holds; None takes the vote back.

        When more than half of the active oplogs vote for one block, the executor brings its source
        back. No contract is called, so this works when the present one does not. The vote is
        durable on return.

        Raises:
          NotFound: that block sets no contract source.
          NotAllowed: it is the one in force, or this node has no oplog that counts.
        """
        return await self._participant.vote(to)

    async def rollback_votes(self) -> dict[bytes, int]:
        """The block that each oplog votes for, against the source in force; see ``rollback``."""
        in_force = await self.index.get_key(CONTRACT_SOURCE)
        return {} if in_force is None else await standing_votes(self.index, in_force.seq)

    async def transactions(self) -> list[Transaction]:
        """The transactions that were published from here, oldest first."""
        return self._participant.transactions()

    async def transaction(self, tx: str) -> Transaction | None:
        """One of them by its id, or None."""
        return self._participant.transaction(tx)

    # Auditing -------------------------------------------------------------------------------------

    async def verify(
        self,
        *,
        jobs: int = 1,
        start: int = FIRST_ENTRY_SEQ,
        sample: float | None = None,
        seed: str | None = None,
        progress: Progress | None = None,
    ) -> VerifyReport:
        """Replay the index as it is now, and compare; raises as ``Auditing.verify``.

        Args:
          jobs: how many processes replay it.
          start: index block to begin with; what is before its transaction is not looked at.
          sample: replay each operation only with this probability.
          seed: decides which the sample takes; by chance if None. The report has it.
          progress: is told of what is verified.
        """
        by_chance = self._world.random_bytes(SEED_BYTES).hex
        scope = scope_of(jobs, start, sample, seed, by_chance)
        return await self.auditing.verify(scope, progress)

    async def verify_transaction(self, tx: Transaction) -> Verdict:
        """Replay the operations of one transaction alone; see ``Auditing``."""
        return await self.auditing.verify_transaction(tx)

    async def prove_transaction(self, tx: Transaction) -> list[ResultProof]:
        """A proof for each operation of a transaction; see ``Auditing``."""
        return await self.auditing.prove_transaction(tx)

    def monitor(self) -> AbstractAsyncContextManager[Monitor]:
        """Verify the index, then what it grows by; iterate for the events. See ``Auditing``."""
        return self.auditing.monitor()

    def frauds(self) -> list[KeptFraud]:
        """The proofs kept in this directory."""
        return self.auditing.frauds.all()

    @property
    def forks(self) -> list[LogForkFraudProof]:
        """The logs of this database that are proven to be forked; nothing is accepted in them."""
        return self.auditing.forks

    def _keep_fork(self, proof: LogFraudProof) -> None:
        # The oplogs are needed before there is anything that audits them.
        self.auditing.keep_fork(proof)
        if proof.log_key == self.key and self.is_executor:
            self._executing.stopped_by_fork()

    def fraud(self, name: str) -> KeptFraud:
        """One of them by its id; raises NotFound."""
        return self.auditing.frauds.find(name)

    # Network --------------------------------------------------------------------------------------

    @property
    def connections(self) -> Connections:
        """The live connections, and what became of those that ended."""
        return self._peers.connections

    @property
    def worker_restarts(self) -> int:
        """How often the process of a contract had to be replaced."""
        return self._runner.worker_restarts

    @property
    def peers(self) -> list[Address]:
        """The peers that are connected now."""
        return self._peers.connected

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Take direct connections; returns the address, with the port that was given for 0."""
        bound = await self._peers.listen(Address(host, port))
        return bound.host, bound.port

    async def connect(self, host: str, port: int) -> None:
        """Connect to a peer directly, and again whenever the connection is lost.

        Raises:
          ConnectionFailed: it could not be reached this first time; nothing goes on after that.
        """
        await self._peers.connect(Address(host, port))

    async def swarm(
        self,
        bootstrap: Iterable[tuple[str, int]] | None = None,
        *,
        host: str | None = None,
        port: int = 0,
    ) -> Swarm:
        """Find peers of this database by its key alone, and be found, from now on.

        Direct connections go on beside it. It ends with the database, or with ``unswarm``.

        Args:
          bootstrap: nodes of the network to ask first; None for the public network.
          host, port: where our node of the network is bound; see ``Swarm.open``.

        Raises:
          NotAllowed: it does so already.
          ConnectionFailed: the port cannot be bound, or no bootstrap node has an address.
        """
        return await self._swarming.join(bootstrap, host, port)

    async def unswarm(self) -> None:
        """Be found no more, and close the connections that the swarm brought."""
        await self._swarming.leave()

    @property
    def network(self) -> Swarm | None:
        """The swarm that the database is in, if any."""
        return self._swarming.swarm

    async def sync(self, full: bool = False, progress: Progress | None = None) -> None:
        """Learn the newest index from the connected peers; with ``full`` fetch all history.

        Without peers it returns at once; in a swarm, once those found now were called. A sparse
        copy learns the newest head, and fetches the index only with ``full``.
        """
        progress = progress or Progress()
        await sync_index(
            self.index,
            self._oplogs,
            self._peers,
            self.network,
            progress if full or not self.is_sparse else None,
        )
        if full:
            await sync_oplogs(self.index, self._oplogs, self._peers, progress)

    def _is_in_reach(self) -> bool:
        """Whether there is a peer to ask, or one may come."""
        return bool(self._peers.connected) or self.network is not None

    def _read_seconds(self) -> float:
        return READ_SECONDS if self._is_in_reach() else UNCONNECTED_READ_SECONDS

    def _milliseconds(self) -> int:
        return int(self._world.unix_time() * 1000)
