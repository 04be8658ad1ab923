"""What contracts tell people: console lines, and the place an error came from."""

from __future__ import annotations

import logging

import pytest

from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import request, running
from vitra_node.contracts.compiler import compile_contract
from vitra_node.contracts.engine import ApplyResult, ConsoleLine
from vitra_node.contracts.errors import ContractCallError
from vitra_node.contracts.worker import ContractWorker
from vitra_node.database import Database
from vitra_node.ledger.console import MAX_LINES_AT_ONCE, ContractConsole

SOURCE = """import assert from 'assert'
import { index } from 'contract'
const deep = {
  go () {
    return null.x
  }
}
export const direct = () => deep.go()
export async function later (params) {
  await null
  for (const x of [1]) {
    assert(x === 2, 'two')
  }
}
export function * nothing () {}
class Strange extends Error { toString () { for (;;) ; } }
export function strange () { throw new Strange('x') }
export function text () { throw 'text' }
export function talk () {
  console.log('a', 1, null, undefined, [1, 'x'], { a: { b: { c: { d: 1 } } } }, new Error('m'))
  console.warn({ get g () { throw new Error('never') }, toString () { throw new Error('never') } })
  console.error('x'.repeat(1000))
  console.debug(Symbol('s'), () => 1, 'half \\ud800')
}
export const apply = {
  TALK (tx) { for (let i = 0; i < 50; i++) console.info(i) ; tx.put('/a', 1) },
  FAIL (tx) { console.error('before'); tx.put('/a', 1)
    throw new RangeError('no') },
  FLOOD () { for (;;) console.log('x') }
}
"""


@pytest.mark.parametrize(
    ("method", "position"),
    [
        ("direct", (5, 5)),
        ("later", (12, 5)),
        ("strange", None),
        ("text", None),
    ],
)
async def test_errors_of_calls_say_where(method: str, position: tuple[int, int] | None) -> None:
    async with running(SOURCE) as worker:
        with pytest.raises(ContractCallError) as raised:
            await worker.call(method, None, MemoryHost())
    assert raised.value.position == position


async def apply_one(worker: ContractWorker, name: str) -> ApplyResult:
    (result,) = await worker.apply([request({"op": name})], MemoryHost())
    return result


async def test_what_is_printed_is_bounded_and_runs_nothing() -> None:
    async with running(SOURCE) as worker:
        printed = (await worker.call("talk", None, MemoryHost())).printed
        assert printed == (
            ConsoleLine(
                "info",
                'a 1 null undefined [1, "x"] {a: {b: {c: …}}} Error: m',
            ),
            ConsoleLine("warning", "{g: accessor, toString: function}"),
            ConsoleLine("error", "x" * 500 + "…"),
            ConsoleLine("debug", "Symbol(s) function half \ufffd"),
        )
        talk = await apply_one(worker, "TALK")
        assert [line.text for line in talk.printed] == [str(number) for number in range(20)]
        fail = await apply_one(worker, "FAIL")
        assert fail.printed == (ConsoleLine("error", "before"),)
        assert fail.position == (28, 5)
        assert fail.error == "RangeError: no"
        flood = await apply_one(worker, "FLOOD")
        assert flood.error == "out of fuel"
        assert (await apply_one(worker, "FAIL")).printed == fail.printed


async def test_lines_that_ran_are_told_only_when_asked_for() -> None:
    compiled = await compile_contract(SOURCE, cover=True)
    assert {5, 8, 10, 11, 12, 20, 28} <= compiled.coverable_lines
    assert not compiled.coverable_lines & {1, 2, 4, 6, 7, 9, 13}
    async with ContractWorker.open(compiled) as worker:
        with pytest.raises(ContractCallError):
            await worker.call("direct", None, MemoryHost())
        assert await worker.passed_lines() == {3, 5, 8}
        await apply_one(worker, "FAIL")
        assert await worker.passed_lines() == {3, 27, 28}
    async with running(SOURCE) as plain:
        await plain.call("talk", None, MemoryHost())
        assert await plain.passed_lines() == set()


async def test_lines_reach_the_log_of_the_node(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "vitra.contract")
    source = (
        "export function go (_, emit) { console.log('calling'); emit({ op: 'A' }) }\n"
        "export const apply = { A () { console.warn('applying\\n\\x1b[31m') } }"
    )
    async with Database.sandbox(contract=source) as database:
        await (await database.call("go")).when_processed()
        # A replay tells nobody.
        await database.verify()
        local = database.local_oplog
        assert local is not None
        key = database.key.hex()
        lines = [
            (r.levelname, r.getMessage()) for r in caplog.records if r.name == "vitra.contract"
        ]
    assert lines == [
        ("INFO", f"{key}, call of go: calling"),
        ("WARNING", f"{key}, operation 0 of oplog {local.key.hex()}: applying\\n\\x1b[31m"),
    ]


def test_the_log_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "vitra.contract")
    now = 0
    console = ContractConsole(bytes(32), lambda: now)
    result = ApplyResult(True, None, None, (), (), printed=(ConsoleLine("info", "x"),) * 20)
    for seq in range(100):
        console.operation(bytes(32), seq, result)
    assert len(caplog.records) == MAX_LINES_AT_ONCE
    now = 1000
    console.operation(bytes(32), 100, result)
    texts = [record.getMessage() for record in caplog.records[MAX_LINES_AT_ONCE:]]
    assert "1800 lines were left out" in texts[0]
    assert len(texts) == 6
