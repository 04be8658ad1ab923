"""Participants who try to have an honest executor accused: it never is, and they are named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from protocol.encoding.paths import ack_key
from protocol.transparency.frauds import ContractFraudProof, Violation, ViolationCode
from protocol.transparency.proofs.evidence import Evidence
from protocol.transparency.proofs.extract import extract_blocks
from simulations.actors.two_faced_writer import TwoFacedWriter
from tests.contract_sources import MEMBERS
from vitra_node import frauds
from vitra_node.database import Database
from vitra_node.ledger.contract_runner import ContractRunner
from vitra_node.ledger.index_view import IndexView
from vitra_node.log_frauds import LogForkFraudProof
from vitra_node.roles import stored_operations
from vitra_node.roles.auditor import Auditor
from vitra_node.roles.evidence import RecordedCore
from vitra_node.roles.monitor import ForkFound, Monitor, Undecided, Validated
from vitra_node.roles.proof_check import check_contract_fraud
from vitra_node.roles.stored_operations import StoredOperations

from .mirrors import connected, mirror_of

SECONDS = 60


def put(value: object) -> dict[str, Any]:
    """An operation of the contract ``MEMBERS``."""
    return {"op": "PUT", "path": "/a", "value": value}


# What the executor is shown, what the monitor is shown.
HISTORIES = {
    "another operation": ([put(1)], [put("x")]),
    "a longer one": ([put(1)], [put("x"), put(2), put(3)]),
    "a shorter one, signed again": ([put(1), put(2), put(3)], [put("x")]),
    "another end": ([put(1), put(2)], [put(1), put("x")]),
    "the same operation behind another": ([put(1), put(2)], [put("x"), put(2)]),
}


@dataclass
class Scene:
    """An honest executor that executed all it was shown, and who tries to frame it."""

    executor: Database
    framer: TwoFacedWriter
    monitor: Database
    executed: int


@asynccontextmanager
async def scene(shown: list[dict[str, object]]) -> AsyncIterator[Scene]:
    with trio.fail_after(SECONDS):
        async with (
            Database.create(None, contract=MEMBERS) as executor,
            Database.load(None, executor.key) as monitor,
        ):
            framer = TwoFacedWriter()
            await (await executor.call("admit", {"key": framer.key.hex()})).when_processed()
            async with framer.history(shown) as face, connected(executor.store, face):
                await executed(executor, framer.key, len(shown))
            yield Scene(executor, framer, monitor, 1 + len(shown))


def of_executor(executor: Database) -> list[bytes]:
    """The logs that the executor writes: index and oplog."""
    assert executor.local_oplog is not None
    return [executor.key, executor.local_oplog.key]


async def executed(executor: Database, key: bytes, operations: int) -> None:
    """Wait until so many operations of an oplog have their acks."""
    while operations:
        length = executor.index.length
        if await executor.index.get_key(ack_key(key, operations - 1)) is not None:
            return
        await executor.index.core.wait_for_length(length + 1)


async def seen(monitor: Monitor, code: str) -> None:
    """Wait for an uncertainty; nothing on the way accuses anybody of a broken contract."""
    async for event in monitor:
        assert isinstance(event, Validated | Undecided | ForkFound), event
        if isinstance(event, Undecided) and event.code == code:
            return
    raise AssertionError("the monitor ended")


async def named(database: Database, key: bytes) -> None:
    """Wait until the writer of an oplog, and nobody else, is known to be at fault."""
    oplog = await database.store.get(key=key, allow_truncation=False)
    while not database.forks:
        await oplog.wait_for_activity()
    [fork] = database.forks
    assert fork.proof.log_key == key
    assert fork.whose == "participant"
    fork.proof.check_untrusted(key)


def accused(database: Database) -> list[frauds.KeptFraud]:
    return [each for each in database.frauds() if isinstance(each, frauds.ContractFraudProof)]


@pytest.mark.parametrize("name", HISTORIES)
async def test_one_that_shows_everybody_something_else(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_operations, "FORK_PATIENCE_SECONDS", 0.5)
    to_executor, to_monitor = HISTORIES[name]
    async with scene(to_executor) as at:
        executor, framer, monitor = at.executor, at.framer, at.monitor
        async with (
            framer.history(to_monitor) as face,
            mirror_of(executor.store, *of_executor(executor)) as mirror,
            connected(mirror, monitor.store),
            connected(face, monitor.store),
        ):
            # The executor is away: who of the two lies, nobody can tell.
            await monitor.index.core.wait_for_length(executor.index.length)
            oplog = await monitor.store.get(key=framer.key, allow_truncation=False)
            await oplog.wait_for_length(len(to_monitor))
            await oplog.download(0, len(to_monitor))
            report = await monitor.verify()
            assert report.verdict == "cannot tell"
            async with monitor.monitor() as events:
                if len(to_monitor) >= len(to_executor):
                    await seen(events, "OperationDisputed")
                # It comes back, with what it was shown.
                async with connected(executor.store, monitor.store):
                    for database in (monitor, executor):
                        await named(database, framer.key)
                    await seen(events, "OplogForked")
        assert accused(monitor) == accused(executor) == []
        for database in (monitor, executor):
            with pytest.raises(LogForkFraudProof) as caught:
                await database.verify()
            assert caught.value.whose == "participant"


async def test_a_proof_made_of_the_other_history_is_worth_nothing(tmp_path: Path) -> None:
    """The file that a framer would hand to strangers: every block in it is signed."""
    async with scene([put(1)]) as at:
        executor, framer = at.executor, at.framer
        core = executor.index.core
        entry = await executor.index.get_key(ack_key(framer.key, 0))
        assert entry is not None
        recorded = RecordedCore(core)
        async with ContractRunner.open(tmp_path) as runner, framer.history([put("x")]) as face:
            operations = StoredOperations(executor._oplogs, 0.0)
            replay = Auditor(IndexView(recorded), operations, runner, read_ahead=1)
            await replay.run_one(entry.seq, core.length)
            oplog = extract_blocks((await framer.log_of(face)).storage, {0})
            evidence = Evidence(entry.seq, extract_blocks(core.storage, recorded.read), (oplog,))
            block = (await framer.log_of(face)).local_block(0)
            assert block is not None
            ack_block = (ack_key(framer.key, 0), entry.value)
            for actual in (None, ack_block):
                violation = Violation(
                    ViolationCode.OPERATION_MISMATCH, "so they say", seq=entry.seq, actual=actual
                )
                claimed = ContractFraudProof(
                    executor.key,
                    core.length,
                    None,
                    violation.at_operation(entry.seq, framer.key, 0, block),
                    evidence,
                )
                verdict = await check_contract_fraud(claimed, runner)
                assert verdict.verdict == "rejected"
                assert "another history" in verdict.reason


async def test_one_that_withholds(tmp_path: Path) -> None:
    """Whoever has the operation may give it: the executor."""
    async with scene([put(1), put(2)]) as at:
        async with (
            mirror_of(at.executor.store, *of_executor(at.executor)) as mirror,
            connected(mirror, at.monitor.store),
        ):
            await at.monitor.index.core.wait_for_length(at.executor.index.length)
            assert (await at.monitor.verify()).verdict == "cannot tell"
        async with (
            connected(at.executor.store, at.monitor.store),
            at.monitor.monitor() as events,
        ):
            async for event in events:
                assert isinstance(event, Validated), event
                if event.operations == at.executed:
                    break
        assert at.monitor.frauds() == []


async def test_one_that_copies_what_another_published() -> None:
    """Nothing keeps it from publishing the same; it is executed as its own."""
    async with scene([]) as at:
        own = at.executor.local_oplog
        assert own is not None
        await (await at.executor.call("put", {"path": "/a", "value": 1})).when_processed()
        copied = [await own.core.get(number) for number in range(own.length)]
        async with at.framer.history([]) as store, connected(store, at.executor.store):
            await (await store.get(key_pair=at.framer.pair)).append(copied)
            await executed(at.executor, at.framer.key, len(copied))
        async with connected(at.executor.store, at.monitor.store):
            await at.monitor.index.core.wait_for_length(at.executor.index.length)
            async with at.monitor.monitor() as events:
                async for event in events:
                    assert isinstance(event, Validated), event
                    if event.operations == 2 + len(copied):
                        break
        assert at.monitor.frauds() == at.executor.frauds() == []
