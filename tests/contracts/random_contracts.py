"""Random contracts: handlers of statements, most sensible, some odd, some that fail.

Each handler ends by itself; what costs all fuel is rare, because it costs time. Their operations
are ``{op, path, value, n}``, and whatever else an oplog can hold. Most operations succeed: one odd
path or value makes a handler fail, and then nothing else in it counts.
"""

from __future__ import annotations

import random

# How often a place in a contract holds what is odd: there are about ten in a handler.
_ODD_PLACES = 0.04

_PATHS = [
    "op.path", "op.path", "'/a'", "'/a/b'", "`/k/${op.n}`", "`/k/${op.n % 3}/${ack.seq % 5}`",
    "'/é/😀'", "'/' + 'x'.repeat(op.n + 1)", "'/n' + Math.floor(op.n / 2)", "'/' + [op.n]",
]  # fmt: skip
_ODD_PATHS = [
    "'/x'.repeat(op.n)", "`/${op.value}`", "'/a//b'", "''", "'/.sys/x'",
    "'/.sys/contract/source'", "ack.origin",
]  # fmt: skip
_FOLDERS = ["'/'", "'/k'", "'/a'", "`/k/${op.n % 3}`", "'/.sys/inputs'", "'/nothing'"]
_ODD_FOLDERS = ["op.path", "'/a//'", "ack.origin"]
_OPTIONS = [
    "{}", "{ limit: 3 }", "{ reverse: true, limit: 2 }", "{ gte: 'a', lt: 'b' }", "{ gt: '1' }",
    "{ offset: 1, limit: 2 }", "{ lte: String(op.n) }", "undefined", "{ limit: 0 }",
    "{ gte: op.path }", "{ limit: op.n }",
]  # fmt: skip
_VALUES = [
    "op.value", "op.value", "op", "op.n", "null", "-0", "0.1 * op.n", "[op.value, op.path]",
    "{ [op.path]: op.value }", "new Date(ack.ts)", "Uint8Array.of(op.n, 255)", "String(op.value)",
    "JSON.stringify(op)", "ack.metadata", "Date.now()",
    "Object.keys(Object(op.value))", "[...String(op.path)].length",
    "Math.sin(op.n) ** 3", "{ n: op.n }",
    "/(?<w>\\w+)/.exec(op.path)?.groups.w ?? null", "`${op.path}`.split('/').sort()",
]  # fmt: skip
_ODD_VALUES = [
    "undefined", "NaN", "() => 1", "new Map([[op.n, op.value]])", "new Set([op.n])", "[, op.n]",
    "op.value?.a?.b", "x", "{ x, n: op.n }",
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
    "if ({condition}) { {statement} } else { {statement} }",
    "try { {statement}; {statement} } catch (e) { tx.put('/caught', e.message) }",
    "for (let i = 0; i < op.n % 4; i++) { {statement} }",
    "await Promise.all([1, 2].map(async i => { await null; tx.put(`/p/${i}`, {value}) }))",
    "if ({condition}) return",
    "x = {value}", "x = tx.get({path})", "x = await listOplogs()", "console.log(op.n, {value})",
]  # fmt: skip
# What they change ends a group of operations: where they were common, all groups would be small.
_RULE_CHANGES = [
    "tx.addOplog({ pubkey: String(op.n % 8).repeat(64) })",
    "tx.removeOplog({ pubkey: String(op.n % 8).repeat(64) })",
    "tx.setContractSource({ code: (await index.get('/.sys/contract/source')).value })",
]
_ODD_STATEMENTS = [

    "if ({condition}) throw new RangeError(`no ${x} ${op.n}`)", "assert({condition}, 'not so')",
    "Promise.resolve().then(() => tx.put('/late', {value}))",
    "queueMicrotask(() => { {statement} })",
]  # fmt: skip

HANDLERS = 14
# The handlers of their own kind, and how often an operation is for one of them.
_RULES, _COST = HANDLERS - 2, HANDLERS - 1
_FOR_RULES, _FOR_COST = 0.01, 0.0005
_MAKERS = {
    "{path}": (_PATHS, _ODD_PATHS), "{folder}": (_FOLDERS, _ODD_FOLDERS),
    "{options}": (_OPTIONS, _OPTIONS), "{value}": (_VALUES, _ODD_VALUES),
    "{condition}": (_CONDITIONS, _CONDITIONS),
}  # fmt: skip


def contract(source: random.Random) -> str:
    """One contract, with handlers ``H0`` and so on.

    One of them changes the members or the source, and the last costs what there is.
    """
    handlers = [_body(source) for _ in range(HANDLERS)]
    handlers[_RULES] += f"; {source.choice(_RULE_CHANGES)}"
    handlers[_COST] = source.choice(_COSTLY)
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
        text = _choice(source, _STATEMENTS, _ODD_STATEMENTS)
        is_simple = "{statement}" not in text and "await" not in text and "return" not in text
        if depth == 2 or is_simple:
            break
    while "{statement}" in text:
        text = text.replace("{statement}", _statement(source, depth - 1), 1)
    for mark, (sound, odd) in _MAKERS.items():
        while mark in text:
            text = text.replace(mark, _choice(source, sound, odd), 1)
    return text


def _choice(source: random.Random, sound: list[str], odd: list[str]) -> str:
    return source.choice(odd if source.random() < _ODD_PLACES else sound)


def operation_kind(source: random.Random) -> str:
    """The handler of the next operation."""
    chance = source.random()
    if chance < _FOR_COST:
        return f"H{_COST}"
    if chance < _FOR_COST + _FOR_RULES:
        return f"H{_RULES}"
    return f"H{source.randrange(_RULES)}"
