"""The birth of a database: its first index entries, written once."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.transparency.records import genesis_batch

from ..errors import NotAllowed
from ..storage.corestore import Corestore
from ..storage.log.hypercore import Hypercore
from .index import Index

_INDEX_NAME = "index"


async def create_index(
    store: Corestore, source: str, participants: Sequence[bytes], runtime_id: str
) -> Hypercore:
    """The index log of a new database, with its genesis; durable on return.

    A creation that was cut off behind this point is taken up again by the same call.

    Raises:
      NotAllowed: the store holds the index of another database; it was not changed.
    """
    core = await store.get(name=_INDEX_NAME, allow_truncation=False)
    index = Index(core)
    if core.length == 0:
        async with index.writing() as batches:
            batches.add(genesis_batch(source, participants, runtime_id))
            await batches.append()
    elif await index.contract_source() != source:
        raise NotAllowed(
            f"{store.path} holds the unfinished creation of another database.",
            unchanged="It was not changed.",
            advice="Remove it with `vitra destroy`, or choose another directory.",
        )
    return core
