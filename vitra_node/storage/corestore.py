"""``Corestore``: many logs in one data directory, as programs use it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from protocol.crypto.block_encryption import ENCRYPTION_KEY_BYTES
from protocol.crypto.keys import ROOT_NAMESPACE, KeyPair, Signer, child_namespace
from protocol.crypto.manifest import Manifest, default_manifest, manifest_key
from protocol.noise.handshake import HandshakeResult

from ..net.sessions.session import replicate
from ..progress import Progress
from ..world import REAL_WORLD, World
from .care.backup import BackupReport, write_store
from .care.restored import restored_logs
from .environments.committer import Committer, open_committer
from .environments.disk import Disk, HasDisk
from .environments.environment import Environment, check_schema
from .environments.journaled_environment import JournaledEnvironment
from .environments.lmdb_environment import DATA_NAME
from .environments.lock import DirectoryLock
from .environments.memory_environment import MemoryEnvironment
from .environments.records import Records
from .errors import KeyFileError, StorageError
from .keys.key_files import (
    KEY_BYTES,
    PRIMARY_KEY_NAME,
    Passphrase,
    create_key,
    open_keys_directory,
    read_key,
    sync_directory,
)
from .log.hypercore import Hypercore
from .open_cores import OpenCores


class Corestore:
    """Many logs in one LMDB environment that one process holds, or all in memory.

    Names derive key pairs from the store's primary key as npm ``corestore`` 7 does, so the same
    primary key gives the same logs there.

    Attributes:
      path: the data directory, None in memory.
      records: tables of keys and values for the layers above.
      cores: the side of the store that sessions with peers use.
    """

    def __init__(
        self,
        path: Path | None,
        environment: Environment,
        committer: Committer,
        cores: OpenCores,
        namespace: bytes = ROOT_NAMESPACE,
        *,
        world: World = REAL_WORLD,
    ) -> None:
        """For ``open`` and ``namespace``."""
        self.path = path
        self.records = Records(environment, committer)
        self.cores = cores
        self._environment = environment
        self._committer = committer
        self._namespace = namespace
        self._world = world

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: str | os.PathLike[str] | None,
        *,
        primary_key: bytes | None = None,
        passphrase: Passphrase | None = None,
        world: World = REAL_WORLD,
    ) -> AsyncIterator[Corestore]:
        """Open the store in a directory, and create it if it is not there; None for memory.

        ``primary_key`` (32 bytes) is for a store that is created; else it has to be the same.
        ``passphrase`` is asked for when the primary key of the store is sealed. With ``path`` None
        and a ``world`` that has a disk the store is kept there, with the key of that disk.

        Resource handling:
          Holds the lock of the directory, one file map, one task and one thread. On leaving,
          everything handed over is written, every log is closed, and the lock let go.

        Raises:
          StoreInUse: another process holds the directory.
          KeyFileError: the primary key is readable for others, damaged, sealed, or another one.
          StoreVersionError, StoreDamaged: the data file is not ours to read.
          StorageError: the directory cannot be used.
        """
        if primary_key is not None and len(primary_key) != KEY_BYTES:
            raise KeyFileError(f"a primary key has {KEY_BYTES} bytes, not {len(primary_key)}")
        directory = None if path is None else Path(path)
        environment: Environment
        lock = None if directory is None else _hold(directory)
        try:
            if directory is None:
                fresh = Disk(MemoryEnvironment(), primary_key or world.random_bytes(KEY_BYTES))
                environment, primary_key = world.disk if isinstance(world, HasDisk) else fresh
                check_schema(environment)
            else:
                primary_key = _primary_key(directory, primary_key, passphrase, world)
                environment = JournaledEnvironment(directory)
            try:
                async with open_committer(environment) as committer:
                    cores = OpenCores(environment, committer, primary_key)
                    try:
                        yield cls(directory, environment, committer, cores, world=world)
                    finally:
                        cores.close()
            finally:
                environment.close()
        finally:
            if lock is not None:
                lock.release()

    async def get(
        self,
        *,
        name: str | None = None,
        key: bytes | None = None,
        key_pair: KeyPair | None = None,
        signer: Signer | None = None,
        compat: bool = False,
        manifest: Manifest | None = None,
        encryption_key: bytes | None = None,
        allow_truncation: bool = True,
    ) -> Hypercore:
        """The log of a name, key, key pair, signer or manifest; the same object each time.

        A log with a ``name`` is ours: writable, and found again by its name or its key. Without
        ``manifest``, a name or key pair makes a log with the default manifest of one signer, or
        with ``compat`` one whose key is the public key itself (as hypercore 10 makes them).
        A ``signer`` takes the place of the key pair where the secret key is kept elsewhere, as by
        an ssh-agent; see ``signing``. As a key pair of the caller's it is given at each opening.
        With ``encryption_key`` (32 bytes) blocks are encrypted when they are appended and decrypted
        when they are read; files and peers hold them encrypted. It is not kept in the store: give
        it whenever the log is opened, before its first use; without it nothing can be appended.
        ``allow_truncation`` false: forks of this log that peers show are reported, not followed.

        Raises:
          StorageError: nothing was named, or what was named does not belong together, or the
            encryption key has not 32 bytes or is not the one that the log is open with.
          NotWritable: an encryption key was given for a log of ours with blocks that are not
            encrypted.
          StoreReadOnly, StoreClosed: the log had to be created and cannot be.
        """
        if encryption_key is not None and len(encryption_key) != ENCRYPTION_KEY_BYTES:
            raise StorageError(f"an encryption key has {ENCRYPTION_KEY_BYTES} bytes")
        named = None
        if sum(each is not None for each in (name, key_pair, signer)) > 1:
            raise StorageError("a log has one of a name, a key pair of the caller's and a signer")
        if name is not None:
            named = (self._namespace, name)
            key_pair = self.cores.named_key_pair(*named)
        signer = signer or key_pair
        key, manifest = _identity(key, signer, compat, manifest)
        return await self.cores.get(
            key,
            manifest=manifest,
            signer=signer,
            name=named,
            encryption_key=encryption_key,
            allow_truncation=allow_truncation,
        )

    def create_key_pair(self, name: str) -> KeyPair:
        """The key pair that this store derives for a name, as npm ``corestore`` does."""
        return self.cores.named_key_pair(self._namespace, name)

    def namespace(self, name: str) -> Corestore:
        """The same store, in which names derive other key pairs than here."""
        below = child_namespace(self._namespace, name)
        return Corestore(
            self.path, self._environment, self._committer, self.cores, below, world=self._world
        )

    async def replicate(
        self,
        stream: trio.abc.Stream,
        *,
        initiator: bool,
        key_pair: KeyPair | None = None,
        handshake: HandshakeResult | None = None,
    ) -> None:
        """Replicate every log that the peer also has over ``stream``, until the peer ends it.

        ``initiator`` is whether this side opened the stream; ``key_pair`` identifies this side,
        a fresh one by default. ``handshake`` took place elsewhere, as that of a connection of the
        DHT. Several replications may run at a time.

        Raises:
          ConnectionFailed: the stream broke, was too slow, or the peer broke the protocol.
        """
        await replicate(
            stream,
            self.cores,
            initiator=initiator,
            key_pair=key_pair,
            handshake=handshake,
            wait_for_room=self.wait_for_room,
            world=self._world,
        )

    async def wait_for_room(self) -> None:
        """Return when the disk has kept up enough to take more from peers."""
        await self._committer.wait_for_room()

    async def back_up(
        self,
        target: Path,
        *,
        passphrase: str | None = None,
        files: Mapping[str, bytes] | None = None,
        progress: Progress | None = None,
    ) -> BackupReport:
        """Write everything into one new file, as it is at one moment; see ``backup.write_store``.

        Without ``passphrase`` the keys stay out of it.

        Raises:
          StorageError: the target exists, or cannot be written.
        """
        return await write_store(
            self._environment,
            self._committer,
            self.cores.primary_key,
            target,
            passphrase=passphrase,
            files=files or {},
            progress=progress or Progress(),
        )

    def restored_logs(self) -> list[bytes]:
        """The discovery keys of logs of our own that wait to be confirmed; see ``restored``."""
        return restored_logs(self._environment)

    def discovery_keys(self) -> list[bytes]:
        """The discovery keys of all stored logs, in order."""
        return self.cores.stored()


def _identity(
    key: bytes | None, signer: Signer | None, compat: bool, manifest: Manifest | None
) -> tuple[bytes, Manifest | None]:
    """The key and, where it follows, the manifest of the log that is meant."""
    if key is not None and len(key) != KEY_BYTES:
        raise StorageError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    if manifest is None and signer is not None:
        manifest = _manifest_of(signer.public_key, key)
        if key is None and compat:
            key = signer.public_key
    if key is None:
        if manifest is None:
            raise StorageError("say which log: a name, a key, a key pair or a manifest")
        key = manifest_key(manifest)
    if manifest is not None and not manifest.is_for(key):
        raise StorageError("the key is not the key of this manifest or key pair")
    if signer is not None and manifest is not None:
        signers = {each.public_key for each in manifest.signers}
        if signer.public_key not in signers:
            raise StorageError("the key pair is not a signer of this log")
    return key, manifest


def _manifest_of(public_key: bytes, key: bytes | None) -> Manifest:
    """The manifest of one signer whose key is ``key``; else the default one."""
    manifests = [default_manifest(public_key, version) for version in (1, 0)]
    return next((each for each in manifests if key is None or each.is_for(key)), manifests[0])


def _hold(directory: Path) -> DirectoryLock:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{directory} cannot be used: {error.strerror}") from error
    return DirectoryLock(directory)


def _primary_key(
    directory: Path, given: bytes | None, passphrase: Passphrase | None, world: World
) -> bytes:
    path = open_keys_directory(directory) / PRIMARY_KEY_NAME
    stored = read_key(path, passphrase)
    if stored is None:
        if (directory / DATA_NAME).exists():
            raise KeyFileError(f"{path} is missing, and the logs of this store depend on it")
        stored = given or world.random_bytes(KEY_BYTES)
        create_key(path, stored)
        sync_directory(directory)
    elif given is not None and given != stored:
        raise KeyFileError(f"{path} holds another primary key")
    return stored
