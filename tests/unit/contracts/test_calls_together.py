"""Calls that wait for the process go to it together, and none of them can tell."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import STEPS, running
from vitra_node.contracts import calls
from vitra_node.contracts.engine import Entry
from vitra_node.contracts.errors import ContractCallError, ContractTimeout
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
    """Response or error of each of several calls that are made at the same time."""
    found: list[Any] = [None] * len(wanted)
    shown = host or MemoryHost()

    async def one(number: int, method: str, params: Any) -> None:
        try:
            found[number] = (await worker.call(method, params, shown, version=version)).response
        except Exception as error:
            found[number] = error

    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            for number, (method, params) in enumerate(wanted):
                nursery.start_soon(one, number, method, params)
    return found


async def test_many_calls_are_few_frames(frames: list[bytes]) -> None:
    async with running(SOURCE) as worker:
        await worker.call("nothing", None, MemoryHost())
        frames.clear()
        numbers = list(range(200))
        assert await results_of(worker, *(("echo", n) for n in numbers)) == numbers
        # How many meet depends on how long a frame takes; one call each would be two hundred.
        assert len(frames) <= 20


async def test_each_has_a_fresh_contract_and_its_own_operations() -> None:
    async with running(SOURCE) as worker:
        assert await results_of(worker, *[("called", None)] * 5) == [[1, 1]] * 5

        async def one(n: int) -> None:
            result = await worker.call("emitThree", {"n": n}, MemoryHost(), version=1)
            assert (result.response, result.operations) == (n, [{"n": n}] * 3)

        async with trio.open_nursery() as nursery:
            for n in range(20):
                nursery.start_soon(one, n)


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


async def test_a_caller_that_leaves_takes_no_other_with_it() -> None:
    class Slow(MemoryHost):
        async def get(self, path: str) -> Entry | None:
            asked.set()
            await trio.sleep_forever()
            raise AssertionError

    asked = trio.Event()
    async with running(SOURCE) as worker:
        await worker.call("nothing", None, MemoryHost())
        found: list[Any] = []

        async def echo(n: int) -> None:
            found.append((await worker.call("echo", n, MemoryHost(), version=2)).response)

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                with trio.CancelScope() as leaving:

                    async def leave() -> None:
                        await asked.wait()
                        for n in range(5):
                            nursery.start_soon(echo, n)
                        # Who waits may leave too, and that changes nothing for the rest.
                        with trio.move_on_after(0):
                            await worker.call("echo", 99, MemoryHost(), version=2)
                        leaving.cancel()

                    nursery.start_soon(leave)
                    await worker.call("read", {"path": "/a"}, Slow(), version=2)
        assert leaving.cancelled_caught
        assert sorted(found) == [0, 1, 2, 3, 4]


async def test_answers_that_are_large_together_come_in_turns(frames: list[bytes]) -> None:
    async with running(SOURCE) as worker:
        results = await results_of(worker, *(("large", {"n": n}) for n in range(9)))
        assert [result[-1] for result in results] == [str(n) for n in range(9)]
        assert {len(result) for result in results} == {1_500_001}
