"""What the compiler refuses, where, and what it says about what it takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from packaging.version import Version

from tests.contracts.running import compiled
from vitra_node import __version__
from vitra_node.contracts import front_pass
from vitra_node.contracts.compiler import compile_contract
from vitra_node.contracts.engine import Method
from vitra_node.contracts.errors import ContractSyntaxError
from vitra_node.contracts.runtime import RUNTIME_ID

APPLY = "\nexport const apply = {}\n"

# Source, line, column, a part of the message. Each has `apply` after it.
REFUSED = [
    ("let a = ;", 1, 7, "syntax error"),
    ("function f () {\n  return (1\n}", 2, 3, "syntax error"),
    ("import x from 'fs'", 1, 15, "no module 'fs'"),
    ("import { nothing } from 'contract'", 1, 10, "exports no nothing"),
    ("export * from 'assert'", 1, 1, "another module"),
    ("const x = await 5", 1, 11, "await works only inside"),
    ("function f () { await 1 }", 1, 17, "await works only inside"),
    ("const f = async () => [1].map(x => await x)", 1, 36, "await works only inside"),
    ("function f () { yield 1 }", 1, 17, "inside a generator"),
    ("const x = 1n", 1, 11, "BigInt"),
    ("const x = 0xffn", 1, 11, "BigInt"),
    ("class A { m () { this.#y } }", 1, 23, "no class around here declares #y"),
    ("class A { #x; #x }", 1, 15, "#x is declared twice"),
    ("class A { #constructor }", 1, 11, "a private name cannot be"),
    ("class A { #x; m () { delete this.#x } }", 1, 34, "cannot be deleted"),
    ("class A extends (class { m () { this.#q } }) { #q }", 1, 38, "no class around here"),
    ("class A { #x; m (o) { return 1 + #x in o } }", 1, 34, "needs parentheses"),
    ("class A { static { return } }", 1, 20, "does not return"),
    ("class A { static { await 1 } }", 1, 20, "await works only"),
    ("class A extends Array {}", 1, 17, "extend Array"),
    ("async function * g () {}", 1, 1, "async generators"),
    ("function f () { return new.target }", 1, 24, "new.target"),
    ("const u = import.meta", 1, 11, "import.meta"),
    ("const f = () => import('util')", 1, 17, "import()"),
    ("const r = /(?<=a)b/", 1, 11, "lookbehind"),
    ("const r = /(?<n>a)(?<n>b)/", 1, 11, "two groups of the name n"),
    ("const r = /\\k<n>(?<m>a)/", 1, 11, "a reference to no group"),
    ("const r = /\\p{L}/u", 1, 11, "\\p is"),
    ("const r = /}/u", 1, 11, "a lone }"),
    ("const r = /(a)\\2/u", 1, 11, "a reference to no group"),
    ("const r = /[\\w-a]/u", 1, 11, "a range of a class"),
    ("const r = /(?=a)*/u", 1, 11, "a quantifier of an assertion"),
    ("const r = /\\-/u", 1, 11, "the escape \\-"),
    ("const r = /a/d", 1, 11, "flag d"),
    ("const r = /a/v", 1, 11, "flag v"),
    ("fetch('x')", 1, 1, "fetch is not defined"),
    ("const f = () => {\n  return process.env\n}", 2, 10, "process is not defined"),
    ("const f = () => eval('1')", 1, 17, "eval is not defined"),
    ("const f = () => new Function('1')", 1, 21, "Function is not defined"),
    ("const p = new Proxy({}, {})", 1, 15, "Proxy is not defined"),
    ("const r = Reflect.ownKeys({})", 1, 11, "Reflect is not defined"),
    ("setTimeout(() => {}, 1)", 1, 1, "setTimeout is not defined"),
    ("const b = Buffer.from('')", 1, 11, "Buffer is not defined"),
    ("const i = Intl", 1, 11, "Intl is not defined"),
    ("const w = new WeakRef({})", 1, 15, "WeakRef is not defined"),
    ("const a = 1; a = 2", 1, 14, "read-only"),
    ("x = 1; let x", 1, 1, "before its declaration"),
    ("let x = x + 1", 1, 9, "before its declaration"),
    ("const f = () => { y(); const y = 1 }", 1, 19, "before its declaration"),
    ("switch (1) { case 0: let a; case 1: a = 5 }", 1, 37, "another case"),
    ("for (const x of x) ;", 1, 17, "before its declaration"),
    ("let __vitra_t = 1", 1, 5, "reserved"),
    ("const babelHelpers = 1", 1, 7, "reserved"),
    ("let \\u0061b = 1", 1, 5, "escapes in names"),
    ("const s = '\ue000'", 1, 12, "U+E000"),
    ("const s = '\\ue123'", 1, 12, "U+E000"),
    ("let a = 1; let a = 2", 1, 16, "declared twice"),
    ("let a; function a () {}", 1, 17, "declared twice"),
    ("var a; function a () {}", 1, 5, "declared twice"),
    ("{ function a () {} function a () {} }", 1, 29, "declared twice"),
    ("for (let a of []) { var a }", 1, 25, "declared twice"),
    ("{ let a; { var a } }", 1, 16, "declared twice"),
    ("try {} catch (a) { let a }", 1, 24, "declared twice"),
    ("try {} catch ([a]) { var a }", 1, 26, "declared twice"),
    ("switch (1) { case 1: let a; case 2: function a () {} }", 1, 46, "declared twice"),
    ("import { index } from 'contract'; let index", 1, 39, "declared twice"),
    ("const f = a => { let a }", 1, 22, "declared twice"),
    ("const f = (a, { b: a }) => 1", 1, 20, "two parameters are named a"),
    ("const f = (...a, b) => 1", 1, 12, "comes last"),
    ("const [...a,] = []", 1, 8, "comes last"),
    ("let eval = 1", 1, 5, "cannot be declared"),
    ("const f = () => { arguments = 1 }", 1, 19, "cannot be declared or assigned"),
    ("const f = ([]) => { 'use strict' }", 1, 21, "'use strict'"),
    ("class A { * constructor () {} }", 1, 11, "a plain method"),
    ("class A { constructor () {} constructor () {} }", 1, 29, "one constructor"),
    ("class A { static prototype = 1 }", 1, 11, "named prototype"),
    ("const o = { set a (...v) {} }", 1, 13, "one parameter"),
    ("const o = { get a (v) { return v } }", 1, 20, "no parameters"),
    ("const o = { __proto__: null, '__proto__': null }", 1, 30, "one __proto__"),
    ("const s = '\\8'", 1, 12, "octal"),
    ("const s = `\\01`", 1, 12, "octal"),
    ("const s = '\\08'", 1, 12, "octal"),
    ("const s = '\\u{110000}'", 1, 12, "no such character"),
    ("if (1) function a () {}", 1, 8, "without a block"),
    ("while (1) let a", 1, 11, "without a block"),
    ("for (;;) class A {}", 1, 10, "without a block"),
    ("a: function b () {}", 1, 4, "without a block"),
    ("function * g () { return yield.x }", 1, 26, "syntax error"),
    ("with (Math) {}", 1, 1, "with is"),
    ("const o = { ...{}, get a () { return 1 } }", 1, 20, "accessors behind a spread"),
    ("const o = { ...{}, __proto__: null }", 1, 11, "__proto__ behind a spread"),
    ("const f = o => (o?.a)()", 1, 16, "leave them out"),
    ("const f = o => new o?.A()", 1, 20, "new with an optional chain"),
    ("function * g () { yield\n(1) }", 1, 19, "same line"),
    ("const g = () => <a/>", 1, 17, "JSX"),
    ("return 1", 1, 1, "outside of function"),
    ("const f = () => { break }", 1, 19, ""),
    ("const o = " + "[" * 200 + "]" * 200, 1, 128, "nested too deeply"),
    ("const a = 08", 1, 11, ""),
    ("import { index } from 'contract'\nindex = 1", 2, 1, "read-only"),
    ("delete globalThis", 1, 1, ""),
]


@pytest.mark.parametrize(("source", "line", "column", "message"), REFUSED)
async def test_refuses_what_cannot_run(source: str, line: int, column: int, message: str) -> None:
    # Only what the first stage lets pass needs the process with the second.
    try:
        front_pass.run(source + APPLY)
    except front_pass.Refusal as found:
        refusal: front_pass.Refusal | ContractSyntaxError = found
    else:
        with pytest.raises(ContractSyntaxError) as raised:
            await compile_contract(source + APPLY)
        refusal = raised.value
    assert message in refusal.message
    assert (refusal.line, refusal.column) == (line, column)


async def test_refusals_of_both_stages_reach_the_caller() -> None:
    for source in ("const x = 1n", "const a = 1; a = 2"):
        with pytest.raises(ContractSyntaxError) as raised:
            await compile_contract(source + APPLY)
        assert raised.value.line == 1
        assert str(raised.value).endswith(f"(line 1, column {raised.value.column})")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("export function get () {}", "exports apply"),
        ("", "exports apply"),
        ("const apply = {}", "exports apply"),
        ("a" * (128 * 1024 + 1), "more than"),
        ("\ud800", "half a character"),
        ("/* \x00 */ export const apply = 1", "NUL"),
    ],
)
async def test_refuses_what_is_no_contract(source: str, message: str) -> None:
    with pytest.raises(ContractSyntaxError, match=message):
        await compile_contract(source)


async def test_names_methods_and_operations() -> None:
    contract = await compiled(
        "const local = (a) => a\n"
        "export function plain (a, b = 1, { c }, ...d) {}\n"
        "export async function later (params, emit) {}\n"
        "export const arrow = x => x\n"
        "export const called = local(local)\n"
        "export const LIMIT = 5\n"
        "export { local as renamed }\n"
        "export default function (e) {}\n"
        "export function process (op) {}\n"
        "export const apply = { A () {}, 'B-1': async () => {}, C: local }\n"
    )
    assert contract.methods == (
        Method("plain", ("a", "b", "{ c }", "...d")),
        Method("later", ("params", "emit")),
        Method("arrow", ("x",)),
        Method("called", ()),
        Method("renamed", ("a",)),
        Method("default", ("e",)),
    )
    assert contract.apply_operations == ("A", "B-1", "C")
    assert contract.has_process
    assert contract.runtime_id == RUNTIME_ID


@pytest.mark.parametrize(
    "apply", ["export function apply () {}", "const t = {}\nexport const apply = { ...t }"]
)
async def test_operations_that_only_running_tells(apply: str) -> None:
    assert (await compiled(apply)).apply_operations is None


async def test_lines_stay_where_they_are() -> None:
    source = (
        "const o = {\n  a: 1\n}\n"
        "export const f = async ({\n  x = o\n    ?.a\n    ?.b ?? 2\n}) => {\n"
        "  await (x)\n    .y\n}\n"
        "export const apply = {}\n"
        "const o = 2\n"
    )
    with pytest.raises(ContractSyntaxError, match="declared twice") as refusal:
        await compile_contract(source)
    assert (refusal.value.line, refusal.value.column) == (13, 7)


async def test_cache_gives_the_same(tmp_path: Path) -> None:
    source = "export const apply = { A () {} }"
    first = await compile_contract(source, cache_dir=tmp_path)
    (name,) = os.listdir(tmp_path)
    assert await compile_contract(source, cache_dir=tmp_path) == first
    # A torn file is compiled again.
    os.truncate(tmp_path / name, 100)
    assert await compile_contract(source, cache_dir=tmp_path) == first
    assert await compile_contract(source + "\n", cache_dir=tmp_path) != first
    assert len(os.listdir(tmp_path)) == 2


async def test_refusals_are_not_cached(tmp_path: Path) -> None:
    with pytest.raises(ContractSyntaxError):
        await compile_contract("nope(", cache_dir=tmp_path)
    assert not os.listdir(tmp_path)


def test_runtime_id_names_the_engine() -> None:
    release, engine, package, digest = RUNTIME_ID.split("/")
    # What to install to have it: this release, or an earlier one with the same runtime.
    assert Version(release.removeprefix("vitra-")) <= Version(__version__)
    assert engine == "duktape-29999"
    assert package == "dukpy-0.5.1"
    assert len(digest) == 32
