"""The oplogs of a database: which there are according to its index, and each as a log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocol.hypercore.events import ForkObserved

from ..storage.corestore import Corestore
from ..storage.hypercore import Hypercore
from .index import Index


@dataclass
class Oplog:
    """One participant's log of operations.

    Attributes:
      core: the log itself.
      active: whether the index lists it as a participant now.
      forked: whether its writer was seen to sign two histories.
    """

    core: Hypercore
    active: bool = False
    forked: bool = False

    def __post_init__(self) -> None:
        self.core.on_fork(self._on_fork)

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

    def _on_fork(self, fork: ForkObserved) -> None:
        # A claim without a signed head is nobody's guilt.
        self.forked = self.forked or fork.head is not None


class OplogSet:
    """The oplogs that this node has open, kept in step with the index by ``refresh``."""

    def __init__(self, store: Corestore) -> None:
        self._store = store
        self._by_key: dict[bytes, Oplog] = {}

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
            # Another task may have opened it meanwhile; both must see one object.
            oplog = self._by_key.setdefault(key, Oplog(core))
        return oplog

    def close(self, key: bytes) -> None:
        """Forget an oplog that is no participant."""
        self._by_key.pop(key, None)

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
        return activated
