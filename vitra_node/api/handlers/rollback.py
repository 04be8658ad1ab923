"""Going back to an earlier contract source, by the votes of participants."""

from __future__ import annotations

from typing import Any

from ...transactions import Transaction
from ..control.parameters import Count, Number
from ..session import Session
from ..shapes import transaction_shape
from .contract import settle
from .transactions import processed_in_time


async def rollback(
    session: Session, *, to: Count, wait: bool = False, wait_seconds: Number | None = None
) -> dict[str, Any]:
    """Vote for the contract source that index block ``to`` set; answers like ``contract.call``."""
    return await _published(session, await session.database.rollback(to), wait, wait_seconds)


async def withdraw(
    session: Session, *, wait: bool = False, wait_seconds: Number | None = None
) -> dict[str, Any]:
    """Take the vote of this node's oplog back; answers like ``contract.call``."""
    return await _published(session, await session.database.rollback(None), wait, wait_seconds)


async def votes(session: Session) -> dict[str, Any]:
    """The votes against the source in force, and how many oplogs have a say."""
    session.require_data()
    database = session.database
    cast = await database.rollback_votes()
    active = {key for key, counts in (await database.index.participants()).items() if counts}
    return {
        "active": len(active),
        "votes": [
            {"oplog": key.hex(), "to": target, "counts": key in active}
            for key, target in sorted(cast.items())
        ],
    }


async def _published(
    session: Session, transaction: Transaction, wait: bool, wait_seconds: float | None
) -> dict[str, Any]:
    if wait:
        return await processed_in_time(session, transaction, wait_seconds)
    await settle(session, transaction)
    return await transaction_shape(transaction)
