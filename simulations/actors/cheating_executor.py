"""Executors that cheat: real nodes, real logs and signatures, and one lie each.

A cheat takes the batch that an honest executor would write for an operation (its ack, then its
changes) and gives the batches that are written instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from protocol.crypto.hashes import leaf_hash
from protocol.encoding.msgpack import pack
from protocol.encoding.paths import CONTRACT_SOURCE, ack_key, input_key
from protocol.transparency.changes import Write
from protocol.transparency.records import Ack, Input, decode_ack_untrusted, encode_ack, encode_input
from vitra_node.database import Database
from vitra_node.ledger.index_writer import IndexBatches
from vitra_node.roles.executor import Executor
from vitra_node.world import REAL_WORLD, World

Batch = list[Write]
Cheat = Callable[["CheatingExecutor", Batch], Sequence[Batch]]

CONTRACT = """\
import { index } from 'contract'
export function put ({ entries }, emit) { emit({ op: 'PUT', entries }) }
export function fail ({ text }, emit) { emit({ op: 'FAIL', text }) }
export function upgrade ({ code }, emit) { emit({ op: 'UPGRADE', code }) }
export function admit ({ key }, emit) { emit({ op: 'ADMIT', key }) }
export const apply = {
  async PUT (tx, op) {
    // Reads that the outcome depends on belong to the evidence.
    const count = (await index.get('/count'))?.value ?? 0
    for (const name of Object.keys(op.entries)) tx.put(`/entries/${name}`, op.entries[name])
    tx.put('/count', count + 1)
  },
  FAIL (tx, op) { tx.put('/never', 1); throw new Error(op.text) },
  UPGRADE (tx, op) { tx.setContractSource({ code: op.code }) },
  ADMIT (tx, op) { tx.addOplog({ pubkey: op.key }) }
}
"""
STRANGER = b"\x5a" * 32


class CheatingExecutor(Executor):
    """Executes honestly, then writes what its cheat makes of every operation.

    Attributes:
      cheat: what it does.
      lied_about: which operation is lied about, counted from 1, by cheats that do so once; what
        comes before it stands.
      operations: how many batches it was given so far.
      held: batches that a cheat keeps for later.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.operations = 0
        self.held: list[Batch] = []

    cheat: Cheat
    lied_about = 2

    def _stage(self, batches: Any, *arguments: Any) -> bool:
        return super()._stage(cast(IndexBatches, _Altered(self, batches)), *arguments)


class _Altered:
    """The batches of an index, with a cheat in between."""

    def __init__(self, executor: CheatingExecutor, batches: Any) -> None:
        self._executor = executor
        self._batches = batches

    def has(self, key: bytes) -> bool:
        there: bool = self._batches.has(key)
        return there

    def add(self, writes: Sequence[Write]) -> None:
        self._executor.operations += 1
        for batch in type(self._executor).cheat(self._executor, list(writes)):
            if batch:
                self._batches.add(batch)


def cheating(cheat: Cheat, lied_about: int = CheatingExecutor.lied_about) -> type[Database]:
    """Databases whose executor cheats."""

    class Executing(CheatingExecutor):
        pass

    class Cheating(Database):
        executor_type = Executing

    Executing.cheat = staticmethod(cheat)
    Executing.lied_about = lied_about
    return Cheating


@asynccontextmanager
async def cheating_database(cheat: Cheat, world: World = REAL_WORLD) -> AsyncIterator[Database]:
    """A database in memory whose executor cheats."""
    async with cheating(cheat).create(None, contract=CONTRACT, world=world) as database:
        yield database


@dataclass(frozen=True)
class Case:
    """One cheat.

    Attributes:
      cheat: what the executor does.
      code: the code under which it is found.
    """

    cheat: Cheat
    code: str


def only_then(change: Callable[[CheatingExecutor, Batch], Sequence[Batch]]) -> Cheat:
    """The cheat that does this to one operation and leaves the others alone."""

    def cheat(executor: CheatingExecutor, batch: Batch) -> Sequence[Batch]:
        return change(executor, batch) if executor.operations == executor.lied_about else [batch]

    return cheat


def edited(batch: Batch, **fields: Any) -> Batch:
    """The batch with other fields in its ack."""
    key, value = batch[0]
    ack = replace(ack_of(batch), **fields)
    assert value is not None
    return [(key, encode_ack(ack)), *batch[1:]]


def ack_of(batch: Batch) -> Ack:
    return decode_ack_untrusted(batch[0][1] or b"")


def counted(batch: Batch) -> Batch:
    """The batch with an ack that counts its changes."""
    return edited(batch, num_changes=len(batch) - 1)


def entry(name: str, value: object) -> Write:
    return b"entries\x00" + name.encode(), pack(value)


def in_order(batch: Batch) -> Batch:
    return [batch[0], *sorted(batch[1:])]


def hold_back(executor: CheatingExecutor, batch: Batch) -> Sequence[Batch]:
    if executor.operations == executor.lied_about:
        executor.held.append(batch)
        return []
    held, executor.held = executor.held, []
    return [batch, *held]


def other_oplog(_: CheatingExecutor, batch: Batch) -> Sequence[Batch]:
    ack = replace(ack_of(batch), origin=STRANGER, seq=0)
    return [[(ack_key(STRANGER, 0), encode_ack(ack)), *batch[1:]]]


def false_success(executor: CheatingExecutor, batch: Batch) -> Sequence[Batch]:
    ack = ack_of(batch)
    return [batch if ack.success else edited(batch, success=True, error=None)]


def other_error(executor: CheatingExecutor, batch: Batch) -> Sequence[Batch]:
    ack = ack_of(batch)
    return [batch if ack.success else edited(batch, error="Error: of another kind")]


def other_source(_: CheatingExecutor, batch: Batch) -> Sequence[Batch]:
    code = pack(CONTRACT + "// not what was asked for\n")
    return [[(k, code if k == CONTRACT_SOURCE else value) for k, value in batch]]


def admit_stranger(_: CheatingExecutor, batch: Batch) -> Sequence[Batch]:
    record = (input_key(STRANGER), encode_input(Input(STRANGER, True)))
    return [counted(in_order([*batch, record]))]


CHEATS: dict[str, Case] = {
    "skips an operation": Case(only_then(lambda _, batch: []), "ProcessedOutOfOrder"),
    "reorders operations": Case(hold_back, "ProcessedOutOfOrder"),
    "repeats an operation": Case(only_then(lambda _, batch: [batch, batch]), "ProcessedOutOfOrder"),
    "invents a change": Case(
        only_then(lambda _, batch: [counted(in_order([*batch, entry("zz", 1)]))]),
        "ChangeNotProducedByMonitor",
    ),
    "drops a change": Case(
        only_then(lambda _, batch: [[batch[0], *batch[2:]]]), "ChangeNotProducedByExecutor"
    ),
    "drops the tail, and counts it off": Case(
        only_then(lambda _, batch: [counted(batch[:-1])]), "NumChangesMismatch"
    ),
    "writes another value": Case(
        only_then(lambda _, batch: [[batch[0], (batch[1][0], pack(10_000)), *batch[2:]]]),
        "ChangeMismatch",
    ),
    "writes in another order": Case(
        only_then(lambda _, batch: [[batch[0], *reversed(batch[1:])]]), "ChangesOutOfOrder"
    ),
    "reports another error": Case(other_error, "OutcomeMismatch"),
    "reports a good operation as failed": Case(
        only_then(lambda _, b: [edited(b[:1], success=False, error="Error: no", num_changes=0)]),
        "OutcomeMismatch",
    ),
    "reports a failed operation as good": Case(false_success, "MonitorApplyFailed"),
    "writes unprompted": Case(
        only_then(lambda _, batch: [batch, [entry("mine", 1)]]), "UnexpectedPath"
    ),
    "admits a participant by itself": Case(only_then(admit_stranger), "ChangeNotProducedByMonitor"),
    "executes for a non-participant": Case(only_then(other_oplog), "NonParticipant"),
    "dates an operation back": Case(
        only_then(lambda _, batch: [edited(batch, ts=1)]), "TimestampDecreased"
    ),
    "names another operation": Case(
        only_then(lambda _, batch: [edited(batch, op_hash=leaf_hash(b"another"))]),
        "OperationMismatch",
    ),
    "puts another source in force": Case(other_source, "ChangeMismatch"),
    "breaks the form of an ack": Case(
        only_then(lambda _, batch: [[(batch[0][0], pack({"seq": 1})), *batch[1:]]]),
        "InvalidSchema",
    ),
}
