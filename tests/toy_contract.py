"""A contract in Python that can do everything a contract can do to an index."""

from __future__ import annotations

from typing import Any

from protocol.transparency.changes import (
    AddOplog,
    Change,
    Delete,
    Put,
    RemoveOplog,
    SetSource,
)
from protocol.transparency.records import Ack

from .replay_world import ContractThrewError, Read

ALICE, BOB, CAROL = b"A" * 32, b"B" * 32, b"C" * 32


def toy(read: Read, op: Any, ack: Ack) -> list[Change]:
    """Apply one operation, a map with the method's name under ``op``."""
    if not isinstance(op, dict):
        raise ContractThrewError("not a map")
    name = op.get("op")
    if name == "increment":
        return [Put("/counter", count(read) + op.get("amount", 1))]
    if name == "put":
        return [Put(path, value) for path, value in op["entries"].items()]
    if name == "delete":
        return [Delete(path) for path in op["paths"]]
    if name == "copy":
        return [Put(op["to"], read(op["from"]))]
    if name == "store-ack":
        seen = {"origin": ack.origin.hex(), "seq": ack.seq, "ts": ack.ts, "m": ack.metadata}
        return [Put("/last", seen)]
    if name == "read-ack":
        return [Put("/ack", read(op["path"]))]
    if name == "nop":
        return []
    if name == "throw":
        raise ContractThrewError(op.get("text", "boom"))
    return governance(name, op)


def count(read: Read) -> int:
    """The counter so far."""
    value = read("/counter") or 0
    if not isinstance(value, int):
        raise ContractThrewError("the counter is no number")
    return value


def governance(name: Any, op: dict[str, Any]) -> list[Change]:
    """Operations that change participants or the contract itself."""
    if name == "admit":
        return [AddOplog(op["key"])]
    if name == "expel":
        return [RemoveOplog(op["key"])]
    if name == "source":
        return [SetSource(op["code"]), Put("/version", op["code"])]
    raise ContractThrewError("no such method")


def doubling(read: Read, op: Any, ack: Ack) -> list[Change]:
    """A later version of the toy: increments count twice."""
    if isinstance(op, dict) and op.get("op") == "increment":
        return [Put("/counter", count(read) + 2 * op.get("amount", 1))]
    return toy(read, op, ack)
