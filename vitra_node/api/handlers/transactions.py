"""Transactions this node published."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import trio

from protocol.encoding.msgpack import same_value, unpack_untrusted
from protocol.transparency.frauds import CannotTell, Violated

from ...errors import NetworkProblem, NotFound
from ...nursery import open_owned_nursery
from ..control.parameters import Number
from ..session import Session
from ..shapes import processed_shape, transaction_shape

if TYPE_CHECKING:
    from ...transactions import Transaction

# How long peers have for an operation of ours that is missing here, as after a restored backup.
FETCH_SECONDS = 15.0

# What a node that serves is given to connect, or to connect again, before a caller is told that
# nobody is there. The second and third try to connect to a peer come within it.
REACH_SECONDS = 3.0


async def list_(session: Session) -> list[dict[str, Any]]:
    """All transactions that this directory keeps, oldest first."""
    return [await transaction_shape(item) for item in await session.database.transactions()]


async def show(session: Session, *, tx: str) -> dict[str, Any]:
    """One transaction, with ``results`` when all of it was executed."""
    transaction = await find(session, tx)
    if await transaction.is_processed():
        return await processed_shape(transaction)
    return await transaction_shape(transaction)


async def wait(session: Session, *, tx: str, wait_seconds: Number | None = None) -> dict[str, Any]:
    """The same as ``tx.show``, once every operation was executed; NetworkProblem if too late."""
    return await processed_in_time(session, await find(session, tx), wait_seconds)


async def verify(session: Session, *, tx: str) -> dict[str, Any]:
    """Replay the operations of one transaction; few blocks are needed, and fetched, for that.

    ``violated`` here comes without a proof; ``audit.verify`` makes one.
    """
    transaction = await find(session, tx)
    shape = {"tx": tx, "operations": len(transaction.operations)}
    for operation in transaction.operations:
        core = session.oplog(operation.oplog).core
        block = await core.get(operation.seq, timeout=FETCH_SECONDS)
        if not same_value(unpack_untrusted(block), operation.value):
            reason = f"operation {operation.seq} stands in the log as another one"
            return {**shape, "verdict": "violated", "reason": reason}
    verdict = await session.database.verify_transaction(transaction)
    if isinstance(verdict, Violated):
        violation = verdict.violation
        reason = violation.reason
        return {**shape, "verdict": "violated", "code": str(violation.code), "reason": reason}
    if isinstance(verdict, CannotTell):
        return {**shape, "verdict": "cannot tell", "reason": verdict.reason}
    return {**shape, "verdict": "verified"}


async def prove(session: Session, *, tx: str) -> dict[str, Any]:
    """Proofs of the results of a transaction, one for each operation, for anyone to check."""
    transaction = await find(session, tx)
    proofs = await session.database.prove_transaction(transaction)
    return {"tx": tx, "proofs": [json.loads(proof.to_json()) for proof in proofs]}


async def find(session: Session, tx: str) -> Transaction:
    """A stored transaction by its id; NotFound when there is none."""
    transaction = await session.database.transaction(tx)
    if transaction is None:
        raise NotFound(f"There is no transaction {tx} here.", advice="See all with `vitra tx ls`.")
    return transaction


async def processed_in_time(
    session: Session, transaction: Transaction, seconds: float | None
) -> dict[str, Any]:
    """The transaction with its results, once they are there.

    Raises:
      NetworkProblem: after ``seconds``, or as soon as it is known that no executor is in reach.
    """
    lost: list[str] = []
    with trio.move_on_after(math.inf if seconds is None else seconds):
        async with open_owned_nursery() as nursery:

            async def watch() -> None:
                lost.append(await _out_of_reach(session))
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            return await processed_shape(transaction)
    unchanged = "Its operations are published and stay so."
    later = f"wait with `vitra tx show --wait {transaction.id}`."
    if lost:
        raise NetworkProblem(
            f"No executor is in reach: {lost[0].rstrip('.')}. Transaction {transaction.id} is not "
            "executed yet.",
            unchanged=unchanged,
            advice=f"Do not call again; see `vitra doctor`, connect to a peer, then {later}",
            tx=transaction.id,
        )
    fault = session.database.executor_fault
    raise NetworkProblem(
        f"The executor has not executed transaction {transaction.id} within {seconds:g} seconds"
        f"{f': {fault}' if fault else ''}.",
        unchanged=unchanged,
        advice=f"Do not call again; {later}",
        tx=transaction.id,
    )


async def _out_of_reach(session: Session) -> str:
    """Return when it is known that no executor is in reach, and why.

    A node may be about to connect, and is given the time for it. A command without one has made
    its connections before.
    """
    database = session.database
    while True:
        patience = 0 if session.node is None else REACH_SECONDS
        with trio.move_on_after(patience):
            await database.index.core.wait_for_activity()
            continue
        reason = database.out_of_reach
        if reason is not None:
            return reason
        await database.index.core.wait_for_activity()
