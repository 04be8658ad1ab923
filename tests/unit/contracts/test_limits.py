"""Programs that want too much: fuel decides about operations, the machine about nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import trio

from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import request, running
from vitra_node.contracts import calls
from vitra_node.contracts import worker as worker_module
from vitra_node.contracts.engine import ApplyResult, Put
from vitra_node.contracts.errors import ContractTimeout, HostFault, WorkerFault
from vitra_node.contracts.worker import ContractWorker

HOSTILE = (Path(__file__).parents[2] / "contracts" / "hostile.js").read_text()


async def apply_one(worker: ContractWorker, name: str) -> ApplyResult:
    (result,) = await worker.apply([request({"op": name})], MemoryHost({"/a": 1}))
    return result


def of_process(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


ENDLESS = (
    "LOOP WHILE DO OF TAIL MUTUAL ASYNC MICROTASKS QUEUE GENERATOR MAP FILL JOIN INDEX SORT REPEAT "
    "JSON COPIES READS NAMES CATCH CATCH_AGAIN FINALLY FINALLY_LOOP CATCH_ASYNC CATCH_PROMISE THEN "
    "CATCH_GENERATOR CATCH_PUT TO_STRING TO_JSON GETTER THENABLE"
)


async def test_out_of_fuel_is_a_result_that_cannot_be_caught() -> None:
    async with running(HOSTILE) as worker:
        for name in ENDLESS.split():
            results = await worker.apply(
                [request({"op": "FINE"}, 0), request({"op": name}, 1), request({"op": "FINE"}, 2)],
                MemoryHost({"/a": 1}),
            )
            assert [result.error for result in results] == [None, "out of fuel", None], name
            assert results[1].changes == (), name
            assert results[2].changes == (Put("/fine", 1),), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RECURSION", ["RangeError", True]),
        ("RECURSION_NATIVE", "RangeError"),
        ("RECURSION_ASYNC", "RangeError"),
        ("RECURSION_GENERATOR", "RangeError"),
        ("STRING_BOMB", "RangeError"),
        ("PAD_BOMB", "RangeError"),
        ("BUFFER_BOMB", "RangeError"),
    ],
)
async def test_bounds_that_contracts_can_catch(name: str, value: object) -> None:
    async with running(HOSTILE) as worker:
        result = await apply_one(worker, name)
        assert result.changes == (Put("/r", value),)


async def test_coroutines_are_bounded() -> None:
    async with running(HOSTILE) as worker:
        result = await apply_one(worker, "WAITING")
        assert result.error == "RangeError: Too many async functions wait at the same time"


async def test_changes_are_bounded() -> None:
    async with running(HOSTILE) as worker:
        result = await apply_one(worker, "CHANGES")
        assert result.changes[0] == Put("/c/0", "an operation makes at most 4096 changes")
        op = {"op": "CHANGE_BYTES", "text": "x" * 1_500_000}
        (result,) = await worker.apply([request(op)], MemoryHost())
        assert "at most 8388608 characters" in str(result.error)


@pytest.mark.parametrize(
    "name",
    ["MEMORY", "MEMORY_CATCH", "MEMORY_FINALLY", "MEMORY_IN_CATCH", "MEMORY_PROMISE"],
)
async def test_want_of_memory_is_no_result(name: str) -> None:
    async with running(HOSTILE) as worker:
        with pytest.raises(WorkerFault, match="memory"):
            await apply_one(worker, name)
        # The operations before it are not lost, and the worker goes on.
        results = await worker.apply(
            [request({"op": op}, seq) for seq, op in enumerate(("FINE", "FINE", name))],
            MemoryHost(),
        )
        assert [result.success for result in results] == [True, True]
        assert (await apply_one(worker, "FINE")).success


@pytest.mark.parametrize("name", ["loop", "asyncLoop", "recursion"])
async def test_calls_end_by_the_clock(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "CALL_MILLISECONDS", 300)
    async with running(HOSTILE) as worker:
        assert (await worker.call("fine", None, MemoryHost())).response == "fine"
        with trio.fail_after(60), pytest.raises(ContractTimeout, match="longer than allowed"):
            await worker.call(name, None, MemoryHost())
        assert (await worker.call("fine", None, MemoryHost())).response == "fine"


@pytest.mark.parametrize("name", ["memory", "strings"])
async def test_calls_end_by_memory(name: str) -> None:
    async with running(HOSTILE) as worker:
        # On a slow machine the clock may be first.
        with pytest.raises(HostFault):
            await worker.call(name, None, MemoryHost())
        assert (await worker.call("fine", None, MemoryHost())).response == "fine"


async def test_a_regex_that_runs_wild_ends() -> None:
    # By the engine's own bound on backtracking, which is a plain error.
    async with running(HOSTILE) as worker:
        assert "RangeError" in str((await apply_one(worker, "REGEX")).error)


async def test_an_operation_ends_by_the_clock_when_fuel_does_not_see_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "APPLY_MILLISECONDS", 50)
    async with running(HOSTILE) as worker:
        assert (await apply_one(worker, "FINE")).success
        with pytest.raises(ContractTimeout):
            await apply_one(worker, "LOOP")


async def test_waiting_for_the_host_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(MemoryHost):
        async def get(self, path: str) -> None:
            # Real time: the worker's clock is the kernel's.
            await trio.to_thread.run_sync(time.sleep, 0.5)

    monkeypatch.setattr(calls, "CALL_MILLISECONDS", 300)
    source = (
        "import { index } from 'contract'\n"
        "export async function read () { await index.get('/a'); await index.get('/b'); return 1 }\n"
        "export const apply = {}"
    )
    async with running(source) as worker:
        assert (await worker.call("read", None, Slow())).response == 1


async def test_worker_stays_small() -> None:
    async with running(HOSTILE) as worker:
        await worker.call("fine", None, MemoryHost())
        await apply_one(worker, "COPIES")
        for pid in worker.pids:
            status = of_process(pid, "status").decode()
            peak = int(status.split("VmHWM:")[1].split()[0])
            assert peak <= 160 * 1024


async def test_process_is_shut_in() -> None:
    async with running(HOSTILE) as worker:
        await worker.call("fine", None, MemoryHost())
        (pid,) = worker.pids
        assert of_process(pid, "environ").split(b"\0")[:-1] == [
            b"TZ=UTC",
            b"LC_ALL=C",
        ]
        limits = of_process(pid, "limits").decode()
        for name in ("Max processes", "Max core file size", "Max file size"):
            assert limits.split(name)[1].split()[0] == "0"
        assert limits.split("Max address space")[1].split()[0] == str(160 * 1024 * 1024)
        assert of_process(pid, "status").decode().split("Seccomp:")[1].split()[0] == "2"
        assert set(os.listdir(f"/proc/{pid}/fd")) == {"0", "1", "2"}


async def test_nothing_leads_out() -> None:
    async with running(HOSTILE) as worker:
        (put,) = (await apply_one(worker, "ESCAPES")).changes
    assert isinstance(put, Put)
    value = put.value
    for way in ("constructor", "chain", "async", "generator", "error", "index", "bind", "getter"):
        assert value[way] == "EvalError", way
    assert value["caller"] in ("undefined", "TypeError")
    assert value["callee"] == "TypeError"
    assert value["stack"] == "Error: x"
    assert value["fileName"] == "undefined"
    assert value["globals"] == ["ArrayBuffer"]
    assert value["symbols"] == [0, 0, 0, 0]
    assert value["thread"] == "undefined"
    assert "native code" in value["source"]


async def test_nothing_is_left_behind() -> None:
    async with running(HOSTILE) as worker:
        results = await worker.apply(
            [request({"op": op}, seq) for seq, op in enumerate(("POLLUTE", "CLEAN"))],
            MemoryHost(),
        )
        again = await worker.apply([request({"op": "MODULE_STATE"}, 2)] * 3, MemoryHost())
    assert results[0].changes == (Put("/polluted", []),)
    assert results[1].changes == (
        Put(
            "/clean",
            [True, "function", "function", "undefined", "function", "Error", 1, "function"],
        ),
    )
    assert [result.error for result in again] == [None] * 3
