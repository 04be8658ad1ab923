"""Random operations for contracts: most make sense, some are odd, some are no operations at all."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import vitra_node.contracts
from protocol.encoding.msgpack import Date, pack
from tests.contracts import random_contracts

_EXAMPLES = Path(vitra_node.contracts.__file__).parent / "examples"
EXAMPLES = ("counter", "kv-store", "membership-voting", "key-registry", "package-registry")

_ODD = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**53,
    5e-324,
    1e300,
    "",
    "é😀",
    "\x00",
    "\x01",
    "/",
    b"",
    b"\xff\x00",
    [],
    {},
    [None],
    {"$": 1},
    {"$$": [1]},
    {"__proto__": 1},
    {"": {"a": [1, {"b": None}]}},
    Date(0),
    "x" * 3000,
    list(range(50)),
    "\uffff",
    "constructor",
    "-0",
    {"op": {"op": 1}},
]
_PATHS = [
    "/a",
    "/a/b",
    "/a/b/c",
    "/b",
    "/é",
    "/😀/x",
    "/a\x01b",
    "/\uffff",
    "/.sysx",
    "/a/.sys",
    "/" + "x" * 500,
    "/..",
    "/a b",
    "/%2f",
]
# No operation may write there.
_ODD_PATHS = [
    "",
    "a",
    "/",
    "//",
    "/a/",
    "/a//b",
    "/.sys",
    "/.sys/contract/source",
    "/.sys/acks/x",
    "/a\x00b",
    "/" + "y" * 5000,
    5,
    None,
]
_BLOCKS = [
    b"",
    b"\xc1",
    b"\xff\xff",
    b"not msgpack at all",
    b"\x82\xa1a\x01",
    pack([1, 2]),
    pack("op"),
]

# Handlers of random contracts, one a line; K is a number of the contract's own.
_HANDLERS = Path(__file__).with_name("random_handlers.txt").read_text().splitlines()


class OperationSource:
    """A contract and operations for it, of one seed."""

    def __init__(self, name: str, seed: int) -> None:
        self._random = random.Random(f"{name} {seed}")
        self.name = name
        self._handlers = self._random.sample(range(len(_HANDLERS)), 8) if name == "random" else []
        self._keys = [f"{number:02x}" * 32 for number in range(4)]

    def contract(self) -> str:
        """The source."""
        if self.name == "composed":
            return random_contracts.contract(self._random)
        if self.name != "random":
            return (_EXAMPLES / f"{self.name}.js").read_text()
        lines = [
            f"  H{number}: {_named(_HANDLERS[number], self._random.randint(1, 40))},\n"
            for number in self._handlers
        ]
        head = "import { index, listOplogs } from 'contract'\n"
        process = "export const process = op => ({ size: JSON.stringify(op ?? null).length })\n"
        return f"{head}{process}export const apply = {{\n{''.join(lines)}}}\n"

    def block(self) -> bytes:
        """One block of an oplog."""
        chance = self._random.random()
        if chance < 0.02:
            return self._random.choice(_BLOCKS)
        if chance < 0.05:
            return pack(self._value())
        operation = self._operation()
        if chance < 0.11:
            # A counter that once was no number stays none.
            fields = ["op"] if self.name == "counter" else sorted(operation)
            operation[self._random.choice(fields)] = self._value()
        return pack(operation)

    def _value(self) -> Any:
        return self._random.choice(_ODD)

    def _path(self) -> Any:
        odd = self._random.random() < 0.08
        return self._random.choice(_ODD_PATHS if odd else _PATHS)

    def _operation(self) -> dict[str, Any]:
        pick = self._random.choice
        if self.name == "counter":
            return {"op": "INCREMENT", "amount": pick([1, 2, -3, 0.1])}
        if self.name == "kv-store":
            if self._random.random() < 0.3:
                return {"op": "DEL", "path": self._path()}
            return {"op": "PUT", "path": self._path(), "value": self._value()}
        if self.name == "membership-voting":
            return {"op": "VOTE", "action": pick(["add", "remove"]), "pubkey": pick(self._keys)}
        if self.name == "key-registry":
            fields = {"name": f"user-{self._random.randrange(300)}", "key": pick(self._keys)}
            kind = pick(["REGISTER", "ROTATE", "ROTATE", "REVOKE"])
            return {"op": kind, **fields, "next": pick(self._keys)}
        if self.name == "package-registry":
            return self._package()
        if self.name == "composed":
            if self._random.random() < 0.01:
                return {"op": "/.sys/rollback", "to": self._random.choice([1, 0, 2, 40, -1, "1"])}
            kind = random_contracts.operation_kind(self._random)
            return {"op": kind, "path": self._path(), "value": self._value(),
                    "n": self._random.randrange(10)}  # fmt: skip
        kind = f"H{pick(self._handlers)}"
        return {"op": kind, "path": self._path(), "value": self._value()}

    def _package(self) -> dict[str, Any]:
        pick = self._random.choice
        name = pick(["left", "right", "core"])
        version = f"{pick([0, 1])}.{self._random.randrange(40)}.{self._random.randrange(9)}"
        kind = pick(["PUBLISH", "PUBLISH", "PUBLISH", "YANK", "MAINTAINER"])
        if kind == "PUBLISH":
            wanted = {pick(["left", "core"]): pick(["*", "^1.0.0", "~0.2.0", ">=0.1.0", "1.2"])}
            dependencies = wanted if self._random.random() < 0.3 else {}
            return {"op": kind, "name": name, "version": version, "hash": self._keys[0],
                    "dependencies": dependencies}  # fmt: skip
        if kind == "YANK":
            return {"op": kind, "name": name, "version": version, "reason": "broken"}
        return {"op": kind, "name": name, "pubkey": pick(self._keys),
                "remove": self._random.random() < 0.5}  # fmt: skip


def _named(handler: str, number: int) -> str:
    text = handler.replace("K", str(number))
    return (
        text.replace("(", "function (", 1) if text.startswith("(") else "async function " + text[6:]
    )
