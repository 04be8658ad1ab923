"""A broken contract and the participants that bring the old one back, on real nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from protocol.encoding.msgpack import pack
from protocol.encoding.paths import CONTRACT_SOURCE
from protocol.transparency import rollback as rules
from tests.cli.processes import vitra
from tests.contract_sources import MEMBERS
from vitra_node.contracts.engine import ApplyRequest, ApplyResult, Host
from vitra_node.contracts.errors import HostFault
from vitra_node.database import Database
from vitra_node.errors import NotAllowed, NotFound
from vitra_node.frauds import ContractFraudProof
from vitra_node.ledger.contract_runner import ContractRunner
from vitra_node.roles.monitor import Validated, ViolationFound
from vitra_node.transactions import Transaction

BROKEN = """
export function put ({ path, value }, emit) { emit({ op: 'PUT', path, value }) }
export function hang (params, emit) { emit({ op: 'HANG' }) }
export const apply = {
  PUT () { undefined.nothing() },
  HANG () {}
}
"""
GENESIS_SOURCE = 1


@asynccontextmanager
async def three_participants(directory: Path) -> AsyncIterator[list[Database]]:
    """The executor and two others, all of them participants, and a contract that broke."""
    async with AsyncExitStack() as stack:
        executor = await stack.enter_async_context(
            Database.create(directory / "0", contract=MEMBERS)
        )
        address = await executor.listen("127.0.0.1", 0)
        nodes = [executor]
        for number in (1, 2):
            node = await stack.enter_async_context(
                Database.load(directory / str(number), executor.key)
            )
            await node.connect(*address)
            await node.sync()
            oplog = await node.create_oplog()
            await done(await executor.call("admit", {"key": oplog.key.hex()}))
            nodes.append(node)
        await done(await executor.call("put", {"path": "/a", "value": 1}))
        await done(await executor.call("upgrade", {"code": BROKEN}))
        for node in nodes[1:]:
            await seen(node, executor.index.length)
            while not node.is_participant:
                await trio.lowlevel.checkpoint()
        yield nodes


async def done(transaction: Transaction) -> Transaction:
    await transaction.when_processed()
    return transaction


async def seen(node: Database, length: int) -> None:
    await node.index.core.wait_for_length(length)


async def test_two_of_three_bring_the_old_contract_back_and_monitors_agree(tmp_path: Path) -> None:
    with trio.fail_after(90):
        async with three_participants(tmp_path) as (executor, first, second):
            async with Database.load(None, executor.key) as watcher:
                await watcher.connect(*await executor.listen("127.0.0.1", 0))
                [refused] = await (await first.call("put", {"path": "/b", "value": 2})).results()
                assert refused.ack["success"] is False
                await done(await first.rollback(GENESIS_SOURCE))
                assert first.local_oplog is not None
                await seen(executor, first.index.length)
                assert await executor.rollback_votes() == {first.local_oplog.key: GENESIS_SOURCE}
                assert await executor.contract_source() == BROKEN
                vote = await done(await second.rollback(GENESIS_SOURCE))
                [result] = await vote.results()
                assert result.changes[0].path == "/.sys/contract/source"
                assert result.ack["runtime"]
                assert await executor.contract_source() == MEMBERS
                assert await executor.rollback_votes() == {}
                await seen(first, executor.index.length)
                [after] = await (await first.call("put", {"path": "/b", "value": 3})).results()
                assert after.ack["success"] is True
                async with watcher.monitor() as events:
                    async for event in events:
                        assert isinstance(event, Validated), event
                        if event.index_length == executor.index.length:
                            break
            for node in (executor, first):
                report = await node.verify()
                assert report.verdict == "verified", report.reason


async def test_one_of_three_is_not_enough_and_may_take_it_back(tmp_path: Path) -> None:
    with trio.fail_after(90):
        async with three_participants(tmp_path) as (executor, first, _):
            await done(await first.rollback(GENESIS_SOURCE))
            await done(await first.rollback(GENESIS_SOURCE))
            assert await executor.contract_source() == BROKEN
            await done(await first.rollback(None))
            assert await executor.rollback_votes() == {}
            await done(await executor.rollback(GENESIS_SOURCE))
            assert await executor.contract_source() == BROKEN
            assert (await executor.verify()).verdict == "verified"


async def test_an_executor_that_goes_back_without_a_majority_is_convicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs the same program, but counts the votes its own way."""
    honest = rules.settle_rollback

    def lenient(*arguments: object) -> object:
        outcome = honest(*arguments)  # type: ignore[arg-type]
        source = arguments[2]
        assert isinstance(source, bytes)
        return replace(outcome, writes=((CONTRACT_SOURCE, source), *outcome.writes))

    with trio.fail_after(90):
        async with three_participants(tmp_path) as (executor, first, _):
            monkeypatch.setattr("vitra_node.roles.executor.settle_rollback", lenient)
            async with first.monitor() as events:
                await done(await first.rollback(GENESIS_SOURCE))
                assert await executor.contract_source() == MEMBERS
                async for event in events:
                    if isinstance(event, ViolationFound):
                        break
                    assert isinstance(event, Validated)
            with pytest.raises(ContractFraudProof) as caught:
                await first.verify()
            assert caught.value.code == "ChangeNotProducedByMonitor"
            assert caught.value.proof.violation.actual == (CONTRACT_SOURCE, pack(MEMBERS))
            assert caught.value.file is not None
            # A stranger counts the votes from nothing but the file.
            key = executor.key.hex()
            checked = await trio.to_thread.run_sync(
                vitra, tmp_path, "proof", "check", str(caught.value.file), "--key", key
            )
            assert checked.code == 20, checked


async def test_an_operation_that_the_machine_cannot_run_does_not_hold_up_the_votes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = ContractRunner.apply

    async def apply(
        self: ContractRunner, source: str, requests: Sequence[ApplyRequest], host: Host
    ) -> list[ApplyResult]:
        """A machine with too little memory for one operation of the broken contract."""
        if source == BROKEN and any(request.op == {"op": "HANG"} for request in requests):
            raise HostFault("the worker was killed.")
        return await honest(self, source, requests, host)

    monkeypatch.setattr(ContractRunner, "apply", apply)
    with trio.fail_after(90):
        async with three_participants(tmp_path) as (executor, first, second):
            hanging = await first.call("hang")
            await done(await executor.rollback(GENESIS_SOURCE))
            while executor.executor_fault is None:
                await executor.index.core.wait_for_activity()
            assert "could not be run" in executor.executor_fault
            await done(await second.rollback(GENESIS_SOURCE))
            # The old contract does not know the operation: it fails, and nothing is held up.
            [result] = await hanging.results()
            assert result.ack["success"] is False
            assert executor.executor_fault is None
            assert (await executor.verify()).verdict == "verified"


async def test_what_cannot_be_voted_for(tmp_path: Path) -> None:
    async with Database.create(tmp_path, contract=MEMBERS) as database:
        with pytest.raises(NotAllowed, match="in force"):
            await database.rollback(GENESIS_SOURCE)
        for block in (0, 2, 1000):
            with pytest.raises(NotFound):
                await database.rollback(block)
        assert database.local_oplog is not None
        assert database.local_oplog.length == 0
