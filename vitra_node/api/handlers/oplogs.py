"""The participants' logs, and this node's own among them."""

from __future__ import annotations

from typing import Any

from ..control.parameters import Key
from ..session import Session
from ..shapes import oplog_shape


async def list_(session: Session) -> list[dict[str, Any]]:
    """All oplogs: those of the participants, and own ones that are not listed yet."""
    return [oplog_shape(oplog) for oplog in session.database.oplogs]


async def new(session: Session) -> dict[str, Any]:
    """Make an oplog of our own. It counts once the contract or the genesis lists it."""
    return oplog_shape(await session.database.create_oplog())


async def remove(session: Session, *, key: Key) -> dict[str, Any]:
    """Delete an oplog of our own, its key with it."""
    await session.database.delete_oplog(key)
    return {"key": key.hex()}


async def use(session: Session, *, key: Key | None = None) -> dict[str, Any]:
    """Publish through this oplog from now on; null publishes through none."""
    await session.database.set_local_oplog(key)
    return {"key": None if key is None else key.hex()}
