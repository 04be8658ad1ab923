"""A database on one node: creating, calling, executing, verifying, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.contract_sources import COUNTER, MEMBERS
from vitra_node.contracts.errors import ContractSyntaxError
from vitra_node.database import Database
from vitra_node.errors import NotAllowed, NotFound, UsageProblem
from vitra_node.frauds import ContractFraudProof
from vitra_node.roles.monitor import Validated, ViolationFound
from vitra_node.storage.errors import StoreInUse
from vitra_node.transactions import Result


@asynccontextmanager
async def sandbox(contract: str) -> AsyncIterator[Database]:
    with trio.fail_after(60):
        async with Database.sandbox(contract=contract) as database:
            yield database


async def call(database: Database, method: str, **params: Any) -> list[Result]:
    transaction = await database.call(method, params)
    return await transaction.results()


async def verified(database: Database) -> int:
    report = await database.verify()
    assert report.verdict == "verified", report.reason
    assert report.index_length == database.index.length
    return report.operations


async def test_the_story_of_the_counter(tmp_path: Path) -> None:
    async with Database.create(tmp_path, contract=COUNTER) as database:
        assert database.is_executor
        assert database.is_participant
        assert (await database.call("get")).response == 0
        transaction = await database.call("increment", {"amount": 2})
        assert transaction.operations[0].value == {"op": "INCREMENT", "amount": 2}
        [result] = await transaction.results()
        assert result.ack["success"] is True
        assert [(c.type, c.path, c.value) for c in result.changes] == [("put", "/counter", 2)]
        assert await transaction.stage() == "committed"
        assert (await database.call("get")).response == 2
        assert await verified(database) == 1
        assert [method.name for method in await database.methods()] == ["get", "increment"]
        key = database.key
    async with Database.load(tmp_path) as database:
        assert database.key == key
        assert (await database.call("get")).response == 2
        await call(database, "increment")
        assert await verified(database) == 2
        [first, second] = await database.transactions()
        assert first == transaction
        assert await database.transaction(second.id or "") == second


async def test_an_operation_can_fail_do_nothing_or_delete_and_no_one_is_accused() -> None:
    async with sandbox(MEMBERS) as database:
        [failed] = await call(database, "fail", text="no")
        assert failed.ack["success"] is False
        assert "no" in failed.ack["error"]
        assert failed.changes == []
        [empty] = await call(database, "nothing")
        assert (empty.ack["success"], empty.changes) == (True, [])
        await call(database, "put", path="/a", value={"x": [1, None, "ä", True]})
        [deleted] = await call(database, "del", path="/a")
        assert [(c.type, c.path) for c in deleted.changes] == [("del", "/a")]
        [absent] = await call(database, "del", path="/a")
        assert (absent.ack["success"], absent.changes) == (True, [])
        [kept] = await call(database, "keep")
        assert kept.changes[0].value["seq"] == kept.operation.seq
        assert await verified(database) == 6


@pytest.mark.parametrize(
    "path", ["", "a", "//a", "/a/", "/a//b", "/a\0b", "/.sys", "/.sys/x", "//.sys/x", "/.sys\0x"]
)
async def test_no_path_leads_out_of_what_a_contract_may_write(path: str) -> None:
    async with sandbox(MEMBERS) as database:
        [result] = await call(database, "put", path=path, value=1)
        assert result.ack["success"] is False
        assert result.changes == []
        assert await verified(database) == 1


async def test_changes_stand_in_the_order_of_their_bytes() -> None:
    source = """
    export function go (_, emit) { emit({}) }
    export function apply (tx) {
      for (const name of ['z', 'ä', 'B', 'a', '_']) tx.put('/' + name, 1)
    }
    """
    async with sandbox(source) as database:
        [result] = await call(database, "go")
        assert [change.path for change in result.changes] == ["/B", "/_", "/a", "/z", "/ä"]
        assert await verified(database) == 1


async def test_members_come_and_go_through_the_contract() -> None:
    async with sandbox(MEMBERS) as database:
        first = database.local_oplog
        second = await database.create_oplog()
        assert first is not None
        await database.set_local_oplog(second.key)
        with pytest.raises(NotAllowed, match="no participant"):
            await database.call("nothing")
        await database.set_local_oplog(first.key)
        await call(database, "admit", key=second.key.hex())
        await database.set_local_oplog(second.key)
        await call(database, "nothing")
        await call(database, "dismiss", key=first.key.hex())
        await database.set_local_oplog(first.key)
        with pytest.raises(NotAllowed, match="no participant"):
            await database.call("nothing")
        assert await verified(database) == 3
        # Its own next operation counts again once it is back.
        await database.set_local_oplog(second.key)
        await call(database, "admit", key=first.key.hex())
        await database.set_local_oplog(first.key)
        await call(database, "nothing")
        assert await verified(database) == 5


async def test_a_contract_can_be_replaced_and_a_broken_one_cannot_come_in() -> None:
    async with sandbox(MEMBERS) as database:
        [refused] = await call(database, "upgrade", code="export const apply = {")
        assert refused.ack["success"] is False
        assert "refused" in refused.ack["error"]
        [done] = await call(database, "upgrade", code=COUNTER)
        assert done.ack["runtime"]
        await call(database, "increment", amount=5)
        assert (await database.call("get")).response == 5
        with pytest.raises(NotFound, match="no method"):
            await database.call("nothing")
        assert await verified(database) == 3


async def test_many_calls_at_once_are_executed_in_their_order() -> None:
    async with sandbox(COUNTER) as database:
        async with trio.open_nursery() as nursery:
            for _ in range(300):
                nursery.start_soon(database.call, "increment", {"amount": 1})
        [last] = await call(database, "increment")
        assert last.changes[0].value == 301
        assert await verified(database) == 301


async def test_a_write_behind_the_contracts_back_is_found_and_kept(tmp_path: Path) -> None:
    async with Database.create(tmp_path, contract=COUNTER) as database:
        await call(database, "increment", amount=7)
        async with database.monitor() as monitor:
            assert await anext(monitor) == Validated((), 0, 4)
            event = await anext(monitor)
            assert isinstance(event, Validated)
            assert (event.operations, event.index_length) == (1, 6)
            await database.index.dangerous_batch([{"type": "put", "path": "/counter", "value": 1}])
            found = await anext(monitor)
            assert isinstance(found, ViolationFound)
            with pytest.raises(StopAsyncIteration):
                await anext(monitor)
        with pytest.raises(ContractFraudProof) as caught:
            await database.verify()
        assert caught.value.code == "UnexpectedPath"
        assert [fraud.id for fraud in database.frauds()] == [found.proof.id]
        assert found.proof.file is not None
        assert found.proof.file.stat().st_mode & 0o777 == 0o600
        # The executor goes on, and its crime stays.
        await call(database, "increment", amount=1)
        with pytest.raises(ContractFraudProof):
            await database.verify()


@pytest.mark.parametrize("method", ["apply", "process", "none", "toString", "__proto__"])
async def test_what_cannot_be_called(method: str) -> None:
    async with sandbox(COUNTER) as database:
        with pytest.raises((NotAllowed, NotFound)):
            await database.call(method)
        assert database.local_oplog is not None
        assert database.local_oplog.length == 0


@pytest.mark.parametrize(
    "source",
    ["export const apply = {", "export const x = 1", "import 'fs'; export function apply () {}"],
)
async def test_a_contract_that_cannot_run_makes_nothing(tmp_path: Path, source: str) -> None:
    directory = tmp_path / "new"
    with pytest.raises(ContractSyntaxError) as caught:
        async with Database.create(directory, contract=source):
            raise AssertionError
    assert caught.value.line >= 1
    assert not directory.exists()


async def test_a_directory_holds_one_database_and_has_one_user(tmp_path: Path) -> None:
    async with Database.create(tmp_path / "a", contract=COUNTER) as database:
        key = database.key
        with pytest.raises(StoreInUse):
            async with Database.load(tmp_path / "a"):
                raise AssertionError
    with pytest.raises(NotAllowed, match="already"):
        async with Database.create(tmp_path / "a", contract=COUNTER):
            raise AssertionError
    with pytest.raises(NotAllowed, match="another database"):
        async with Database.load(tmp_path / "a", bytes(32)):
            raise AssertionError
    with pytest.raises(NotFound):
        async with Database.load(tmp_path / "b"):
            raise AssertionError
    with pytest.raises(UsageProblem):
        async with Database.load(tmp_path / "b", "not a key"):
            raise AssertionError
    async with Database.load(tmp_path / "a", key.hex()) as database:
        assert database.key == key


async def test_an_exception_of_the_caller_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Database.sandbox(contract=COUNTER):
            raise ZeroDivisionError
