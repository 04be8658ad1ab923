"""The contract: its source, its methods, and calling them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from ..parameters import AnyJson, Number
from ..session import Session
from ..shapes import transaction_shape
from .transactions import processed_in_time

if TYPE_CHECKING:
    from ...transactions import Transaction

# A command without a node ends when its operations are executed, or after this time: they are
# published either way, and go out at the next start.
SETTLE_SECONDS = 5.0


async def call(
    session: Session,
    *,
    method: str,
    params: AnyJson = None,
    wait: bool = False,
    wait_seconds: Number | None = None,
) -> dict[str, Any]:
    """Call a method of the contract and publish the operations it emits.

    With ``wait`` the answer comes when the executor has executed them, and holds ``results``;
    after ``wait_seconds`` without that, it fails with NetworkProblem.
    """
    transaction = await session.database.call(method, params)
    if not wait:
        await _settle(session, transaction)
        return await transaction_shape(transaction)
    return await processed_in_time(session, transaction, wait_seconds)


async def _settle(session: Session, transaction: Transaction) -> None:
    """Give the operations the time to leave, where the database closes after this one command."""
    database = session.database
    if session.node is None and (database.is_executor or database.peers):
        with trio.move_on_after(SETTLE_SECONDS):
            await transaction.when_processed()


async def source(session: Session) -> dict[str, Any]:
    """The source of the contract that is in force."""
    return {"source": await session.database.contract_source()}


async def methods(session: Session) -> list[dict[str, Any]]:
    """The methods that can be called, with the names of their parameters."""
    return [
        {"name": method.name, "params": list(method.params)}
        for method in await session.database.methods()
    ]
