"""The loop: a line, its command, the next line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...config import read_config
from ...errors import UsageProblem
from ..exit_codes import DONE, failure_of
from ..settings import Settings, takes_settings
from ..shell.announcer import Announcer
from ..shell.commands import DotCommand, EndOfSession, command_table
from ..shell.lines import split_line
from ..shell.session import ShellSession
from ..swarm_flags import given_bootstrap, takes_swarm_flags

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

WELCOME = "Type .help for the commands, Tab to complete, Ctrl-D to leave."


@click.command()
@click.option(
    "--listen", metavar="HOST:PORT", help="As for `vitra serve`, for the session's nodes."
)
@takes_swarm_flags
@takes_settings
def shell(settings: Settings, listen: str | None, bootstrap: str | None, no_swarm: bool) -> int:
    """Work with databases in a session: one line, one command.

    The database in use runs in a process that ends with the session, unless .bg lets it go on.
    Lines that are piped in run one after the other; the exit code is that of the first failure.
    """
    # Refused now rather than when the first node starts.
    given_bootstrap(bootstrap)
    network = ["--no-swarm"] if no_swarm else []
    network += [] if bootstrap is None else ["--bootstrap", bootstrap]
    listening = ["--listen", listen] if listen else []
    session = ShellSession(settings.output, [*listening, *network], network)
    try:
        with suppress(EndOfSession):
            if sys.stdin.isatty():
                _converse(session, settings.directory)
                return DONE
            return _run_all(session, settings.directory)
    finally:
        session.close()
    return DONE


def run_line(session: ShellSession, commands: Mapping[str, DotCommand], line: str) -> int:
    """Run one line; failures are told, and give their exit code. Raises EndOfSession."""
    name, rest = split_line(line)
    if not name or name.startswith("#"):
        return DONE
    try:
        command = commands.get(name)
        if command is None:
            raise UsageProblem(
                f"There is no command {name}.", unchanged="Nothing was done.", advice="See .help."
            )
        return command.action(session, rest)
    except EndOfSession:
        raise
    except SystemExit:
        return DONE
    except BaseException as error:
        failure = failure_of(error)
        session.output.failure(failure)
        return failure.exit_code


def _run_all(session: ShellSession, directory: Path) -> int:
    """Lines of a script."""
    commands = {command.name: command for command in command_table(lambda _: True)}
    code = DONE
    if read_config(directory).key is not None:
        session.use(directory)
    for line in sys.stdin:
        outcome = run_line(session, commands, line)
        code = code or outcome
    return code


def _converse(session: ShellSession, directory: Path) -> None:
    """Lines of a person at a terminal."""
    from prompt_toolkit.patch_stdout import patch_stdout

    session.output.narrate(WELCOME)
    announcer = Announcer(_say)
    session.on_change(announcer.watch)
    commands = {command.name: command for command in command_table(_ask)}
    prompt = _prompt_session(session, commands)
    if read_config(directory).key is not None:
        run_line(session, commands, f".use {_quoted(directory)}")
    for line in _typed(prompt, session, patch_stdout):
        run_line(session, commands, line)


def _typed(prompt: PromptSession[str], session: ShellSession, patched: Any) -> Iterator[str]:
    while True:
        try:
            # While the user types, what is announced goes above the line.
            with patched():
                line = prompt.prompt(_prompt_text(session))
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        yield line


def _prompt_session(
    session: ShellSession, commands: Mapping[str, DotCommand]
) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory

    from ..shell.completion import ShellCompleter

    return PromptSession(
        history=_history(),
        auto_suggest=AutoSuggestFromHistory(),
        completer=ShellCompleter(session, commands),
        complete_in_thread=True,
        complete_while_typing=False,
    )


def _history() -> Any:
    """The lines of earlier sessions; of this one only where no file can be kept."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    file = history_file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(file))


def history_file() -> Path:
    """Where the lines of all sessions are kept."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "vitra" / "history"


def _prompt_text(session: ShellSession) -> str:
    if session.directory is None:
        return "vitra $ "
    return f"vitra {session.directory.name}{' &' if session.in_background else ''} $ "


def _ask(question: str) -> bool:
    return click.confirm(question, err=True)


def _say(sentence: str) -> None:
    sys.stdout.write(f"\n{sentence}\n")
    sys.stdout.flush()


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))
