"""The oplogs that a directory can write to, whether or not a database lists them."""

from __future__ import annotations

from ..errors import StoreDamaged
from ..storage.corestore import Corestore
from ..storage.log.hypercore import Hypercore

_NAMESPACE = "oplogs"
TABLE = "own-oplogs"
_NEXT = b"next"
_KEY = b"key/"


class OwnOplogs:
    """Makes and remembers oplogs of this store.

    Names are numbers that are never used twice: a name determines the key pair, and a second life
    of the same key would be a fork.
    """

    def __init__(self, store: Corestore) -> None:
        self._store = store.namespace(_NAMESPACE)
        self._records = store.records
        self._table = store.records.table(TABLE)

    def all(self) -> list[bytes]:
        """Keys of all own oplogs, in order."""
        return [key.removeprefix(_KEY) for key, _ in self._table.items(_KEY, _KEY[:-1] + b"0")]

    async def create(self) -> Hypercore:
        """A new, empty oplog; durable on return."""
        number = int(self._table.get(_NEXT) or b"1")
        core = await self._open(str(number))
        await self._records.write(
            [
                self._table.record(_NEXT, b"%d" % (number + 1)),
                self._table.record(_KEY + core.key, b"%d" % number),
            ]
        )
        return core

    async def open(self, key: bytes) -> Hypercore | None:
        """An own oplog by its key, or None."""
        number = self._table.get(_KEY + key)
        return None if number is None else await self._open(number.decode())

    async def open_or_create(self, key: bytes | None) -> Hypercore:
        """The oplog of a key; without a key the first of our own, made when there is none.

        Raises:
          StoreDamaged: the key is not of an own oplog, though the directory says so.
        """
        for own in [key] if key is not None else self.all()[:1]:
            core = await self.open(own)
            if core is None:
                raise StoreDamaged(f"Oplog {own.hex()} is not in the store.")
            return core
        return await self.create()

    async def forget(self, key: bytes) -> None:
        """Stop treating an oplog as our own; its name is not used again."""
        await self._table.delete(_KEY + key)

    async def _open(self, name: str) -> Hypercore:
        return await self._store.get(name=name, allow_truncation=False)
