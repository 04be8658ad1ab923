"""Random contracts: handlers of statements, most sensible, some odd, some that fail.

Each handler ends by itself; what costs all fuel is rare, because it costs time. Their operations
are ``{op, path, value, n}``, and whatever else an oplog can hold.
"""

from __future__ import annotations

import random

_PATHS = [
    "op.path", "op.path", "'/a'", "'/a/b'", "`/k/${op.n}`", "`/k/${op.n % 3}/${ack.seq % 5}`",
    "'/é/😀'", "'/x'.repeat(op.n)", "`/${op.value}`", "'/a//b'", "''", "'/.sys/x'",
    "'/.sys/contract/source'", "ack.origin", "'/n' + Math.floor(op.n / 2)", "'/' + [op.n]",
]  # fmt: skip
_FOLDERS = ["'/'", "'/k'", "'/a'", "op.path", "`/k/${op.n % 3}`", "'/.sys/inputs'", "'/nothing'"]
_OPTIONS = [
    "{}", "{ limit: 3 }", "{ reverse: true, limit: 2 }", "{ gte: 'a', lt: 'b' }", "{ gt: '1' }",
    "{ offset: 1, limit: 2 }", "{ lte: String(op.n) }", "undefined", "{ limit: 0 }",
    "{ gte: op.path }", "{ limit: op.n }",
]  # fmt: skip
_VALUES = [
    "op.value", "op.value", "op", "op.n", "null", "-0", "0.1 * op.n", "[op.value, op.path]",
    "{ [op.path]: op.value }", "new Date(ack.ts)", "Uint8Array.of(op.n, 255)", "String(op.value)",
    "JSON.stringify(op)", "ack.metadata", "Date.now()", "undefined", "NaN", "() => 1",
    "Object.keys(Object(op.value))", "new Map([[op.n, op.value]])", "[...String(op.path)].length",
    "Math.sin(op.n) ** 3", "new Set([op.n])", "x", "{ x, n: op.n }", "[, op.n]", "op.value?.a?.b",
    "/(?<w>\\w+)/.exec(op.path)?.groups.w ?? null", "`${op.path}`.split('/').sort()",
]  # fmt: skip
_CONDITIONS = [
    "op.n % 2", "op.n > 5", "op.value", "typeof op.value === 'string'", "x", "ack.seq % 3 === 0",
    "op.path.length > 3", "Array.isArray(op.value)", "tx.get(op.path)",
]  # fmt: skip
_COSTLY = [
    "for (;;) tx.put('/loop', op.n)",
    "let s = 'x'; for (;;) s = s.split('').join('yy')",
    "const f = () => f(); f()",
    "for (;;) await null",
]
_STATEMENTS = [
    "tx.put({path}, {value})", "tx.put({path}, {value})", "tx.put({path}, {value})",
    "tx.delete({path})", "tx.delete({path})",
    "x = (await index.get({path}))?.value",
    "tx.put({path}, (typeof x === 'number' ? x : 0) + op.n)",
    "x = (await index.list({folder}, {options})).map(e => [e.name, e.container, e.seq, e.value])",
    "for (const e of await index.list({folder}, {options})) tx.delete(e.path)",
    "if ({condition}) throw new RangeError(`no ${x} ${op.n}`)",
    "if ({condition}) { {statement} } else { {statement} }",
    "try { {statement}; {statement} } catch (e) { tx.put('/caught', e.message) }",
    "for (let i = 0; i < op.n % 4; i++) { {statement} }",
    "await Promise.all([1, 2].map(async i => { await null; tx.put(`/p/${i}`, {value}) }))",
    "Promise.resolve().then(() => tx.put('/late', {value}))",
    "if ({condition}) return",
    "x = {value}", "x = tx.get({path})", "x = await listOplogs()", "console.log(op.n, {value})",
    "tx.addOplog({ pubkey: String(op.n % 8).repeat(64) })",
    "tx.removeOplog({ pubkey: String(op.n % 8).repeat(64) })",
    "tx.setContractSource({ code: (await index.get('/.sys/contract/source')).value })",
    "assert({condition}, 'not so')",
    "queueMicrotask(() => { {statement} })",
]  # fmt: skip

OPERATIONS = 8
_MAKERS = {
    "{path}": _PATHS, "{folder}": _FOLDERS, "{options}": _OPTIONS, "{value}": _VALUES,
    "{condition}": _CONDITIONS,
}  # fmt: skip


def contract(source: random.Random) -> str:
    """One contract, with handlers ``H0`` to ``H7``; the last costs what there is."""
    handlers = [_body(source) for _ in range(OPERATIONS - 1)]
    handlers.append(source.choice(_COSTLY))
    lines = [
        f"  async H{number} (tx, op, ack) {{ let x; {body} }},\n"
        for number, body in enumerate(handlers)
    ]
    return (
        "import assert from 'assert'\nimport { index, listOplogs } from 'contract'\n"
        "export const process = op => ({ size: JSON.stringify(op ?? null).length })\n"
        f"export const apply = {{\n{''.join(lines)}}}\n"
    )


def _body(source: random.Random) -> str:
    return "; ".join(_statement(source, 2) for _ in range(source.randint(1, 4)))


def _statement(source: random.Random, depth: int) -> str:
    while True:
        text = source.choice(_STATEMENTS)
        is_simple = "{statement}" not in text and "await" not in text and "return" not in text
        if depth == 2 or is_simple:
            break
    while "{statement}" in text:
        text = text.replace("{statement}", _statement(source, depth - 1), 1)
    for mark, choices in _MAKERS.items():
        while mark in text:
            text = text.replace(mark, source.choice(choices), 1)
    return text


def operation_kind(source: random.Random) -> str:
    """The handler of the next operation."""
    number = OPERATIONS - 1 if source.random() < 0.001 else source.randrange(OPERATIONS - 1)
    return f"H{number}"
