"""What apply, process and methods may do, and what becomes of it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from protocol.encoding.msgpack import UNDEFINED, Date
from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import ORIGIN, STEPS, compiled, request, running
from vitra_node.contracts.engine import (
    AddOplog,
    ApplyResult,
    Delete,
    ListOptions,
    OplogInfo,
    Put,
    Read,
    RemoveOplog,
    SetSource,
)
from vitra_node.contracts.errors import ContractCallError, ContractValueError, RuntimeMissing
from vitra_node.contracts.worker import ContractWorker


async def steps(worker: ContractWorker, host: MemoryHost, *steps: list[Any]) -> ApplyResult:
    (result,) = await worker.apply([request({"op": "STEPS", "steps": list(steps)})], host)
    return result


async def test_calls() -> None:
    host = MemoryHost({"/a": {"x": [1, b"\x00", None]}, "/b/c": "deep"})
    async with running(STEPS) as worker:
        entry = (await worker.call("read", {"path": "/a"}, host)).response
        assert entry == {
            "container": False,
            "seq": 1,
            "name": "a",
            "path": "/a",
            "value": {"x": [1, b"\x00", None]},
        }
        assert (await worker.call("read", {"path": "/none"}, host)).response is None
        listed = (await worker.call("list", {"path": "/"}, host)).response
        assert [(e["path"], e["container"]) for e in listed] == [("/a", False), ("/b", True)]
        listed = (await worker.call("list", {"options": {"gt": "a"}}, host)).response
        assert [e["name"] for e in listed] == ["b"]

        values = [None, True, 1, -1.5, 2**53, "é😀", b"\xff", [], {"": {}}, Date(5), {"$": 1}]
        assert (await worker.call("echo", values, host)).response == values
        assert (await worker.call("echo", [UNDEFINED, {"a": UNDEFINED}], host)).response == [
            None,
            {},
        ]
        assert (await worker.call("nothing", None, host)).response is None

        ops = [{"op": "A"}, {"op": "B", "n": [0.1]}]
        result = await worker.call("emitAll", {"ops": ops}, host)
        assert result.operations == ops
        assert (await worker.call("emitCopy", None, host)).operations == [{"a": 1}, {"a": 2}]
        # What is emitted late still belongs to the call.
        assert (await worker.call("late", None, host)).operations == [{"op": "LATE"}]
        # Fresh instances: no state from call to call.
        assert [(await worker.call("called", None, host)).response for _ in range(2)] == [
            [1, 1]
        ] * 2


@pytest.mark.parametrize(
    ("method", "params", "text"),
    [
        ("fails", {"text": "too far"}, "RangeError: too far"),
        ("throws", {"value": "text"}, "thrown: text"),
        ("throws", {"value": {"a": 1}}, "thrown: [object Object]"),
        ("rejects", None, "Error: late"),
        ("never", None, "Error: the function never ended"),
        ("unheard", None, "Error: nobody listens"),
        ("missing", None, 'Error: the contract has no method "missing"'),
        ("apply", None, "has no method"),
        ("process", None, "has no method"),
        ("notAFunction", None, "has no method"),
        ("toString", None, "has no method"),
        ("__proto__", None, "has no method"),
        ("emitNothing", None, "TypeError: emit: undefined is not a value"),
        ("badResponse", None, "TypeError: the response: a function is not a value"),
        ("read", {"path": "a"}, "index.get: a path starts with /"),
        ("read", None, "TypeError"),
        ("list", {"path": "/a", "options": {"limit": -1}}, "limit is a count"),
        ("fails", {"text": "x" * 5000}, "RangeError: xxx"),
    ],
)
async def test_calls_that_throw(method: str, params: Any, text: str) -> None:
    async with running(STEPS) as worker:
        with pytest.raises(ContractCallError) as raised:
            await worker.call(method, params, MemoryHost())
    assert text in str(raised.value)
    assert len(str(raised.value)) <= 1000


@pytest.mark.parametrize("value", [2**53 + 1, "\ud800", "\ue000", object(), {1: 2}])
async def test_values_no_contract_can_be_given(value: Any) -> None:
    async with running(STEPS) as worker:
        with pytest.raises(ContractValueError):
            await worker.call("echo", {"v": [value]}, MemoryHost())
        (result, after) = await worker.apply(
            [
                request({"op": "SYNC", "v": value}),
                request({"op": "SYNC", "path": "/a", "value": 1}),
            ],
            MemoryHost(),
        )
    assert not result.success
    assert result.error is not None
    assert result.error.startswith("TypeError: the operation is no value: ")
    assert after.changes == (Put("/a", 1),)


async def test_calls_see_members_and_chance() -> None:
    host = MemoryHost()
    host.members = [OplogInfo("aa" * 32, 5, True), OplogInfo("bb" * 32, 0, False)]
    host.writer = True
    async with running(STEPS) as worker:
        (members, writer, own) = (await worker.call("members", None, host)).response
        assert members == [
            {"pubkey": "aa" * 32, "length": 5, "active": True},
            {"pubkey": "bb" * 32, "length": 0, "active": False},
        ]
        assert writer is True
        assert own == members[0]
        first = (await worker.call("random", None, host)).response
        second = (await worker.call("random", None, host)).response
    assert len({*first[:3], *second[:3]}) == 6
    assert all(0 <= number < 1 for number in first[:2])
    assert first[2][14] == "4"
    assert first[3] > 1_700_000_000_000


async def test_changes() -> None:
    source = "export const apply = {}"
    async with running(STEPS) as worker:
        host = MemoryHost({"/a": 1})
        result = await steps(
            worker,
            host,
            ["put", "/a", {"n": 1}],
            ["put", "/é/😀", [b"x"]],
            ["delete", "/gone"],
            ["put", "/a", 2],
            ["add", "AB" * 32],
            ["add", b"\x01" * 32],
            ["remove", b"\x01" * 32],
            ["source", source],
            ["putLater", "/copied"],
        )
        assert result.error is None
        assert set(result.changes[0:1]) == {Put("/a", 2)}
        assert {repr(change) for change in result.changes} == {
            repr(change)
            for change in (
                Put("/a", 2),
                Put("/é/😀", [b"x"]),
                Delete("/gone"),
                AddOplog(b"\xab" * 32),
                RemoveOplog(b"\x01" * 32),
                SetSource(source),
                Put("/copied", {"a": [1]}),
            )
        }
        result = await steps(
            worker, host, ["put", "/q", 1], ["queued", "/q", "/r"], ["queued", "/s", "/t"],
            ["delete", "/u"], ["queued", "/u", "/v"], ["copy", "/q", "/w"],
        )  # fmt: skip
        assert result.changes == (
            Put("/q", 1),
            Put("/r", {"type": "put", "path": "/q", "value": 1}),
            Put("/t", "none"),
            Delete("/u"),
            Put("/v", {"type": "delete", "path": "/u"}),
            # What an operation queued itself is not in the index yet.
            Put("/w", "none"),
        )


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (["put", "a", 1], "Error: tx.put: a path starts with /"),
        (["put", "/", 1], "Error: tx.put: a path has no empty segments"),
        (["put", "//a", 1], "Error: tx.put: a path has no empty segments"),
        (["put", "/a/", 1], "Error: tx.put: a path has no empty segments"),
        (["put", "/a//b", 1], "Error: tx.put: a path has no empty segments"),
        (["put", "/a\x00b", 1], "Error: tx.put: a path has no NUL in it"),
        (["put", "/.sys", 1], "Error: tx.put: everything at or below /.sys"),
        (["put", "/.sys/contract/source", 1], "Error: tx.put: everything at or below /.sys"),
        (["put", "//.sys/x", 1], "Error: tx.put: a path has no empty segments"),
        (["put", 5, 1], "TypeError: tx.put: a path is a text"),
        (["put", "/" + "é" * 2049, 1], "Error: tx.put: a path has at most 4096 bytes"),
        (["delete", "/.sys/acks/x"], "Error: tx.delete: everything at or below /.sys"),
        (["queued", "x", "/y"], "Error: tx.get: a path starts with /"),
        (["copy", "/a/", "/y"], "Error: index.get: a path has no empty segments"),
        (["names", "/a//b", "/y"], "Error: index.list: a path has no empty segments"),
        (["putUndefined", "/a"], "TypeError: tx.put: undefined is not a value"),
        (["add", "ab"], "TypeError: tx.addOplog: pubkey is a public key"),
        (["add", b"\x00" * 31], "TypeError: tx.addOplog: pubkey is a public key"),
        (["add", None], "TypeError: tx.addOplog: pubkey is a public key"),
        (["source", 5], "TypeError: tx.setContractSource: code is the source text"),
        (["eval", "/a", "nan"], "TypeError: tx.put: NaN and infinity are not values"),
        (["eval", "/a", "infinity"], "TypeError: tx.put: NaN and infinity are not values"),
        (["eval", "/a", "fn"], "TypeError: tx.put: a function is not a value"),
        (["eval", "/a", "symbol"], "TypeError: tx.put: a symbol is not a value"),
        (["eval", "/a", "half"], "half a character"),
        (["eval", "/a", "halfKey"], "half a character"),
        (["eval", "/a", "cycle"], "at most 100 levels deep"),
        (["eval", "/a", "promise"], "a promise is not a value"),
        (["eval", "/a", "regex"], "RegExp is not a value"),
        (["eval", "/a", "error"], "Error is not a value"),
        (["eval", "/a", "invalidDate"], "an invalid date is not a value"),
        (["eval", "/a", "badMap"], "the keys of a stored Map are texts"),
        (["eval", "/a", "long"], "at most 2097152 characters"),
        (["eval", "/a", "many"], "at most 262144 items"),
    ],
)
async def test_refused_changes_fail_the_operation(step: list[Any], text: str) -> None:
    async with running(STEPS) as worker:
        result = await steps(worker, MemoryHost({"/a": 1}), ["put", "/ok", 1], step)
    assert not result.success
    assert text in str(result.error)
    assert result.changes == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pair", "😀"),
        ("map", {"a": [1, 2]}),
        ("date", Date(1655000000123)),
        ("bytes", b"\x00\xff"),
        ("buffer", b"\x07"),
        ("dollars", {"$": ["b", "eA=="], "$$": 1, "$a": 2}),
        ("proto", {"__proto__": {"x": 1}, "y": 2}),
        ("undefinedInside", {"b": [None]}),
        ("instance", {"x": 1}),
        ("negativeZero", 0),
        ("large", [2**53, 2.0**60, 1e300, 0.1, 5e-324, -1.5]),
    ],
)
async def test_values_that_can_be_stored(key: str, value: Any) -> None:
    host = MemoryHost()
    async with running(STEPS) as worker:
        result = await steps(worker, host, ["eval", "/a", key])
        assert result.changes == (Put("/a", value),)
        # And read again, from the index and from the batch.
        host = MemoryHost({"/a": value})
        assert (await steps(worker, host, ["copy", "/a", "/b"])).changes == (Put("/b", value),)
        both = await worker.apply(
            [
                request({"op": "STEPS", "steps": [["eval", "/a", key]]}, 0),
                request({"op": "STEPS", "steps": [["copy", "/a", "/b"]]}, 1),
            ],
            MemoryHost(),
        )
        assert both[1].changes == (Put("/b", value),)


async def test_caught_refusals_leave_the_operation_whole() -> None:
    async with running(STEPS) as worker:
        result = await steps(
            worker, MemoryHost(), ["put", "/a", 1], ["attempt", "put", "/.sys/x", 1]
        )
    assert result.success
    assert {change.path for change in result.changes if isinstance(change, Put)} == {
        "/a",
        "/caught",
    }


async def test_ack_process_and_clock() -> None:
    async with running(STEPS) as worker:
        host = MemoryHost()

        async def one(op: Any, **rest: Any) -> ApplyResult:
            (result,) = await worker.apply([request(op, 7, ts=1_600_000_000_123, **rest)], host)
            return result

        ack = {"origin": ORIGIN, "seq": 7, "ts": 1_600_000_000_123}
        assert (await one({"op": "ACK"})).changes == (Put("/ack", ack),)
        replayed = await one({"op": "ACK"}, metadata={"m": [1]})
        assert replayed.changes == (Put("/ack", {**ack, "metadata": {"m": [1]}}),)
        made = await one({"op": "ACK", "metadata": {"m": [1]}}, run_process=True)
        assert made.metadata == {"m": [1]}
        assert made.changes == replayed.changes
        for fault in ("throw", "function"):
            failed = await one({"op": "ACK", "process": fault, "metadata": 1}, run_process=True)
            assert (failed.success, failed.metadata) == (True, None)
            assert failed.changes == (Put("/ack", ack),)
        # What process does to the operation stays with it.
        assert (await one({"op": "ACK", "process": "mutate"}, run_process=True)).changes
        now = await one({"op": "NOW"})
        assert now.changes == (Put("/now", [1_600_000_000_123, "2020-09-13T12:26:40.123Z", 0]),)


@pytest.mark.parametrize(
    ("op", "error"),
    [
        ({"op": "MISSING"}, 'Error: apply has no operation "MISSING"'),
        ({"op": "toString"}, 'Error: apply has no operation "toString"'),
        ({"op": "__proto__"}, 'Error: apply has no operation "__proto__"'),
        ({"op": "notCallable"}, 'Error: apply has no operation "notCallable"'),
        ({}, "Error: apply has no operation undefined"),
        (None, "Error: apply has no operation undefined"),
        ({"op": "THROW", "value": "x"}, "thrown: x"),
        ({"op": "THROW", "value": None}, "thrown: null"),
        (
            {"op": "NEVER"},
            "Error: the function never ended: it waits for a promise that nobody resolves",
        ),
        ({"op": "UNHEARD"}, "TypeError: unheard"),
        ({"op": "LATE"}, "Error: tx.put: the operation has ended"),
        ({"op": "EMIT"}, "Error: not here"),
        ({"op": "WRITER"}, "Error: isWriter is for method calls"),
        ({"op": "RANDOM"}, "Error: Math.random would differ from node to node"),
        ({"op": "UUID"}, "Error: genUUID would differ from node to node"),
    ],
)
async def test_operations_that_fail(op: Any, error: str) -> None:
    async with running(STEPS) as worker:
        (result,) = await worker.apply([request(op)], MemoryHost())
    assert not result.success
    assert str(result.error).startswith(error)
    assert result.changes == ()


async def test_reads_are_reported_once_in_order() -> None:
    host = MemoryHost({"/a": 1, "/d/x": 2, "/d/y": 3})
    async with running(STEPS) as worker:
        result = await steps(
            worker,
            host,
            ["copy", "/a", "/1"],
            ["copy", "/none", "/2"],
            ["names", "/d", "/3", {"limit": 1, "reverse": True}],
            ["copy", "/a", "/4"],
            ["names", "/d/", "/5"],
        )
    assert result.reads == (
        Read("/a"),
        Read("/none"),
        Read("/d", ListOptions(limit=1, reverse=True)),
        Read("/d", ListOptions()),
    )
    assert host.gets == ["/a", "/none"]
    assert Put("/3", [["y", False, 3]]) in result.changes
    assert Put("/5", [["x", False, 2], ["y", False, 3]]) in result.changes


async def test_values_read_are_copies() -> None:
    async with running(STEPS) as worker:
        result = await steps(worker, MemoryHost({"/a": {"n": 1}}), ["mutate", "/a", "/b"])
    assert result.changes == (Put("/b", {"n": 1}),)


async def test_members_during_apply_come_from_the_index() -> None:
    host = MemoryHost(
        {
            f"/.sys/inputs/{'aa' * 32}": {"pubkey": b"\xaa" * 32, "active": True},
            f"/.sys/inputs/{'bb' * 32}": {"pubkey": b"\xbb" * 32, "active": False},
        }
    )
    async with running(STEPS) as worker:
        (result,) = await worker.apply([request({"op": "MEMBERS"})], host)
    assert result.changes == (
        Put(
            "/members",
            [{"pubkey": "aa" * 32, "active": True}, {"pubkey": "bb" * 32, "active": False}],
        ),
    )
    assert result.reads == (Read("/.sys/inputs", ListOptions()),)


async def test_batches_share_nothing_but_their_changes() -> None:
    async with running(STEPS) as worker:
        results = await worker.apply(
            [request({"op": "STATE"}, seq) for seq in range(3)], MemoryHost()
        )
        assert [result.changes for result in results] == [(Put("/state", [1, 1]),)] * 3
        results = await worker.apply(
            [
                request({"op": "SYNC", "path": "/a", "value": 1}, 0),
                request({"op": "THROW", "value": "x"}, 1),
                request(
                    {"op": "STEPS", "steps": [["copy", "/never", "/b"], ["copy", "/a", "/c"]]}, 2
                ),
            ],
            MemoryHost(),
        )
    assert [result.success for result in results] == [True, False, True]
    assert results[2].changes == (Put("/b", "none"), Put("/c", 1))


@pytest.mark.parametrize("step", [["add", "aa" * 32], ["remove", "aa" * 32], ["source", "x"]])
async def test_batches_end_after_a_change_of_the_rules(step: list[Any]) -> None:
    async with running(STEPS) as worker:
        first = request({"op": "STEPS", "steps": [["put", "/a", 1]]}, 0)
        change = request({"op": "STEPS", "steps": [step]}, 1)
        results = await worker.apply([first, change, first], MemoryHost())
    assert len(results) == 2


async def test_batches_end_before_what_only_the_index_can_tell() -> None:
    async with running(STEPS) as worker:

        async def results(*second: list[Any], values: dict[str, Any] | None = None) -> int:
            return len(
                await worker.apply(
                    [
                        request(
                            {"op": "STEPS", "steps": [["put", "/d/a", 1], ["delete", "/d/e/f"]]}, 0
                        ),
                        request({"op": "STEPS", "steps": list(second)}, 1),
                    ],
                    MemoryHost(values),
                )
            )

        assert await results(["copy", "/d/a", "/x"]) == 2
        # The number of an entry that this batch writes.
        assert await results(["entry", "/d/a", "/x"]) == 1
        # Acks of this batch.
        assert await results(["copy", "/.sys/acks/x", "/x"]) == 1
        assert await results(["names", "/.sys/acks", "/x"]) == 1
        assert await results(["names", "/.sys", "/x"]) == 2
        # Whether a container is empty now.
        assert await results(["names", "/d", "/x"]) == 1
        assert await results(["names", "/d", "/x", {"lt": "b"}]) == 2
        # Caught or not.
        assert await results(["attempt", "entry", "/d/a", "/x"]) == 1


async def test_host_errors_reach_the_caller_and_the_worker_recovers() -> None:
    class Broken(MemoryHost):
        async def get(self, path: str) -> Any:
            raise KeyError(path)

    async with running(STEPS) as worker:
        with pytest.raises(KeyError):
            await worker.call("read", {"path": "/a"}, Broken())
        with pytest.raises(KeyError):
            await steps(worker, Broken(), ["copy", "/a", "/b"])
        assert (await worker.call("echo", 1, MemoryHost())).response == 1
        assert (await steps(worker, MemoryHost(), ["put", "/a", 1])).success


async def test_another_runtime_is_refused() -> None:
    other = replace(await compiled(STEPS), runtime_id="duktape-29999/dukpy-0.5.1/0")
    with pytest.raises(RuntimeMissing, match="was made for the runtime"):
        async with ContractWorker.open(other):
            pass


async def test_processes_start_late_and_end_with_the_worker() -> None:
    async with running(STEPS) as worker:
        assert worker.pids == []
        await worker.call("nothing", None, MemoryHost())
        await steps(worker, MemoryHost())
        pids = worker.pids
        assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
