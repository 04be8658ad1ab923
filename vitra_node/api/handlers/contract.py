"""The contract: its source, its methods, and calling them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from protocol.encoding.paths import ACKS_PREFIX, CONTRACT_SOURCE, format_key

from ...errors import NotFound
from ..control.parameters import AnyJson, Count, Number
from ..session import Session
from ..shapes import transaction_shape
from .transactions import processed_in_time

if TYPE_CHECKING:
    from ...ledger.index import Index
    from ...transactions import Transaction

# A command without a node ends when its operations are executed, or after this time: they are
# published either way, and go out at the next start.
SETTLE_SECONDS = 5.0


SOURCE_PATH = format_key(CONTRACT_SOURCE)
ACKS = format_key(ACKS_PREFIX)


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
        await settle(session, transaction)
        return await transaction_shape(transaction)
    return await processed_in_time(session, transaction, wait_seconds)


async def settle(session: Session, transaction: Transaction) -> None:
    """Give the operations the time to leave, where the database closes after this one command."""
    database = session.database
    if session.node is None and (database.is_executor or database.peers):
        with trio.move_on_after(SETTLE_SECONDS):
            await transaction.when_processed()


async def source(session: Session, *, seq: Count | None = None) -> dict[str, Any]:
    """The source of the contract in force, or the one that index block ``seq`` set."""
    if seq is None:
        return {"source": await session.database.contract_source()}
    session.require_data()
    async for entry in session.database.index.history(start=seq, end=seq + 1):
        if entry.path == SOURCE_PATH and isinstance(entry.value, str):
            return {"source": entry.value}
    raise NotFound(
        f"Index block {seq} sets no contract source.",
        advice="Ask contract.versions for those that do.",
    )


async def versions(session: Session) -> list[dict[str, Any]]:
    """The index blocks that set a contract source, oldest first; the last one is in force."""
    session.require_data()
    index = session.database.index
    found: list[dict[str, Any]] = []
    before: int | None = index.length
    while before is not None:
        entry = await index.checkout(before).get_key(CONTRACT_SOURCE)
        if entry is None:
            break
        text = entry.value if isinstance(entry.value, str) else ""
        found.append({"seq": entry.seq, "chars": len(text)})
        before = await _begin_of_operation(index, entry.seq)
    return found[::-1]


async def _begin_of_operation(index: Index, seq: int) -> int | None:
    """The ack of the operation that wrote a block; None when that is the genesis.

    Between the two, the index cannot be checked out: an operation is one batch of the bee.
    """
    async for entry in index.history(end=seq, reverse=True):
        if entry.path.startswith(ACKS):
            return entry.seq
    return None


async def methods(session: Session) -> list[dict[str, Any]]:
    """The methods that can be called, with the names of their parameters."""
    return [
        {"name": method.name, "params": list(method.params)}
        for method in await session.database.methods()
    ]
