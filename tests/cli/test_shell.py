"""The shell: the original's tutorial at a terminal, scripts, completion, and what ends with it."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vitra_node.api.client import ControlClient
from vitra_node.cli.output import Output
from vitra_node.cli.shell.announcer import news
from vitra_node.cli.shell.commands import command_table
from vitra_node.cli.shell.completion import ShellCompleter, offered
from vitra_node.cli.shell.lines import call_arguments
from vitra_node.cli.shell.session import ShellSession
from vitra_node.errors import NotFound, UsageProblem

from .processes import COMMAND_SECONDS, COUNTER, environment, ok, vitra
from .terminal import Terminal, terminal

# `vitra shell` takes no node's place: each line goes to a process, as a user's would.
SHELL = [sys.executable, "-m", "vitra_node.cli", "shell", "--no-swarm"]

STORE = """\
import { index } from 'contract'
export async function get ({ path }) { return await index.get(path) }
export function put ({ path, value }, emit) { emit({ op: 'PUT', path, value }) }
export const apply = { PUT (tx, op) { tx.put(op.path, op.value) } }
"""

PROMPT = r"vitra( data( &)?)? \$"

ORIGINAL_COMMANDS = """
.bg .call .deloplog .destroy .fg .fraud .fraudlist .get .help .history .info .init .list .load
.methods .mkoplog .monitor .monitorend .source .status .sync .syncall .test .tx .txlist .txverify
.use .verify
"""


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {**environment(), "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Where the session makes its database; no node is left behind."""
    (tmp_path / "counter.js").write_text(COUNTER)
    data = tmp_path / "data"
    yield data
    try:
        with ControlClient.connect(data) as client:
            client.stop_node()
    except NotFound:
        pass


def one_shot(directory: Path, *arguments: str) -> list[str]:
    """What a command of its own prints on stdout."""
    outcome = vitra(directory, *arguments)
    assert outcome.code in (0, 20), outcome.err
    return [line for line in outcome.out.splitlines() if line]


def without_times(lines: list[str]) -> list[str]:
    return [re.sub(r"\d+\.\d+ s", "T", line) for line in lines]


class Tutorial:
    """The shell on a terminal, in a directory that is called ``data``."""

    def __init__(self, shown: Terminal) -> None:
        self.terminal = shown

    def type(self, line: str) -> list[str]:
        return self.terminal.command(line, PROMPT)

    def ready(self) -> None:
        self.terminal.wait(
            lambda lines: bool(lines) and re.fullmatch(PROMPT, lines[-1]) is not None
        )

    def leave(self) -> None:
        self.ready()
        self.terminal.keys("\x04")
        assert self.terminal.process.wait(COMMAND_SECONDS) == 0

    def until(self, words: str) -> None:
        self.terminal.wait(lambda lines: any(words in line for line in lines))


def test_the_tutorial_of_the_original(
    tmp_path: Path, directory: Path, variables: dict[str, str]
) -> None:
    with terminal(SHELL, variables, str(tmp_path)) as shown:
        shell = Tutorial(shown)
        assert "not running" in shell.type(".use data")
        assert any("There is no database" in line for line in shell.type(".get /counter"))
        key = shell.type(".init counter.js")[0]
        assert len(key) == 64
        assert ok(directory, "status")["held"] is True

        called = shell.type(".call increment --amount 2")
        assert called[0] == 'published {"op": "INCREMENT", "amount": 2}'
        tx = called[1].split()[1].rstrip(":")
        shell.type(".call get")
        ok(directory, "tx", "show", tx, "--wait")
        for line, words in [
            (".get /counter", ["get", "/counter"]),
            (".list", ["ls"]),
            (".history", ["history"]),
            (".history local", ["history", "local"]),
            (".methods", ["methods"]),
            (".info", ["info"]),
            (".source", ["source"]),
            (".txlist", ["tx", "ls"]),
            (f".tx {tx}", ["tx", "show", tx]),
            (f".txverify {tx}", ["tx", "verify", tx]),
        ]:
            assert shell.type(line) == one_shot(directory, *words), line
        assert shell.type(".get /counter") == ["2"]

        oplog = shell.type(".mkoplog")[0]
        assert oplog in {each["key"] for each in ok(directory, "oplog", "ls")}
        shell.type(f".deloplog {oplog}")
        assert without_times(shell.type(".verify")) == without_times(one_shot(directory, "verify"))
        shell.type(".sync")
        shell.type(".syncall")

        assert "The node monitors from now on." in shell.type(".monitor")
        with ControlClient.connect(directory) as client:
            change = {"type": "put", "path": "/counter", "value": 7}
            client.call("index.dangerous_batch", changes=[change])
        shell.until("VIOLATION: UnexpectedPath")
        assert shell.type(".fraudlist") == one_shot(directory, "fraud", "ls")
        fraud = ok(directory, "fraud", "ls")[0]["id"]
        shown_proof = shell.type(f".fraud {fraud}")
        # Lines of a proof are longer than the terminal is wide.
        assert "".join(shown_proof) == "".join(one_shot(directory, "fraud", "show", fraud))
        assert shell.type(".verify") == one_shot(directory, "verify")
        assert "The node monitors no longer." in shell.type(".monitorend")

        pid = ok(directory, "status")["pid"]
        assert "runs in the background" in shell.type(".bg")[0]
        assert ok(directory, "status")["held"] is False
        assert shell.type(".get /counter") == ["7"]
        assert "runs in this session" in shell.type(".fg")[0]
        assert ok(directory, "status")["pid"] == pid

        shown.keys(".destroy\r")
        shell.until("Nobody can bring it back")
        shown.keys("y\r")
        shell.until("Deleted the database")
        assert not directory.exists()
        shell.leave()
    history = (tmp_path / "state" / "vitra" / "history").read_text()
    assert "+.init counter.js" in history
    assert (tmp_path / "state" / "vitra" / "history").stat().st_mode & 0o777 == 0o600


def test_the_next_session_has_the_history_and_completes(
    tmp_path: Path, directory: Path, variables: dict[str, str]
) -> None:
    ok(directory, "init", str(tmp_path / "counter.js"))
    with terminal([*SHELL, "--dir", str(directory)], variables, str(tmp_path)) as shown:
        shell = Tutorial(shown)
        published = shell.type(".call increment")
        ok(directory, "tx", "show", published[1].split()[1].rstrip(":"), "--wait")
        shell.ready()
        shown.keys(".ge\t")
        shell.until("data $ .get")
        shown.keys(" /cou\t")
        shell.until("data $ .get /counter")
        shown.keys("\x03")
        shown.wait(lambda lines: lines[-1] == "vitra data $")
        assert shell.type(".nonsense")[0] == "vitra: There is no command .nonsense."
        shell.leave()
    assert ok(directory, "status")["running"] is False
    with terminal([*SHELL, "--dir", str(directory)], variables, str(tmp_path)) as shown:
        shell = Tutorial(shown)
        shell.until("data $")
        shown.keys("\x1b[A")
        shell.until("data $ .nonsense")


def test_what_is_in_the_background_outlives_the_session_and_what_is_not_does_not(
    tmp_path: Path, directory: Path, variables: dict[str, str]
) -> None:
    ok(directory, "init", str(tmp_path / "counter.js"))
    for release, survives in ((False, False), (True, True)):
        with terminal([*SHELL, "--dir", str(directory)], variables, str(tmp_path)) as shown:
            shell = Tutorial(shown)
            shell.type(".call get")
            if release:
                shell.type(".bg")
            with ControlClient.connect(directory) as client:
                os.kill(shown.process.pid, signal.SIGKILL)
                if not survives:
                    client.wait_until_closed()
        assert ok(directory, "status")["running"] is survives


def test_lines_that_are_piped_in(
    tmp_path: Path, directory: Path, variables: dict[str, str]
) -> None:
    script = f"""\
# a comment
.use {directory}
.init {tmp_path / "counter.js"}

.call increment amount=2
.call get
.get /nothing
.get 'not closed
.destroy
"""
    outcome = vitra(tmp_path, "shell", "--no-swarm", stdin=script)
    assert outcome.code == 3
    assert "not running" in outcome.out
    assert outcome.err.count("vitra: ") == 2
    assert "Traceback" not in outcome.err
    assert not directory.exists()


# Its parts ------------------------------------------------------------------------------------


def test_every_command_of_the_original_is_there() -> None:
    assert set(ORIGINAL_COMMANDS.split()) <= {
        command.name for command in command_table(lambda _: False)
    }


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("get", []),
        ("put --key foo --value bar", ["--arg", "key=foo", "--arg", "value=bar"]),
        ("put --key=foo value=bar", ["--arg", "key=foo", "--arg", "value=bar"]),
        ("put --flag --key 'a b'", ["--arg", "flag=true", "--arg", "key=a b"]),
        ("put --n -7", ["--arg", "n=-7"]),
        ('put {"a": [1, "x y"]}', ["--params", '{"a": [1, "x y"]}']),
        ("put [1, 2]", ["--params", "[1, 2]"]),
    ],
)
def test_parameters_as_the_original_takes_them(line: str, arguments: list[str]) -> None:
    assert call_arguments(line)[1:] == arguments


@pytest.mark.parametrize("line", ["", "put foo", "put --key 'foo", "put =x", "put --"])
def test_parameters_that_say_nothing(line: str) -> None:
    with pytest.raises(UsageProblem):
        call_arguments(line)


def test_completion_of_everything(tmp_path: Path, directory: Path) -> None:
    (tmp_path / "store.js").write_text(STORE)
    ok(directory, "init", str(tmp_path / "store.js"))
    session = ShellSession(Output(as_json=True), ["--no-swarm"])
    completer = ShellCompleter(session, {c.name: c for c in command_table(lambda _: False)})

    def texts(line: str) -> list[str]:
        return [each.text for each in offered(completer, line)]

    assert texts(".get ") == []
    session.use(directory)
    try:
        with ControlClient.connect(directory) as client:
            for path in ("/users/ann", "/users/bob", "/evil\x1b[2J"):
                params = {"path": path, "value": 1}
                answer = client.call("contract.call", method="put", params=params, wait=True)
        assert texts(".fr") == [".fraud", ".fraudlist"]
        assert texts(".call ") == ["get", "put"]
        assert texts(".call p") == ["put"]
        assert texts(".call put ") == ["--path", "--value"]
        assert texts(".call put --path /x --v") == ["--value"]
        assert texts(".get /u") == ["/users/"]
        assert texts(".get /users/") == ["/users/ann", "/users/bob"]
        assert "/evil\x1b[2J" not in texts(".get /")
        oplog = answer["operations"][0]["oplog"]
        assert texts(".history ") == ["index", "local", oplog]
        assert texts(".deloplog ") == [oplog]
        assert answer["tx"] in texts(".tx ")
        assert texts(f".init {tmp_path}/sto") == ["re.js"]
        assert texts(".nothing x") == []
    finally:
        session.close()
    assert texts(".get /u") == []


def test_what_is_announced() -> None:
    violation: dict[str, Any] = {"code": "ChangeMismatch", "reason": "it is\x1b[2J 1"}
    (said,) = news({}, {"violation": violation, "executor_fault": None})
    assert said.startswith("VIOLATION: ChangeMismatch: it is\\x1b[2J 1")
    assert news({"violation": violation}, json.loads(json.dumps({"violation": violation}))) == []
    assert news({}, {"executor_fault": "no memory"}) == ["The executor has stopped: no memory"]
    fork = {"id": "f0", "reason": "two\x1b[2J", "whose": "participant"}
    (said,) = news({}, {"forks": [fork]})
    assert said.startswith("FORK: two\\x1b[2J\nThat participant did this")
    assert news({"forks": [fork]}, {"forks": [fork]}) == []
    # A monitor tells of a forked index as a violation, which is not told twice.
    assert len(news({}, {"forks": [fork], "violation": {"id": "f0", "code": "BlockRewrite"}})) == 1
