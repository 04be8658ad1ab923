"""A database on several nodes, connected over TCP on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.contract_sources import COUNTER, MEMBERS
from vitra_node.database import Database
from vitra_node.frauds import ContractFraudProof
from vitra_node.net.errors import ConnectionFailed
from vitra_node.roles.monitor import Validated, ViolationFound


async def test_a_participant_elsewhere_publishes_and_a_monitor_elsewhere_verifies(
    tmp_path: Path,
) -> None:
    with trio.fail_after(60):
        async with (
            Database.create(tmp_path / "executor", contract=MEMBERS) as executor,
            Database.load(tmp_path / "participant", executor.key) as participant,
            Database.load(None, executor.key) as watcher,
        ):
            address = await executor.listen("127.0.0.1", 0)
            await participant.connect(*address)
            await participant.sync()
            oplog = await participant.create_oplog()
            await executor.call("admit", {"key": oplog.key.hex()})
            while not oplog.active:
                await participant.index.core.wait_for_length(participant.index.length + 1)
                await trio.testing.wait_all_tasks_blocked()
            transaction = await participant.call("put", {"path": "/greeting", "value": "hello"})
            await transaction.when_processed()
            entry = await participant.index.get("/greeting")
            assert entry is not None
            assert entry.value == "hello"
            assert await transaction.stage() == "replicated"

            await watcher.connect(*address)
            async with watcher.monitor() as monitor:
                async for event in monitor:
                    assert isinstance(event, Validated)
                    if event.operations == 2:
                        break
                change = {"type": "put", "path": "/greeting", "value": "bye"}
                await executor.index.dangerous_batch([change])
                found = await anext(monitor)
                assert isinstance(found, ViolationFound)
            with pytest.raises(ContractFraudProof):
                await participant.verify()


async def test_a_lost_connection_is_made_again(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with Database.load(tmp_path / "reader", bytes(32)):
            pass
        async with Database.create(tmp_path / "executor", contract=COUNTER) as executor:
            key = executor.key
            _, port = await executor.listen("127.0.0.1", 0)
            async with Database.load(None, key) as reader:
                await reader.connect("127.0.0.1", port)
                await reader.index.core.wait_for_length(4)
                for connection in list(executor.connections.live):
                    connection.close()
                await (await executor.call("increment")).when_processed()
                await reader.index.core.wait_for_length(6)


async def test_nobody_there_is_said_at_once() -> None:
    async with Database.load(None, bytes(32)) as reader:
        with pytest.raises(ConnectionFailed, match="cannot be reached"):
            await reader.connect("127.0.0.1", 1)


async def test_fetching_everything_does_not_wait_for_oplogs_that_are_empty() -> None:
    with trio.fail_after(60):
        async with Database.create(None, contract=COUNTER, participants=[bytes(32)]) as executor:
            host, port = await executor.listen("127.0.0.1", 0)
            await (await executor.call("increment")).when_processed()
            async with Database.load(None, executor.key) as reader:
                await reader.connect(host, port)
                await reader.sync(full=True)
                lengths = {oplog.key: oplog.length for oplog in reader.oplogs}
                assert executor.local_oplog is not None
                assert lengths == {bytes(32): 0, executor.local_oplog.key: 1}
