"""The dot-commands: what each is for, and which command of the command line answers it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...config import read_config
from ...errors import NotFound, UsageProblem
from ..exit_codes import DONE
from ..main import run
from .lines import call_arguments, words_of
from .session import ShellSession

Action = Callable[[ShellSession, str], int]
Ask = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class DotCommand:
    """One command of the shell.

    Attributes:
      name: with its dot.
      takes: what stands behind it, for ``.help``.
      sentence: what it does.
      completes: what kind of thing is to be completed behind it; see ``completion``.
      action: runs it with the rest of the line; gives an exit code, or raises VitraError.
    """

    name: str
    takes: str
    sentence: str
    completes: str
    action: Action


class EndOfSession(Exception):
    """The user wants to leave."""


def _same_as(*words: str, least: int = 0, most: int = 0) -> Action:
    """Answered by a command of the command line, with between ``least`` and ``most`` arguments."""

    def action(session: ShellSession, rest: str) -> int:
        given = words_of(rest)
        if not least <= len(given) <= most:
            raise UsageProblem(
                f"This takes {_amount(least, most)}, and {len(given)} were given.",
                unchanged="Nothing was done.",
                advice="See .help.",
            )
        return _on_database(session, [*words, *_behind_options(given)])

    return action


def _call(session: ShellSession, rest: str) -> int:
    return _on_database(session, ["call", *call_arguments(rest)])


def _use(session: ShellSession, rest: str) -> int:
    session.use(_path(rest, "a directory"))
    return _status(session, "")


def _init(session: ShellSession, rest: str) -> int:
    directory = session.require_directory()
    contract = _path(rest, "the file of a contract")
    code = run(["init", "--dir", str(directory), "--", str(contract)])
    if code == DONE:
        session.serve()
    return code


def _load(session: ShellSession, rest: str) -> int:
    directory = session.require_directory()
    words = words_of(rest)
    if not words:
        raise UsageProblem(".load needs the key of a database.", advice="See .help.")
    code = run(["join", *session.network_options, *words, "--dir", str(directory)])
    if code == DONE and not session.held:
        session.serve()
    return code


def _destroy(ask: Ask) -> Action:
    def action(session: ShellSession, rest: str) -> int:
        directory = session.require_directory()
        if not ask(f"Delete the database in {directory}, keys and all? Nobody can bring it back."):
            session.output.narrate("Nothing was deleted.")
            return DONE
        session.stop_node()
        return run(["destroy", "--yes", "--dir", str(directory)])

    return action


def _background(session: ShellSession, rest: str) -> int:
    _require_database(session)
    session.to_background()
    return DONE


def _foreground(session: ShellSession, rest: str) -> int:
    _require_database(session)
    session.to_foreground()
    return DONE


def _status(session: ShellSession, rest: str) -> int:
    session.output.narrate(f"directory  {session.directory or '(none)'}")
    if session.directory is None:
        return DONE
    code = run(["status", "--dir", str(session.directory)])
    if session.held:
        session.output.narrate("It runs in this session, and ends with it.")
    return code


def _test(session: ShellSession, rest: str) -> int:
    contract = _path(rest, "the file of a contract")
    command = [sys.executable, "-m", "vitra_node.cli", "test", "--", str(contract)]
    return subprocess.run(command, check=False).returncode


def _help(session: ShellSession, rest: str) -> int:
    lines = [f"{f'{c.name} {c.takes}':<34}{c.sentence}" for c in command_table(lambda _: False)]
    session.output.result(None, "\n".join(lines))
    return DONE


def _exit(session: ShellSession, rest: str) -> int:
    raise EndOfSession


def command_table(ask: Ask) -> tuple[DotCommand, ...]:
    """All commands, in the order of the alphabet; ``ask`` is for those that cannot be undone."""
    return (
        DotCommand(".bg", "", "Let the database run on without this session.", "", _background),
        DotCommand(".call", "METHOD [--name value]...", "Call a method.", "call", _call),
        DotCommand(
            ".deloplog",
            "KEY",
            "Give up an oplog of our own.",
            "oplog",
            _same_as("oplog", "rm", least=1, most=1),
        ),
        DotCommand(".destroy", "", "Delete the database, keys and all.", "", _destroy(ask)),
        DotCommand(".exit", "", "End the session.", "", _exit),
        DotCommand(".fg", "", "Take the database into this session.", "", _foreground),
        DotCommand(
            ".fraud",
            "ID",
            "Show a fraud proof.",
            "fraud",
            _same_as("fraud", "show", least=1, most=1),
        ),
        DotCommand(".fraudlist", "", "List the fraud proofs.", "", _same_as("fraud", "ls")),
        DotCommand(
            ".get", "PATH", "Print the value at a path.", "path", _same_as("get", least=1, most=1)
        ),
        DotCommand(".help", "", "Print this list.", "", _help),
        DotCommand(
            ".history",
            "[index|local|KEY]",
            "Print a log, block by block.",
            "log",
            _same_as("history", most=1),
        ),
        DotCommand(".info", "", "Show key, role, index and oplogs.", "", _same_as("info")),
        DotCommand(".init", "CONTRACT.js", "Make a database here from a contract.", "file", _init),
        DotCommand(
            ".list", "[PATH]", "List the entries below a path.", "path", _same_as("ls", most=1)
        ),
        DotCommand(
            ".load", "KEY [--peer HOST:PORT]", "Get a database by its key to here.", "", _load
        ),
        DotCommand(".methods", "", "List the methods of the contract.", "", _same_as("methods")),
        DotCommand(".mkoplog", "", "Make an oplog of our own.", "", _same_as("oplog", "new")),
        DotCommand(
            ".monitor", "", "Verify the database as it grows.", "", _same_as("monitor", "start")
        ),
        DotCommand(".monitorend", "", "End that.", "", _same_as("monitor", "stop")),
        DotCommand(".source", "", "Print the source of the contract.", "", _same_as("source")),
        DotCommand(".status", "", "Show the session and its node.", "", _status),
        DotCommand(".sync", "", "Learn the newest state from the peers.", "", _same_as("sync")),
        DotCommand(".syncall", "", "Fetch the whole history.", "", _same_as("sync", "--full")),
        DotCommand(
            ".test", "CONTRACT.js", "Try a contract in a sandbox; Ctrl-D ends it.", "file", _test
        ),
        DotCommand(
            ".tx",
            "ID",
            "Show a transaction made here.",
            "tx",
            _same_as("tx", "show", least=1, most=1),
        ),
        DotCommand(".txlist", "", "List the transactions made here.", "", _same_as("tx", "ls")),
        DotCommand(
            ".txverify",
            "ID",
            "Check that a transaction stands.",
            "tx",
            _same_as("tx", "verify", least=1, most=1),
        ),
        DotCommand(".use", "PATH", "Work in this directory.", "directory", _use),
        DotCommand(".verify", "", "Replay the database and compare.", "", _same_as("verify")),
    )


def _on_database(session: ShellSession, arguments: Sequence[str]) -> int:
    directory = _require_database(session)
    command, *rest = arguments
    return run([command, "--dir", str(directory), *rest])


def _require_database(session: ShellSession) -> Path:
    directory = session.require_directory()
    if read_config(directory).key is None:
        raise NotFound(
            f"There is no database in {directory}.",
            advice="Make one with .init CONTRACT.js, or get one with .load KEY.",
        )
    return directory


def _path(rest: str, what: str) -> Path:
    words = words_of(rest)
    if len(words) != 1:
        raise UsageProblem(
            f"This needs {what}.", unchanged="Nothing was done.", advice="See .help."
        )
    return Path(words[0]).expanduser().absolute()


def _behind_options(given: Sequence[str]) -> list[str]:
    """So that a path or id that begins with a dash is taken for no option."""
    return ["--", *given] if given else []


def _amount(least: int, most: int) -> str:
    if most == 0:
        return "no arguments"
    return "one argument" if least == most == 1 else "at most one argument"
