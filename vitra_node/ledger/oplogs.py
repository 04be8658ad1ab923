"""The oplogs of a database: which there are according to its index, and each as a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import trio

from protocol.transparency.proofs.log_frauds import LogFraudProof

from ..storage.corestore import Corestore
from ..storage.log.hypercore import Hypercore
from .index import Index


@dataclass
class Oplog:
    """One participant's log of operations.

    Attributes:
      core: the log itself.
      active: whether the index lists it as a participant now.
    """

    core: Hypercore
    active: bool = False

    @property
    def key(self) -> bytes:
        """The log's 32-byte public key."""
        return self.core.key

    @property
    def length(self) -> int:
        """Number of operations published on it, as far as this node knows."""
        return self.core.length

    @property
    def writable(self) -> bool:
        """Whether this node can publish on it."""
        return self.core.writable

    @property
    def forked(self) -> bool:
        """Whether it is proven that its writer signed two histories."""
        return self.core.heads is not None and self.core.heads.proof is not None

    async def is_forked(self, patience_seconds: float) -> bool:
        """The same, after peers had so many seconds to show what they know of it.

        An executor is not accused over an operation before it could show the head it acted on. Its
        channel for this log may not even be open yet, so the time is always given in full.
        """
        with trio.move_on_after(patience_seconds):
            while not self.forked:
                await self.core.wait_for_activity()
        return self.forked


class OplogSet:
    """The oplogs that this node has open, kept in step with the index by ``refresh``."""

    def __init__(
        self, store: Corestore, on_fork: Callable[[LogFraudProof], None] | None = None
    ) -> None:
        """``on_fork`` hears once of each oplog that is proven to be forked."""
        self._store = store
        self._on_fork = on_fork
        self._by_key: dict[bytes, Oplog] = {}
        self._changed = trio.Event()

    async def wait_changed(self) -> None:
        """Return when oplogs were opened, closed, or compared with the index."""
        await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def __iter__(self) -> Iterator[Oplog]:
        return iter(sorted(self._by_key.values(), key=lambda oplog: oplog.key))

    def __len__(self) -> int:
        return len(self._by_key)

    def find(self, key: bytes) -> Oplog | None:
        """The oplog of a key, if it is open here."""
        return self._by_key.get(key)

    async def open(self, key: bytes) -> Oplog:
        """The oplog of a key, opened when it was not."""
        oplog = self._by_key.get(key)
        if oplog is None:
            core = await self._store.get(key=key, allow_truncation=False)
            oplog = self._by_key.get(key)
            # Another task may have opened it meanwhile; both must see one object.
            if oplog is None:
                oplog = self._by_key[key] = Oplog(core)
                if core.heads is not None and self._on_fork is not None:
                    core.heads.on_proof(self._on_fork)
                self._change()
        return oplog

    def close(self, key: bytes) -> None:
        """Forget an oplog that is no participant."""
        self._by_key.pop(key, None)
        self._change()

    async def refresh(self, index: Index) -> list[Oplog]:
        """Take over the participants that the index lists; returns those that became active."""
        listed = await index.participants()
        activated = []
        for key, active in sorted(listed.items()):
            oplog = await self.open(key)
            if active and not oplog.active:
                activated.append(oplog)
            oplog.active = active
        for key, oplog in self._by_key.items():
            if key not in listed:
                oplog.active = False
        self._change()
        return activated
