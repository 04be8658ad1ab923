"""Commands in processes of their own, on real databases."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

from vitra_node.api.client import ControlClient

from .processes import (
    COMMAND_SECONDS,
    COUNTER,
    command_line,
    environment,
    ok,
    running,
    serving,
    vitra,
)


@pytest.fixture
def contract(tmp_path: Path) -> str:
    path = tmp_path / "counter.js"
    path.write_text(COUNTER)
    return str(path)


@pytest.fixture
def executor(tmp_path: Path, contract: str) -> Path:
    """The directory of a counter database's executor."""
    directory = tmp_path / "executor"
    ok(directory, "init", contract)
    return directory


def test_a_database_without_a_node(executor: Path) -> None:
    key = ok(executor, "info")["key"]
    answer = ok(executor, "call", "increment", "--arg", "amount=2", "--wait")
    assert answer["operations"][0]["value"] == {"op": "INCREMENT", "amount": 2}
    assert answer["stage"] == "committed"
    ok(executor, "call", "increment")
    assert ok(executor, "get", "/counter")["value"] == 3
    assert ok(executor, "call", "get")["response"] == 3
    assert vitra(executor, "get", "/counter").out == "3\n"
    report = ok(executor, "verify")
    assert (report["verdict"], report["operations"]) == ("verified", 2)
    listed = ok(executor, "tx", "ls")
    assert [tx["method"] for tx in listed] == ["increment", "increment"]
    assert ok(executor, "tx", "verify", listed[0]["tx"])["verdict"] == "verified"
    assert ok(executor, "source")["source"] == COUNTER
    assert [method["name"] for method in ok(executor, "methods")] == ["get", "increment"]
    blocks = vitra(executor, "history", "--json").events
    assert [block["path"] for block in blocks if block["path"] == "/counter"] == ["/counter"] * 2
    assert ok(executor, "info")["key"] == key


def test_the_directory_is_for_its_owner_alone(executor: Path) -> None:
    assert executor.stat().st_mode & 0o777 == 0o700
    assert (executor / "vitra.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("export const apply = {\n  X (tx) { tx.put( }\n}", "line 2"),
        ("import x from 'fs'\nexport const apply = {}", "line 1"),
        ("export function get () {}", "apply"),
    ],
)
def test_a_contract_that_cannot_run_is_refused(tmp_path: Path, source: str, place: str) -> None:
    path = tmp_path / "bad.js"
    path.write_text(source)
    outcome = vitra(tmp_path / "data", "init", str(path))
    assert outcome.code == 2
    assert place in outcome.err
    assert "line" in outcome.err
    assert not (tmp_path / "data").exists()


def test_a_second_database_in_the_same_directory_is_refused(executor: Path, contract: str) -> None:
    key = ok(executor, "info")["key"]
    assert vitra(executor, "init", contract).code == 4
    assert vitra(executor, "join", "ab" * 32).code == 4
    assert ok(executor, "info")["key"] == key


@pytest.mark.parametrize(("method", "code"), [("nothing", 3), ("apply", 4), ("process", 4)])
def test_what_cannot_be_called(executor: Path, method: str, code: int) -> None:
    outcome = vitra(executor, "call", method)
    assert outcome.code == code
    assert "Traceback" not in outcome.err
    assert ok(executor, "tx", "ls") == []


def test_one_process_at_a_time(executor: Path) -> None:
    with serving(executor):
        outcome = vitra(executor, "serve")
        assert outcome.code == 4
        assert "vitra stop" in outcome.err


def test_one_shot_commands_wait_for_each_other(executor: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(vitra, executor, "call", "increment") for _ in range(4)]
        assert [call.result().code for call in calls] == [0] * 4
    assert ok(executor, "get", "/counter")["value"] == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_node_cleanly(executor: Path, number: int) -> None:
    with running(executor, "serve") as node:
        assert node.line()["role"] == "executor"
        assert node.end(number) == 0
        assert node.errors() == ""
    assert not (executor / "control.sock").exists()


def test_stop_frees_the_directory(executor: Path) -> None:
    with running(executor, "serve") as node:
        node.line()
        assert ok(executor, "stop")["stopping"] is True
        # No waiting in between: stop returned, so the directory is free.
        assert ok(executor, "info")["role"] == "executor"
        assert node.process.wait(COMMAND_SECONDS) == 0


def test_after_a_kill_the_next_node_takes_over(executor: Path) -> None:
    with running(executor, "serve") as node:
        node.line()
        ok(executor, "call", "increment", "--wait")
        node.end(signal.SIGKILL)
    assert (executor / "control.sock").exists()
    assert ok(executor, "status")["running"] is False
    with serving(executor):
        assert ok(executor, "status")["running"] is True
        ok(executor, "call", "increment", "--wait")
        assert ok(executor, "get", "/counter")["value"] == 2
    assert ok(executor, "verify")["operations"] == 2


def test_a_participant_in_another_process(tmp_path: Path, contract: str) -> None:
    executor, participant = tmp_path / "executor", tmp_path / "participant"
    oplog = ok(participant, "oplog", "new")["key"]
    key = ok(executor, "init", contract, "--participant", oplog)["key"]
    with serving(executor, "--listen", "127.0.0.1:0") as ready:
        joined = ok(participant, "join", f"vitra://{key}@{ready['listen']}")
        assert (joined["key"], joined["oplog"]) == (key, oplog)
        # Without a node: the command itself connects to the remembered peer.
        answer = ok(participant, "call", "increment", "--arg", "amount=2", "--wait")
        assert answer["operations"][0]["oplog"] == oplog
        assert answer["results"][0]["ack"]["success"] is True
        with serving(participant):
            ok(participant, "call", "increment", "--params", '{"amount": 3}', "--wait")
            assert ok(participant, "get", "/counter")["value"] == 5
            assert ok(participant, "status")["role"] == "participant"
        assert ok(participant, "verify")["operations"] == 2
        assert ok(executor, "get", "/counter")["value"] == 5


def test_who_waits_is_told_that_no_executor_is_in_reach(tmp_path: Path, contract: str) -> None:
    executor, participant = tmp_path / "executor", tmp_path / "participant"
    oplog = ok(participant, "oplog", "new")["key"]
    key = ok(executor, "init", contract, "--participant", oplog)["key"]
    # Longer than the test is given.
    patient = ("--wait", "--timeout", str(10 * COMMAND_SECONDS))
    with serving(executor, "--listen", "127.0.0.1:0") as ready:
        ok(participant, "join", f"vitra://{key}@{ready['listen']}")
    for with_node in (False, True):
        with serving(participant) if with_node else contextlib.nullcontext():
            alone = vitra(participant, "call", "increment", *patient)
            assert alone.code == 5
            assert "No executor is in reach" in alone.err
            assert "published and stay so" in alone.err
            (*_, published) = ok(participant, "tx", "ls")
            assert published["tx"] in alone.err
    # Whatever was published meanwhile is executed when the two meet.
    with serving(executor, "--listen", ready["listen"]), serving(participant):
        assert ok(participant, "tx", "show", published["tx"], *patient)["stage"] != "published"


def test_who_has_no_oplog_may_read_and_not_write(tmp_path: Path, executor: Path) -> None:
    reader = tmp_path / "reader"
    with serving(executor, "--listen", "127.0.0.1:0") as ready:
        key = ready["key"]
        ok(reader, "join", key, "--peer", ready["listen"])
        assert ok(reader, "call", "get")["response"] == 0
        refused = vitra(reader, "call", "increment")
        assert refused.code == 4
        assert "vitra oplog new" in refused.err
        ok(reader, "oplog", "new")
        assert vitra(reader, "call", "increment").code == 4
        assert ok(reader, "tx", "ls") == []


def test_a_cheat_is_caught_by_whoever_looks(tmp_path: Path, executor: Path) -> None:
    watcher = tmp_path / "watcher"
    with serving(executor, "--listen", "127.0.0.1:0") as ready:
        ok(watcher, "join", ready["key"], "--peer", ready["listen"])
        with running(watcher, "monitor") as monitor:
            assert monitor.line()["event"] == "validated"
            ok(executor, "call", "increment", "--wait")
            while (event := monitor.line())["operations"] < 1:
                assert event["event"] == "validated"
            with ControlClient.connect(executor) as client:
                change = {"type": "put", "path": "/counter", "value": 7}
                client.call("index.dangerous_batch", changes=[change])
            found = monitor.line()
            assert (found["event"], found["kind"]) == ("violation", "ContractFraudProof")
            assert monitor.process.wait(COMMAND_SECONDS) == 20
        assert json.loads(Path(found["proof"]).read_text())["databaseKey"] == ready["key"]
        (fraud,) = ok(watcher, "fraud", "ls")
        copy = tmp_path / "copy.json"
        ok(watcher, "fraud", "export", fraud["id"], "-o", str(copy))
        assert json.loads(copy.read_text())["code"] == fraud["code"]
        ok(executor, "monitor", "start")
    verdict = vitra(executor, "verify", "--json")
    assert verdict.code == 20
    assert verdict.json["verdict"] == "violated"
    assert verdict.json["operations"] == 1
    assert Path(verdict.json["proof"]).exists()


def test_a_peer_that_is_not_there_is_told_and_passed_over(tmp_path: Path) -> None:
    reader = tmp_path / "reader"
    joined = vitra(reader, "join", "ab" * 32, "--peer", "127.0.0.1:1")
    assert joined.code == 0
    assert "cannot be reached" in joined.err
    assert vitra(reader, "get", "/counter").code == 6
    assert vitra(reader, "verify").code == 6


def test_destroy_leaves_other_files(executor: Path, contract: str) -> None:
    (executor / "note.txt").write_text("mine")
    assert ok(executor, "destroy")["destroyed"] is True
    assert [path.name for path in executor.iterdir()] == ["note.txt"]
    assert vitra(executor, "destroy").code == 3
    ok(executor, "init", contract)


def test_the_sandbox_runs_a_script(tmp_path: Path, contract: str) -> None:
    script = tmp_path / "script"
    script.write_text('# add\nincrement {"amount": 2}\n\nincrement\nget\n.get /counter\n.ls /\n')
    lines = vitra(tmp_path, "test", contract, "--script", str(script), "--json").events
    assert [line.get("response", line) for line in lines[:3]] == [None, None, 3]
    assert lines[3] == {"path": "/counter", "seq": lines[3]["seq"], "value": 3}
    typed = vitra(tmp_path, "test", contract, stdin="get\nnothing\nget {\n.nothing\nget\n")
    assert typed.code == 3
    assert typed.out == "0\n0\n"
    assert typed.err.count("vitra: ") == 3


def test_the_demo_tells_its_story_as_events(tmp_path: Path) -> None:
    outcome = vitra(tmp_path, "demo", "--json")
    assert outcome.code == 0, outcome.err
    events = {event["event"]: event for event in outcome.events}
    assert list(events) == [
        "oplog_made",
        "database_made",
        "network_ready",
        "node_ready",
        "called",
        "read",
        "validated",
        "verified",
        "cheated",
        "violation",
        "done",
    ]
    pids = {event["pid"] for event in outcome.events if "pid" in event}
    assert len(pids) == 4
    assert events["called"]["operations"][0]["oplog"] == events["oplog_made"]["oplog"]
    assert events["verified"]["verdict"] == "verified"
    assert events["violation"]["kind"] == "ContractFraudProof"
    assert events["violation"]["exit_code"] == 20
    assert not any(is_running(pid) for pid in pids)
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        command_line(("demo", "--json"), tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "TMPDIR": str(temporary)},
    )
    with process:
        assert process.stdout is not None
        events = [json.loads(line) for line in _until(process.stdout, "node_ready")]
        process.terminate()
        assert process.wait(COMMAND_SECONDS) == 130
    assert not any(is_running(event["pid"]) for event in events if "pid" in event)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_quick_answers_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from vitra_node.cli.main import run\n"
        f"run({arguments!r})\n"
        "heavy = {'trio', 'lmdb', 'nacl', 'cryptography', 'dukpy', 'tree_sitter', 'logging'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_question_to_a_node_imports_no_event_loop(executor: Path) -> None:
    with serving(executor):
        ok(executor, "call", "increment", "--wait")
        program = (
            "import sys\n"
            "from vitra_node.cli.main import run\n"
            f"code = run(['get', '/counter', '--dir', {str(executor)!r}])\n"
            "heavy = {'trio', 'lmdb', 'nacl', 'cryptography', 'dukpy', 'tree_sitter'}\n"
            "sys.exit(', '.join(heavy & set(sys.modules)) or code)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def is_running(pid: int) -> bool:
    """Whether a process of that id is alive."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _until(lines: IO[str], event: str) -> list[str]:
    """Lines up to the first of that event."""
    found = []
    for line in lines:
        found.append(line)
        if json.loads(line)["event"] == event:
            break
    return found
