"""The history of the index and of the oplogs, block by block."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from protocol.encoding.msgpack import unpack_untrusted
from protocol.hypercore.merkle.prover import CannotProve
from protocol.transparency.proofs.consistency import prove_consistency
from protocol.transparency.proofs.inclusion import prove_inclusion

from ...errors import CannotTellYet, NotFound
from ...key_text import parse_key
from ..control.parameters import Count
from ..json_values import to_json
from ..session import Session
from ..shapes import history_shape

if TYPE_CHECKING:
    from ...ledger.oplogs import Oplog

# How long peers have for a block that is missing here.
FETCH_SECONDS = 15.0

INDEX = "index"
LOCAL = "local"


@asynccontextmanager
async def history(
    session: Session,
    *,
    log: str = INDEX,
    start: Count = 0,
    end: Count | None = None,
    reverse: bool = False,
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The blocks of a log, oldest first: of the index (puts and deletions), or of an oplog.

    ``log`` is ``index``, ``local`` for this node's oplog, or a key.
    """
    oplog = _find(session, log)
    if oplog is None:
        events = _index_history(session, start, end, reverse)
    else:
        events = _oplog_history(oplog, start, end, reverse)
    async with aclosing(events):
        yield events


async def prove(session: Session, *, log: str = INDEX, seq: Count) -> dict[str, Any]:
    """A proof that a block stands in a log, up to a signed head; anyone can check it offline.

    ``log`` as for ``log.history``. A block that is not here is asked of the peers.
    """
    session.require_data()
    oplog = _find(session, log)
    core = session.database.index.core if oplog is None else oplog.core
    if seq >= core.length:
        raise NotFound(
            f"The log has no block {seq}; it has {core.length}.", unchanged="Nothing was changed."
        )
    await core.get(seq, timeout=FETCH_SECONDS)
    proof: dict[str, Any] = json.loads(prove_inclusion(core.storage, seq).to_json())
    return proof


async def consistency(session: Session, *, log: str = INDEX, start: Count) -> dict[str, Any]:
    """A proof that a log only grew since it had ``start`` blocks; anyone can check it offline.

    ``log`` as for ``log.history``. What is not here of the tree is asked of the peers.
    """
    session.require_data()
    oplog = _find(session, log)
    core = session.database.index.core if oplog is None else oplog.core
    if not 0 < start < core.length:
        raise NotFound(
            f"The log has {core.length} blocks, and did not grow since it had {start}."
            if start
            else "Every log begins with no block; nothing is to be proven of that.",
            advice=f"Name a length from 1 to {core.length - 1}." if core.length > 1 else "",
        )
    try:
        proof = prove_consistency(core.storage, start)
    except CannotProve:
        # The way up from this block passes by all nodes that are needed.
        await core.get(start - 1, timeout=FETCH_SECONDS)
        try:
            proof = prove_consistency(core.storage, start)
        except CannotProve as error:
            raise CannotTellYet(f"The proof cannot be made here: {error}.") from error
    shown: dict[str, Any] = json.loads(proof.to_json())
    return shown


async def _index_history(
    session: Session, start: int, end: int | None, reverse: bool
) -> AsyncGenerator[dict[str, Any], None]:
    async for entry in session.database.index.history(start=start, end=end, reverse=reverse):
        yield history_shape(entry)


async def _oplog_history(
    oplog: Oplog, start: int, end: int | None, reverse: bool
) -> AsyncGenerator[dict[str, Any], None]:
    stop = oplog.length if end is None else min(end, oplog.length)
    numbers = range(start, stop)
    for seq in reversed(numbers) if reverse else numbers:
        value = unpack_untrusted(await oplog.core.get(seq, timeout=FETCH_SECONDS))
        yield {"seq": seq, "type": "op", "value": to_json(value)}


def _find(session: Session, log: str) -> Oplog | None:
    """The oplog that is meant, or None for the index."""
    database = session.database
    if log == INDEX:
        return None
    if log == LOCAL:
        if database.local_oplog is None:
            raise NotFound(
                "This directory has no oplog of its own.", advice="Make one with `vitra oplog new`."
            )
        return database.local_oplog
    key = parse_key(log)
    if key == database.key:
        return None
    return session.oplog(key)
