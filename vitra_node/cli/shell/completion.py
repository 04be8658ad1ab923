"""What can stand where the cursor is: commands, methods, parameters, paths, keys and ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from ...api.client import ControlClient
from ...errors import VitraError
from ..output import safe_text
from .commands import DotCommand
from .session import ShellSession

# What is offered at once; more cannot be looked through.
MAX_OFFERED = 200

Candidates = Iterator[tuple[str, str]]


class ShellCompleter(Completer):
    """Completes from the table of commands and from what the node answers at that moment.

    Error handling: a node that is gone or fails completes nothing.
    """

    def __init__(self, session: ShellSession, commands: Mapping[str, DotCommand]) -> None:
        self._session = session
        self._commands = commands
        self._files = PathCompleter(expanduser=True)
        self._directories = PathCompleter(expanduser=True, only_directories=True)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """See ``Completer.get_completions``."""
        before = document.text_before_cursor.lstrip()
        name, space, rest = before.partition(" ")
        if not space:
            yield from self._named(name)
            return
        command = self._commands.get(name)
        if command is None:
            return
        if command.completes in ("file", "directory"):
            files = self._files if command.completes == "file" else self._directories
            yield from files.get_completions(Document(rest), complete_event)
            return
        word = rest.rpartition(" ")[2]
        try:
            for text, meta in self._candidates(command.completes, rest, word):
                yield Completion(text, -len(word), display_meta=meta)
        except VitraError:
            return

    def _named(self, begun: str) -> Iterator[Completion]:
        for command in self._commands.values():
            if command.name.startswith(begun):
                yield Completion(command.name, -len(begun), display_meta=command.sentence)

    def _candidates(self, kind: str, rest: str, word: str) -> Candidates:
        find = _FINDERS.get(kind)
        if find is None:
            return
        with closing(self._session.connect()) as client:
            for text, meta in find(client, rest, word):
                # What a stranger wrote is not offered where it would steer the terminal.
                if text.startswith(word) and safe_text(text) == text:
                    yield text, safe_text(meta)


def _methods(client: ControlClient, rest: str, word: str) -> Candidates:
    methods = {method["name"]: method["params"] for method in client.call("contract.methods")}
    method, space, given = rest.partition(" ")
    if not space:
        for name, params in methods.items():
            yield name, f"({', '.join(params)})"
        return
    for param in _parameter_names(methods.get(method, [])):
        if f"--{param} " not in f"{given} ":
            yield f"--{param}", f"parameter of {method}"


def _parameter_names(params: Iterable[str]) -> Iterator[str]:
    """The names a caller may give: those of a destructured first parameter, or the parameter."""
    for param in params:
        inside = param.strip().removeprefix("{").removesuffix("}")
        for part in inside.split(","):
            name = part.partition("=")[0].partition(":")[0].strip()
            if name.isidentifier() and name not in ("emit", "opts", "params"):
                yield name


def _paths(client: ControlClient, rest: str, word: str) -> Candidates:
    parent = word.rpartition("/")[0] or "/"
    for entry in client.call("index.list", path=parent, limit=MAX_OFFERED):
        container = entry["container"]
        yield entry["path"] + ("/" if container else ""), "" if container else "value"


def _oplogs(client: ControlClient, rest: str, word: str) -> Candidates:
    for oplog in client.call("oplog.list"):
        yield oplog["key"], "ours" if oplog["writable"] else "oplog"


def _logs(client: ControlClient, rest: str, word: str) -> Candidates:
    yield "index", "the index log"
    yield "local", "our own oplog"
    yield from _oplogs(client, rest, word)


def _transactions(client: ControlClient, rest: str, word: str) -> Candidates:
    for transaction in reversed(client.call("tx.list")):
        yield transaction["tx"], f"{transaction['method']}, {transaction['stage']}"


def _frauds(client: ControlClient, rest: str, word: str) -> Candidates:
    for fraud in client.call("fraud.list"):
        yield fraud["id"], str(fraud["code"])


_FINDERS: dict[str, Callable[[ControlClient, str, str], Candidates]] = {
    "call": _methods,
    "path": _paths,
    "oplog": _oplogs,
    "log": _logs,
    "tx": _transactions,
    "fraud": _frauds,
}


def offered(completer: ShellCompleter, text: str) -> list[Any]:
    """What is offered for a line with the cursor at its end."""
    return list(completer.get_completions(Document(text), CompleteEvent()))
