"""Requests, results and reads in the form that the prelude's runtime takes and gives."""

from __future__ import annotations

from typing import Any

from .engine import (
    AddOplog,
    ApplyRequest,
    ApplyResult,
    Change,
    CompiledContract,
    ConsoleLine,
    Delete,
    Entry,
    Host,
    ListOptions,
    Put,
    Read,
    RemoveOplog,
    SetSource,
)
from .errors import ContractValueError, WorkerFault
from .wire import Message, WireEncoder, encode_message, to_wire


def encode_request(request: ApplyRequest) -> dict[str, Any]:
    """The JSON form of one operation to apply.

    One that holds what contracts cannot be given is sent as the text of its failure.
    """
    ack = request.ack
    encoder = WireEncoder()
    try:
        return {
            "op": encoder.encode(request.op),
            "tags": encoder.has_tags,
            "origin": ack.origin,
            "seq": ack.seq,
            "ts": ack.ts,
            "m": to_wire(ack.metadata),
            "process": request.run_process,
        }
    except ContractValueError as error:
        return {"refused": f"TypeError: the operation is no value: {error}"}


def result_of(message: Message, result: dict[str, Any], compiled: CompiledContract) -> ApplyResult:
    """The result of one operation in a worker's message.

    Raises:
      WorkerFault: it is malformed.
    """
    try:
        error = result.get("e")
        return ApplyResult(
            success=error is None,
            error=error,
            metadata=message.value(result["m"]),
            changes=tuple([_change(message, change) for change in result["c"]]),
            reads=tuple([_read(read) for read in result["r"]]),
            position=compiled.position(result.get("l")),
            printed=printed_lines(result),
            fuel=float(result["f"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as reason:
        raise WorkerFault(f"the worker sent a malformed result: {reason!r}") from reason


def printed_lines(content: dict[str, Any]) -> tuple[ConsoleLine, ...]:
    """What the contract wrote to its console."""
    return tuple([ConsoleLine(level, text) for level, text in content.get("o", ())])


def _change(message: Message, change: list[Any]) -> Change:
    kind = change[0]
    if kind == "p":
        return Put(change[1], message.value(change[2]))
    if kind == "d":
        return Delete(change[1])
    if kind == "a":
        return AddOplog(bytes.fromhex(change[1]))
    if kind == "r":
        return RemoveOplog(bytes.fromhex(change[1]))
    if kind == "s":
        return SetSource(change[1])
    raise ValueError(kind)


def _read(read: list[Any]) -> Read:
    return Read(read[0]) if len(read) == 1 else Read(read[0], ListOptions(**read[1]))


async def answer_read(message: Message, host: Host) -> bytes:
    """Ask the host what the contract wants to know, and encode the answer.

    Raises:
      ContractValueError: the index holds what no contract can be given.
    """
    kind = message["t"]
    answer: Any
    if kind == "get":
        entry = await host.get(message["p"])
        answer = None if entry is None else _entry(entry)
    elif kind == "list":
        options = ListOptions(**message["o"])
        answer = [_entry(entry) for entry in await host.list(message["p"], options)]
    elif kind == "oplogs":
        answer = [
            {"p": oplog.public_key, "l": oplog.length, "a": oplog.active}
            for oplog in await host.oplogs()
        ]
    elif kind == "writer":
        answer = await host.is_writer()
    else:
        oplog = await host.local_oplog()
        answer = oplog and {"p": oplog.public_key, "l": oplog.length, "a": oplog.active}
    return encode_message(answer)


def _entry(entry: Entry) -> dict[str, Any]:
    return {"c": entry.container, "s": entry.seq, "p": entry.path, "v": to_wire(entry.value)}
