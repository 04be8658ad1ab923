"""A copy that holds only what it reads: what it fetches, remembers, and says when nobody has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from protocol.encoding.msgpack import pack
from protocol.transparency.frauds import CannotTell, UncertaintyCode, Verified
from tests.contract_sources import MEMBERS
from vitra_node import database as databases
from vitra_node.api.directories.local import LocalConnection
from vitra_node.api.handlers import logs
from vitra_node.api.hosting.metrics import Metrics
from vitra_node.api.session import Session
from vitra_node.database import Database
from vitra_node.errors import NetworkProblem, NotAllowed, StoreDamaged
from vitra_node.roles.monitor import Validated
from vitra_node.storage.errors import BlockNotAvailable

SECONDS = 60
OPERATIONS = 150


async def fill(executor: Database, count: int) -> None:
    """Publish so many operations, each with a path of its own, and wait until they are executed."""
    assert executor.local_oplog is not None
    length = executor.index.length
    operations = [
        {"op": "PUT", "path": f"/entries/{number:03}", "value": number} for number in range(count)
    ]
    await executor.local_oplog.core.append([pack(operation) for operation in operations])
    await executor.index.core.wait_for_length(length + 2 * count)


async def follow(copy: Database, executor: Database) -> None:
    """Connect, and wait until the copy knows the newest head."""
    await copy.connect(*await executor.listen("127.0.0.1", 0))
    await copy.index.core.wait_for_length(executor.index.length)


async def test_it_holds_what_it_reads_and_stays_so_after_a_restart(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS):
        async with Database.create(None, contract=MEMBERS) as executor:
            await fill(executor, OPERATIONS)
            async with Database.load(tmp_path, executor.key, sparse=True) as copy:
                assert copy.is_sparse
                await follow(copy, executor)
                await copy.sync()
                assert (await copy.index.get("/entries/007")).value == 7  # type: ignore[union-attr]
                assert copy.index.stored_blocks < copy.index.length / 4
            assert json.loads((tmp_path / "vitra.json").read_text())["sparse"] is True
            async with Database.load(tmp_path) as again:
                assert again.is_sparse
                await follow(again, executor)
                # Following an index that grows costs a few blocks, not all that it grows by.
                await fill(executor, OPERATIONS)
                await again.index.core.wait_for_length(executor.index.length)
                assert (await again.index.get("/entries/008")).value == 8  # type: ignore[union-attr]
                assert again.index.stored_blocks < again.index.length / 4
                await again.sync(full=True)
                assert again.index.stored_blocks == again.index.length
            async with Database.load(tmp_path, sparse=False) as whole:
                assert not whole.is_sparse
            assert "sparse" not in json.loads((tmp_path / "vitra.json").read_text())


async def test_an_executor_is_not_sparse(tmp_path: Path) -> None:
    async with Database.create(tmp_path, contract=MEMBERS):
        pass
    before = (tmp_path / "vitra.json").read_text()
    with pytest.raises(NotAllowed, match="holds all of its index"):
        async with Database.load(tmp_path, sparse=True):
            raise AssertionError
    assert (tmp_path / "vitra.json").read_text() == before


async def test_the_file_says_it_in_one_way(tmp_path: Path) -> None:
    (tmp_path / "vitra.json").write_text(json.dumps({"key": "ab" * 32, "sparse": "yes"}))
    with pytest.raises(StoreDamaged, match="sparse"):
        async with Database.load(tmp_path):
            raise AssertionError


async def test_what_nobody_has_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "UNCONNECTED_READ_SECONDS", 0.0)
    with trio.fail_after(SECONDS):
        async with Database.create(None, contract=MEMBERS) as executor:
            await fill(executor, OPERATIONS)
            async with (
                Database.load(tmp_path / "one", executor.key, sparse=True) as one,
                Database.load(tmp_path / "other", executor.key, sparse=True) as other,
            ):
                await follow(one, executor)
                assert await one.index.get("/entries/007") is not None
                # Connected to somebody who lacks most of it himself.
                await follow(other, one)
                with monkeypatch.context() as hurried:
                    hurried.setattr(databases, "READ_SECONDS", 0.2)
                    with pytest.raises(BlockNotAvailable, match="of the index, which no peer"):
                        await other.index.get("/entries/100")
                    with pytest.raises(BlockNotAvailable):
                        [entry async for entry in other.index.history()]
                # It is no verdict on the copy: whoever has it may come later.
                await follow(other, executor)
                assert (await other.index.get("/entries/100")).value == 100  # type: ignore[union-attr]
        async with Database.load(tmp_path / "one") as alone:
            connection = LocalConnection(Session(alone, tmp_path / "one"))
            assert await alone.index.get("/entries/007") is not None
            with pytest.raises(NetworkProblem) as told:
                await connection.call("index.get", path="/entries/100")
            assert "of the index" in told.value.failed
            assert "vitra peers" in told.value.advice
            # Neither is a block of an oplog, nor what a scrape would count.
            monkeypatch.setattr(logs, "FETCH_SECONDS", 0.0)
            with pytest.raises(NetworkProblem):
                await connection.call("log.prove", seq=3)
            metrics = Metrics()
            async with metrics.door(connection.session):
                assert b"vitra_index_blocks{" in await metrics.text()
            # Nothing of this waits either.
            await alone.sync()
            assert (await alone.verify()).verdict == "cannot tell"


async def test_one_transaction_is_verified_or_cannot_be_told(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS):
        async with Database.create(None, contract=MEMBERS) as executor:
            tx = await executor.call("put", {"path": "/first", "value": 1})
            await fill(executor, OPERATIONS)
            another = await executor.call("put", {"path": "/last", "value": 1})
            await another.when_processed()
            async with Database.load(tmp_path, executor.key, sparse=True) as copy:
                await follow(copy, executor)
                assert isinstance(await copy.verify_transaction(tx), Verified)
                assert copy.index.stored_blocks < copy.index.length / 4
        async with Database.load(tmp_path) as alone:
            # What was read for it is here; for another one it is not.
            assert isinstance(await alone.verify_transaction(tx), Verified)
            verdict = await alone.verify_transaction(another)
            assert isinstance(verdict, CannotTell)
            assert verdict.code is UncertaintyCode.CANNOT_FETCH_INDEX


async def test_verify_fetches_all_that_it_replays() -> None:
    with trio.fail_after(SECONDS):
        async with (
            Database.create(None, contract=MEMBERS) as executor,
            Database.load(None, executor.key, sparse=True) as copy,
        ):
            await fill(executor, OPERATIONS)
            await follow(copy, executor)
            report = await copy.verify()
            assert (report.verdict, report.operations) == ("verified", OPERATIONS)
            assert copy.is_sparse


async def test_a_sparse_monitor_resumes(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS):
        async with Database.create(None, contract=MEMBERS) as executor:
            await fill(executor, 20)
            async with Database.load(tmp_path, executor.key, sparse=True) as copy:
                await follow(copy, executor)
                assert not (await validated(copy, 20)).resumed
            await fill(executor, 5)
            async with Database.load(tmp_path) as again:
                assert again.is_sparse
                await follow(again, executor)
                assert (await validated(again, 25)).resumed


async def validated(database: Database, operations: int) -> Validated:
    """Monitor until so many are validated; gives the first event."""
    first: Validated | None = None
    async with database.monitor() as monitor:
        async for event in monitor:
            assert isinstance(event, Validated), event
            first = first or event
            if event.operations == operations:
                return first
    raise AssertionError("the monitor ended")
