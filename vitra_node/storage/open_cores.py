"""The logs of one store that are open, and the way to those that are only stored.

This is also how sessions with peers see the store (``net.peer_sink.CoreSource``). A log is *active*
when the program asked for it; a log that only a peer asked for is served, but not offered.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol.crypto.hashes import discovery_key as discovery_key_of
from protocol.crypto.keys import KeyPair, Signer, corestore_seed
from protocol.crypto.manifest import Manifest
from protocol.hypercore.core import EMPTY_HEAD

from ..net.sessions.peer_sink import ReplicatedCore
from .care.restored import restored_length, wait_confirmed
from .environments.committer import Committer, Round
from .environments.environment import Environment, Writes, prefix_range
from .environments.schema import (
    CORE_TABLE,
    NEXT_NUMBER_KEY,
    CoreRecord,
    HeadRecord,
    core_key,
    decode_core,
    decode_head,
    encode_core,
    encode_head,
    head_key,
    restored_key,
)
from .errors import KeyFileError, StoreDamaged
from .log.core_storage import CoreStorage
from .log.heads import LogHeads
from .log.hypercore import Hypercore


class OpenCores:
    """Opens each log of a store once.

    Attributes:
      primary_key: derives the key pairs of named logs; secret.
    """

    def __init__(self, environment: Environment, committer: Committer, primary_key: bytes) -> None:
        self._environment = environment
        self._committer = committer
        self.primary_key = primary_key
        self._open: dict[bytes, Hypercore] = {}
        self._active: dict[bytes, Hypercore] = {}
        self._listeners: list[Callable[[ReplicatedCore], None]] = []
        number = environment.get(NEXT_NUMBER_KEY)
        self._next_number = 1 if number is None else int.from_bytes(number, "big")

    # For sessions ---------------------------------------------------------------------------------

    def find(self, discovery_key: bytes) -> ReplicatedCore | None:
        """The log under this id, opened if it is stored; None if it is not."""
        core = self._load(discovery_key)
        return None if core is None else core.replication

    def active(self) -> list[ReplicatedCore]:
        """The logs the program asked for."""
        return [core.replication for core in self._active.values()]

    def on_active(self, callback: Callable[[ReplicatedCore], None]) -> Callable[[], None]:
        """Call back for every log that becomes active later; gives a function that stops it."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    # For the store --------------------------------------------------------------------------------

    def stored(self) -> list[bytes]:
        """The discovery keys of all stored logs."""
        rows = self._environment.items(*prefix_range(CORE_TABLE))
        return [key[len(CORE_TABLE) :] for key, _ in rows]

    def named_key_pair(self, namespace: bytes, name: str) -> KeyPair:
        """The key pair of the log ``name``; see npm ``corestore``."""
        return KeyPair.from_seed(corestore_seed(self.primary_key, namespace, name))

    async def get(
        self,
        key: bytes,
        *,
        manifest: Manifest | None,
        signer: Signer | None,
        name: tuple[bytes, str] | None,
        encryption_key: bytes | None,
        allow_truncation: bool,
    ) -> Hypercore:
        """The log with this key, created if it is not stored, and active from now on.

        ``manifest`` and ``signer`` belong to the key; ``name`` derives the key pair, and is kept.

        Raises:
          StorageError: the log is open with another encryption key.
          NotWritable: an encryption key was given for a log of ours with blocks that are not
            encrypted.
          StoreReadOnly, StoreClosed: it had to be created, or its name kept, and cannot be.
        """
        id_ = discovery_key_of(key)
        core = self._load(id_, allow_truncation)
        created: Round | None
        if core is None:
            record = CoreRecord(
                self._next_number,
                key,
                manifest,
                name,
                append_only=not allow_truncation,
                encrypted=encryption_key is not None,
            )
            core, created = self._create(id_, record, signer)
        else:
            if encryption_key is not None:
                ours = core.storage.signer is not None or signer is not None
                core.encryption.check(encryption_key, ours=ours)
            if not allow_truncation and core.heads is None:
                # A peer asked for it first. Its channels are opened anew, under the stricter rule.
                core.forbid_truncation(self._heads_of(core.storage))
                self._active.pop(id_, None)
            if signer is not None and core.storage.signer is None:
                core.writer.allow(signer)
            created = core.storage.learn(
                manifest, name, not allow_truncation, encryption_key is not None
            )
        if encryption_key is not None:
            core.encryption.key = encryption_key
        if id_ not in self._active:
            self._active[id_] = core
            for listener in tuple(self._listeners):
                listener(core.replication)
        if created is not None:
            await created.wait()
        return core

    async def resume_writing(self, core: Hypercore) -> None:
        """Wait until a peer has confirmed a restored log, which is writable then; else return.

        Raises:
          StoreReadOnly, StoreClosed: the confirmation cannot be noted, or the store was closed.
        """
        length = core.restored_length
        if length is None:
            return
        await wait_confirmed(core, length)
        core.release_writing()
        # Should this be lost in a crash, the log is confirmed once more; nothing worse.
        writes = Writes()
        writes.delete(restored_key(core.discovery_key))
        await self._committer.commit(writes)

    def close(self) -> None:
        """Close every log."""
        for core in self._open.values():
            core.close()

    def _load(self, discovery_key: bytes, allow_truncation: bool = True) -> Hypercore | None:
        core = self._open.get(discovery_key)
        if core is not None:
            return core
        data = self._environment.get(core_key(discovery_key))
        if data is None:
            return None
        record = decode_core(data)
        head = self._environment.get(head_key(record.number))
        if head is None or discovery_key_of(record.key) != discovery_key:
            raise StoreDamaged(f"the stored log {discovery_key.hex()} contradicts itself")
        key_pair = None if record.name is None else self.named_key_pair(*record.name)
        if key_pair is not None and record.manifest is not None:
            signers = [signer.public_key for signer in record.manifest.signers]
            if key_pair.public_key not in signers:
                raise KeyFileError("the primary key is not the one that this store was made with")
        core = self._open_core(record, decode_head(head), key_pair, allow_truncation)
        restored = restored_length(self._environment, discovery_key)
        if restored is not None:
            core.writer.hold(restored)
        return core

    def _create(
        self, id_: bytes, record: CoreRecord, signer: Signer | None
    ) -> tuple[Hypercore, Round]:
        head_record = HeadRecord(EMPTY_HEAD, 0)
        writes = Writes()
        writes.put(core_key(id_), encode_core(record))
        writes.put(head_key(record.number), encode_head(head_record))
        writes.put(NEXT_NUMBER_KEY, (record.number + 1).to_bytes(4, "big"))
        created = self._committer.submit(writes)
        self._next_number += 1
        return self._open_core(record, head_record, signer), created

    def _open_core(
        self,
        record: CoreRecord,
        head_record: HeadRecord,
        signer: Signer | None,
        allow_truncation: bool = True,
    ) -> Hypercore:
        storage = CoreStorage(
            self._environment, self._committer, record, head_record, signer=signer
        )
        heads = self._heads_of(storage) if record.append_only or not allow_truncation else None
        core = Hypercore(storage, self._committer, heads=heads)
        self._open[storage.discovery_key] = core
        return core

    def _heads_of(self, storage: CoreStorage) -> LogHeads:
        return LogHeads(storage, self._environment, self._committer)
