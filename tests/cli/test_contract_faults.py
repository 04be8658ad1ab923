"""A machine that cannot run an operation: nothing is made of it, and nobody is accused."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from vitra_node.api.client import ControlClient
from vitra_node.contracts import compiler, runtime
from vitra_node.contracts import worker as worker_module
from vitra_node.database import Database

from . import processes
from .processes import COUNTER, ok, running, vitra

# A pattern takes fuel for the text alone, and the engine tries this one at every place, to the end.
SEARCH = COUNTER.replace(
    "export const apply = {",
    """export function search ({ length }, emit) { emit({ op: 'SEARCH', length }) }
export const apply = {
  SEARCH (tx, { length }) {
    tx.put('/found', 'a'.repeat(length).search(/a*b/))
  },""",
)
LENGTH = 10_000
TOO_LONG = "the contract ran longer than allowed"
PATIENCE_SECONDS = 60

# A runtime that this release does not have.
LATER = "vitra-9.8.7/duktape-29999/dukpy-0.5.1/" + "ab" * 16


@pytest.fixture
def executor(tmp_path: Path) -> Path:
    contract = tmp_path / "search.js"
    contract.write_text(SEARCH)
    directory = tmp_path / "executor"
    ok(directory, "init", str(contract))
    return directory


@contextmanager
def a_slow_machine() -> Iterator[None]:
    """Commands started inside the block run on one."""

    def command_line(arguments: Sequence[str], directory: Path) -> list[str]:
        program = str(Path(__file__).with_name("slow_machine.py"))
        return [sys.executable, program, *arguments, "--dir", str(directory)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "command_line", command_line)
        yield


def ask(directory: Path, method: str, /, **params: Any) -> Any:
    """What the node that serves a directory answers."""
    with ControlClient.connect(directory) as client:
        return client.call(method, **params)


def fault_of(directory: Path) -> str:
    """What stops the executor that serves a directory, once something does."""
    with ControlClient.connect(directory) as client, client.stream("node.watch") as states:
        for state in states:
            if state["executor_fault"] is not None:
                return str(state["executor_fault"])
    raise AssertionError("the node ended before anything stopped its executor")


def state_of(directory: Path) -> tuple[int, Any]:
    """How long the index is, and the counter in it."""
    length = ask(directory, "database.info")["index"]["length"]
    return length, ask(directory, "index.get", path="/counter")["value"]


def test_an_operation_that_takes_too_long_is_no_operation(executor: Path, tmp_path: Path) -> None:
    with a_slow_machine(), running(executor, "serve", "--no-swarm") as node:
        node.line()
        ask(executor, "contract.call", method="increment", wait=True)
        before = state_of(executor)
        held = ask(executor, "contract.call", method="search", params={"length": LENGTH})
        oplog = held["operations"][0]["oplog"]
        operation = f"Operation 1 of oplog {oplog}"

        fault = fault_of(executor)
        assert fault.startswith(f"{operation} could not be run: {TOO_LONG}")
        assert operation in vitra(executor, "status").out
        sick = vitra(executor, "doctor")
        assert sick.code == 5
        assert f"PROBLEM executor   The executor stopped: {operation}" in sick.out
        waiting = vitra(executor, "tx", "show", held["tx"], "--wait", "--timeout", "0.1")
        assert waiting.code == 5
        assert operation in waiting.err
        assert "Traceback" not in waiting.err
        # What is published after it waits as well; calls that only read do not.
        ask(executor, "contract.call", method="increment")
        assert ask(executor, "contract.call", method="get")["response"] == 1
        assert state_of(executor) == before
        assert node.end() == 0

    with a_slow_machine(), running(executor, "serve", "--no-swarm") as node:
        node.line()
        assert fault_of(executor) == fault
        assert state_of(executor) == before
        report = ask(executor, "audit.verify")
        assert (report["verdict"], report["operations"]) == ("verified", 1)
        assert node.end() == 0

    # A faster machine goes on where it was held up.
    with running(executor, "serve", "--no-swarm", "--listen", "127.0.0.1:0") as node:
        line = node.line()
        ask(executor, "tx.wait", tx=held["tx"], wait_seconds=PATIENCE_SECONDS)
        assert ask(executor, "index.get", path="/found")["value"] == -1
        reader = tmp_path / "reader"
        ok(reader, "join", line["key"], "--peer", line["listen"])
        ok(reader, "sync", "--full")
        assert node.end() == 0

    with a_slow_machine():
        unsure = vitra(reader, "verify", "--json")
        assert unsure.code == 6, unsure.err
        assert unsure.json["verdict"] == "cannot tell"
        assert unsure.json["operations"] == 1
        assert TOO_LONG in unsure.json["reason"]
    report = ok(reader, "verify")
    assert (report["verdict"], report["operations"]) == ("verified", 3)


async def test_a_database_of_another_runtime_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        for module in (compiler, worker_module, runtime):
            later.setattr(module, "RUNTIME_ID", LATER)
        async with Database.create(tmp_path, contract=COUNTER) as database:
            await (await database.call("increment")).when_processed()
            assert (await database.verify()).verdict == "verified"

    install = "pip install vitra-node==9.8.7"
    unsure = vitra(tmp_path, "verify", "--json")
    assert unsure.code == 6, unsure.err
    assert unsure.json["verdict"] == "cannot tell"
    assert LATER in unsure.json["reason"]
    assert install in unsure.json["reason"]

    # Nor does this one execute what others would replay under that one.
    with running(tmp_path, "serve", "--no-swarm") as node:
        node.line()
        ask(tmp_path, "contract.call", method="increment")
        assert install in fault_of(tmp_path)
        assert state_of(tmp_path)[1] == 1
        assert node.end() == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("vitra-0.2.0/duktape-3/x", "`pip install vitra-node==0.2.0` brings that one"),
        (runtime.RUNTIME_ID[:-1] + "?", f"of release {runtime.FIRST_RELEASE}, so one of them"),
        ("vitra-1.2.3;reboot/x", "was made for the runtime 'vitra-1.2.3;reboot/x', and here"),
        ("vitra-1.2.3 --index-url x/y", "and here is"),
        ("\x1b[2Jvitra-1.2.3/x\n", "'\\x1b[2Jvitra-1.2.3/x\\n'"),
        ("x" * 5000, "and here is"),
    ],
)
def test_the_name_of_a_runtime_is_not_trusted(name: str, said: str) -> None:
    text = runtime.missing_runtime(name)
    assert said in text
    assert text.isprintable()
    assert len(text) < 600
    assert ("pip install" in text) == ("brings that one" in said)
