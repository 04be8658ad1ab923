"""Calls that read the same state of a database do not ask for it twice, and never see another."""

from __future__ import annotations

import os
import signal

import pytest
import trio

from tests.contract_sources import COUNTER, MEMBERS
from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import STEPS, running
from vitra_node.contracts import calls, realm
from vitra_node.contracts.engine import Entry
from vitra_node.contracts.errors import ContractTimeout
from vitra_node.contracts.worker import ContractWorker
from vitra_node.database import Database
from vitra_node.errors import NotAllowed
from vitra_node.ledger.index import Index
from vitra_node.ledger.oplogs import Oplog, OplogSet


async def value(worker: ContractWorker, host: MemoryHost, path: str, version: object) -> object:
    entry = (await worker.call("read", {"path": path}, host, version=version)).response
    return None if entry is None else entry["value"]


async def test_one_version_is_asked_for_once() -> None:
    host = MemoryHost({"/a": {"x": [1, b"\x00"]}, "/b/c": 2})
    async with running(STEPS) as worker:
        for _ in range(3):
            assert await value(worker, host, "/a", 1) == {"x": [1, b"\x00"]}
            assert await value(worker, host, "/none", 1) is None
            listed = (await worker.call("list", {"path": "/"}, host, version=1)).response
            assert [entry["path"] for entry in listed] == ["/a", "/b"]
    assert host.gets == ["/a", "/none"]
    assert host.lists == ["/"]


async def test_another_version_is_asked_for_anew() -> None:
    async with running(STEPS) as worker:
        for version in (1, 2, None, None, 2, 1):
            host = MemoryHost({"/a": [version]})
            assert await value(worker, host, "/a", version) == [version]
            assert host.gets == ["/a"]


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    host = MemoryHost({"/a": "x" * 2000})
    async with running(STEPS) as worker:
        await value(worker, host, "/a", 1)
        await value(worker, host, "/a", 1)
        assert host.gets == ["/a"]
        monkeypatch.setattr(realm, "MAX_REMEMBERED_BYTES", 2000)
        await value(worker, host, "/a", 1)
        await value(worker, host, "/none", 1)
        assert host.gets == ["/a"] * 2 + ["/none"]


async def test_a_lost_process_remembers_nothing() -> None:
    class Leaving(MemoryHost):
        async def get(self, path: str) -> Entry | None:
            if path == "/b":
                scope.cancel()
                await trio.sleep_forever()
            return await super().get(path)

    host = Leaving({"/a": 1})
    async with running(STEPS) as worker:
        assert await value(worker, host, "/a", 1) == 1
        with trio.CancelScope() as scope:
            await value(worker, host, "/b", 1)
        assert scope.cancelled_caught
        assert worker.pids == []
        assert await value(worker, host, "/a", 1) == 1
        assert host.gets == ["/a", "/a"]


async def test_what_a_call_does_to_a_value_it_read_stays_with_it() -> None:
    source = (
        "import { index } from 'contract'\n"
        "export async function push () {\n"
        "  const { value } = await index.get('/a')\n"
        "  value.push(value.length)\n"
        "  return value\n"
        "}\n"
        "export const apply = {}"
    )
    async with running(source) as worker:
        for _ in range(3):
            answer = await worker.call("push", None, MemoryHost({"/a": [0]}), version=1)
            assert answer.response == [0, 1]


async def test_a_caller_sees_what_it_was_told_is_processed() -> None:
    async with Database.sandbox(contract=COUNTER) as database:
        for count in range(1, 31):
            await (await database.call("increment")).when_processed()
            for _ in range(2):
                assert (await database.call("get")).response == count


TOLD = (
    MEMBERS.replace("{ index }", "{ index, isWriter, listOplogs, oplog }")
    + """
export async function told () {
  const active = (await listOplogs()).filter(each => each.active).map(each => each.pubkey)
  return { active, writer: await isWriter(), own: (await oplog.getInfo()).active }
}
"""
)


async def test_a_caller_sees_the_members_that_the_index_lists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(self: OplogSet, index: Index) -> list[Oplog]:
        """The open oplogs are not compared with the index before the test has ended."""
        await trio.sleep_forever()
        raise AssertionError

    for method in ("admit", "dismiss"):
        async with Database.sandbox(contract=TOLD) as database:
            first = database.local_oplog
            assert first is not None
            second = await database.create_oplog()
            subject = second if method == "admit" else first
            with monkeypatch.context() as patch, trio.fail_after(60):
                patch.setattr(OplogSet, "refresh", never)
                change = await database.call(method, {"key": subject.key.hex()})
                await change.when_processed()
                await database.set_local_oplog(subject.key)
                told = (await database.call("told")).response
                if method == "admit":
                    assert set(told["active"]) == {first.key.hex(), second.key.hex()}
                    assert told["writer"] is told["own"] is True
                    assert (await database.call("nothing")).operations
                else:
                    assert told == {"active": [], "writer": False, "own": False}
                    with pytest.raises(NotAllowed, match="no participant"):
                        await database.call("nothing")


class Stopping(MemoryHost):
    """Stops the process that asks, so that the answer finds it stopped."""

    pid = 0

    async def get(self, path: str) -> Entry | None:
        os.kill(self.pid, signal.SIGSTOP)
        return await super().get(path)


async def test_a_process_without_a_processor_uses_none_of_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(STEPS) as worker:
        await worker.call("nothing", None, MemoryHost())
        host = Stopping({"/a": 1})
        [host.pid] = worker.pids
        monkeypatch.setattr(calls, "CALL_MILLISECONDS", 1_000)

        async def let_go_on() -> None:
            # Longer than its processor time lasts.
            await trio.sleep(1.5)
            os.kill(host.pid, signal.SIGCONT)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(let_go_on)
            assert await value(worker, host, "/a", None) == 1


async def test_a_process_that_is_stopped_for_good_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(STEPS) as worker:
        await worker.call("nothing", None, MemoryHost())
        host = Stopping({"/a": 1})
        [host.pid] = worker.pids
        monkeypatch.setattr(calls, "CALL_MILLISECONDS", 20)
        with pytest.raises(ContractTimeout, match="longer than allowed"):
            await value(worker, host, "/a", None)
        monkeypatch.undo()
        assert await value(worker, MemoryHost({"/a": 1}), "/a", None) == 1
