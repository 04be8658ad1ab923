"""Calls that are given together go to the process in few frames, and none of them can tell."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import STEPS, running
from vitra_node.contracts import calls
from vitra_node.contracts.engine import CallRequest, CallResult, Entry
from vitra_node.contracts.errors import ContractCallError, ContractTimeout, ContractValueError
from vitra_node.contracts.process import GuestProcess
from vitra_node.contracts.worker import ContractWorker

SOURCE = (
    STEPS
    + """
export function loop () { for (;;) {} }
export function emitThree ({ n }, emit) { emit({ n }); emit({ n }); emit({ n }); return n }
export function large ({ n }) { return 'x'.repeat(1500000) + n }
"""
)


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is sent to processes, in order."""
    sent: list[bytes] = []
    exchange = GuestProcess.exchange

    async def noted(self: GuestProcess, body: bytes, milliseconds: int = 0) -> bytes:
        sent.append(body)
        return await exchange(self, body, milliseconds)

    monkeypatch.setattr(GuestProcess, "exchange", noted)
    return sent


async def results_of(
    worker: ContractWorker,
    *wanted: tuple[str, Any],
    version: object = 1,
    host: MemoryHost | None = None,
) -> list[Any]:
    """Response or error of each of several calls."""
    requests = [CallRequest(method, params) for method, params in wanted]
    with trio.fail_after(120):
        outcomes = await worker.call_together(requests, host or MemoryHost(), version=version)
    return [outcome if isinstance(outcome, Exception) else outcome.response for outcome in outcomes]


async def test_many_calls_are_few_frames(frames: list[bytes]) -> None:
    async with running(SOURCE) as worker:
        await worker.call("nothing", None, MemoryHost())
        frames.clear()
        numbers = list(range(200))
        assert await results_of(worker, *(("echo", n) for n in numbers)) == numbers
        # Those that have their answer get it after a while, so a slow machine needs a few more.
        assert 200 // calls.MAX_CALLS_TOGETHER < len(frames) < 100


async def test_each_has_a_fresh_contract_and_its_own_operations() -> None:
    async with running(SOURCE) as worker:
        assert await results_of(worker, *[("called", None)] * 5) == [[1, 1]] * 5

        requests = [CallRequest("emitThree", {"n": n}) for n in range(20)]
        for n, outcome in enumerate(await worker.call_together(requests, MemoryHost(), version=1)):
            assert isinstance(outcome, CallResult)
            assert (outcome.response, outcome.operations) == (n, [{"n": n}] * 3)


async def test_one_that_emits_nothing_gets_nothing_of_the_next() -> None:
    async with running(SOURCE) as worker:
        requests = [
            CallRequest(method, {"n": 1})
            for method in ("echo", "emitThree", "echo", "emitThree", "emitThree", "echo")
        ]
        outcomes = await worker.call_together(requests, MemoryHost(), version=1)
        counts = [
            len(outcome.operations) for outcome in outcomes if isinstance(outcome, CallResult)
        ]
        assert counts == [0, 3, 0, 3, 3, 0]


async def test_one_that_throws_is_alone_in_that() -> None:
    async with running(SOURCE) as worker:
        before, failed, after = await results_of(
            worker, ("echo", 1), ("fails", {"text": "no"}), ("echo", 2)
        )
        assert (before, after) == (1, 2)
        assert isinstance(failed, ContractCallError)
        assert "RangeError: no" in str(failed)


async def test_one_that_hangs_is_alone_in_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "CALL_MILLISECONDS", 300)
    async with running(SOURCE) as worker:
        await worker.call("nothing", None, MemoryHost())
        results = await results_of(
            worker, ("echo", 1), ("echo", 2), ("loop", None), ("echo", 3), ("echo", 4)
        )
        assert isinstance(results.pop(2), ContractTimeout)
        assert results == [1, 2, 3, 4]


async def test_one_whose_host_fails_is_alone_in_that() -> None:
    class Broken(MemoryHost):
        async def get(self, path: str) -> Entry | None:
            if path == "/broken":
                raise KeyError(path)
            return await super().get(path)

    async with running(SOURCE) as worker:
        results = await results_of(
            worker,
            ("read", {"path": "/a"}),
            ("read", {"path": "/broken"}),
            ("read", {"path": "/a"}),
            host=Broken({"/a": 7}),
        )
        assert isinstance(results[1], KeyError)
        assert [results[0]["value"], results[2]["value"]] == [7, 7]


async def test_states_of_the_database_are_not_mixed(frames: list[bytes]) -> None:
    async with running(SOURCE) as worker:
        seen: list[tuple[int | None, Any]] = []

        async def one(version: int | None, value: int) -> None:
            host = MemoryHost({"/a": value})
            entry = (await worker.call("read", {"path": "/a"}, host, version=version)).response
            seen.append((value, entry["value"]))

        async with trio.open_nursery() as nursery:
            for number in range(30):
                version = (1, 2, None)[number % 3]
                nursery.start_soon(one, version, number if version is None else version)
        assert len(seen) == 30
        assert all(wanted == found for wanted, found in seen)


async def test_one_whose_parameters_are_no_values_is_alone_in_that() -> None:
    async with running(SOURCE) as worker:
        before, refused, after = await results_of(worker, ("echo", 1), ("echo", 2**60), ("echo", 2))
        assert (before, after) == (1, 2)
        assert isinstance(refused, ContractValueError)


async def test_answers_that_are_large_together_come_in_turns(frames: list[bytes]) -> None:
    async with running(SOURCE) as worker:
        results = await results_of(worker, *(("large", {"n": n}) for n in range(9)))
        assert [result[-1] for result in results] == [str(n) for n in range(9)]
        assert {len(result) for result in results} == {1_500_001}
