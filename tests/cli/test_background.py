"""Nodes that outlive the command that started them: their start, log, hold and end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vitra_node.api.client import ControlClient
from vitra_node.errors import NotAllowed, NotFound

from .conftest import Outcome
from .processes import COMMAND_SECONDS, COUNTER, command_line, environment, ok, vitra

HOLDER = """\
import sys
from vitra_node.api.client import ControlClient
client = ControlClient.connect(sys.argv[1])
client.call("node.hold")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, to be copied."""
    root = tmp_path_factory.mktemp("database")
    (root / "counter.js").write_text(COUNTER)
    ok(root / "data", "init", str(root / "counter.js"))
    return root / "data"


@pytest.fixture
def directory(tmp_path: Path, database: Path) -> Iterator[Path]:
    """A directory with a database; whatever node serves it is gone after the test."""
    (tmp_path / "counter.js").write_text(COUNTER)
    made = tmp_path / "data"
    shutil.copytree(database, made)
    yield made
    stop_if_running(made)


def stop_if_running(directory: Path) -> None:
    try:
        with ControlClient.connect(directory) as client:
            client.stop_node()
    except NotFound:
        pass


def wait_until_stopped(directory: Path) -> None:
    """Return when the node that runs now has closed its control socket."""
    try:
        with ControlClient.connect(directory) as client:
            client.wait_until_closed()
    except NotFound:
        pass


def start(directory: Path, *arguments: str, **variables: str) -> Outcome:
    done = subprocess.run(
        command_line(("serve", "--background", "--no-swarm", *arguments), directory),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        env={**environment(), **variables},
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_it_goes_on_after_the_command(directory: Path) -> None:
    started = start(directory, "--listen", "127.0.0.1:0")
    assert started.code == 0, started.err
    assert started.json["listen"].startswith("127.0.0.1:")
    status = ok(directory, "status")
    assert status["running"] is True
    assert status["log"] == str(directory / "node.log")
    assert os.getsid(status["pid"]) == status["pid"]
    ok(directory, "call", "increment", "--wait")
    assert start(directory).code == 4
    ok(directory, "stop")
    assert ok(directory, "status")["running"] is False
    assert ok(directory, "verify")["operations"] == 1


def test_a_start_that_fails_is_told_by_the_command(directory: Path, tmp_path: Path) -> None:
    assert start(tmp_path / "nothing").code == 3
    (directory / "cores.mdb").write_bytes(b"\xff" * 9000)
    failed = start(directory)
    assert failed.code == 7, failed.err
    assert failed.out == ""
    assert "Traceback" not in failed.err
    assert ok(directory, "status")["running"] is False


def test_a_busy_address_is_told_by_the_command(directory: Path) -> None:
    address = start(directory, "--listen", "127.0.0.1:0").json["listen"]
    other = directory.with_name("other")
    ok(other, "init", str(directory.with_name("counter.js")))
    failed = start(other, "--listen", address)
    assert failed.code == 5
    assert address in failed.err


def test_after_a_kill_it_can_be_started_again(directory: Path) -> None:
    for _ in range(2):
        assert start(directory).code == 0
        ok(directory, "call", "increment", "--wait")
        os.kill(ok(directory, "status")["pid"], signal.SIGKILL)
        wait_until_stopped(directory)
    assert ok(directory, "get", "/counter")["value"] == 2


def test_a_signal_stops_it_cleanly(directory: Path) -> None:
    start(directory)
    with ControlClient.connect(directory) as client:
        os.kill(client.call("node.status")["pid"], signal.SIGTERM)
        client.wait_until_closed()
    assert "SIGTERM" in vitra(directory, "logs").out


def test_one_process_serves_several_directories(directory: Path, tmp_path: Path) -> None:
    others = [tmp_path / "second", tmp_path / "third"]
    for other in others:
        ok(other, "init", str(tmp_path / "counter.js"))
    every = [directory, *others]
    started = start(directory, *map(str, every), "--listen", "127.0.0.1:0")
    assert {line["directory"] for line in started.events} == {str(each) for each in every}
    assert len({line["listen"] for line in started.events}) == 3
    assert len({ok(each, "status")["pid"] for each in every}) == 1
    for number, each in enumerate(every, 1):
        ok(each, "call", "increment", "--arg", f"amount={number}", "--wait")
    assert [ok(each, "get", "/counter")["value"] for each in every] == [1, 2, 3]
    ok(others[0], "stop")
    assert ok(others[0], "status")["running"] is False
    assert ok(directory, "status")["running"] is True
    assert f"{others[0]} is closed" in vitra(others[0], "logs").out
    for each in (directory, others[1]):
        ok(each, "stop")


def test_several_cannot_share_a_port(directory: Path, tmp_path: Path) -> None:
    refused = start(directory, str(directory), str(tmp_path / "b"), "--listen", "127.0.0.1:7001")
    assert refused.code == 2
    assert "port 0" in refused.err


# The log --------------------------------------------------------------------------------------


def test_json_logs_are_one_object_a_line(directory: Path) -> None:
    start(directory, VITRA_LOG="json,debug")
    ok(directory, "stop")
    lines = [json.loads(line) for line in (directory / "node.log").read_text().splitlines()]
    assert {"time", "level", "logger", "message"} <= set(lines[0])
    assert vitra(directory, "logs", "--json").events == lines
    assert len(vitra(directory, "logs", "-n", "1").out.splitlines()) == 1
    assert (directory / "node.log").stat().st_mode & 0o777 == 0o600


def test_an_unknown_level_starts_nothing(directory: Path) -> None:
    assert start(directory, VITRA_LOG="loud").code == 2
    assert ok(directory, "status")["running"] is False


def test_following_shows_what_comes_also_after_the_file_was_replaced(directory: Path) -> None:
    log = directory / "node.log"
    log.write_text("first\n")
    process = subprocess.Popen(
        command_line(("logs", "--follow", "--json"), directory),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with process:
        try:
            assert process.stdout is not None

            def shown() -> Any:
                assert process.stdout is not None
                return json.loads(process.stdout.readline())["message"]

            assert shown() == "first"
            with log.open("a") as file:
                file.write("sec")
                file.flush()
                file.write("ond\x1b[2J\n")
            assert shown() == "second\x1b[2J"
            log.rename(directory / "node.log.1")
            log.write_text("third\n")
            assert shown() == "third"
            process.send_signal(signal.SIGINT)
            assert process.wait(COMMAND_SECONDS) == 130
        finally:
            process.kill()


def test_without_a_background_node_there_is_no_log(directory: Path) -> None:
    assert vitra(directory, "logs").code == 3


# Holding --------------------------------------------------------------------------------------


def test_a_held_node_ends_with_its_holder_even_when_that_is_killed(directory: Path) -> None:
    start(directory)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert ok(directory, "status")["held"] is True
        with ControlClient.connect(directory) as other:
            with pytest.raises(NotAllowed):
                other.call("node.hold")
            holder.kill()
            other.wait_until_closed()
    assert ok(directory, "status")["running"] is False


def test_a_released_node_outlives_its_holder(directory: Path) -> None:
    start(directory)
    with ControlClient.connect(directory) as holder, holder.stream("node.hold") as events:
        assert next(events) == {"held": True}
        with ControlClient.connect(directory) as other:
            assert other.call("node.release") == {"released": True}
            assert other.call("node.release") == {"released": False}
        assert list(events) == []
    assert ok(directory, "status")["running"] is True


def test_watch_tells_of_each_change_once(directory: Path) -> None:
    start(directory)
    with ControlClient.connect(directory) as client, client.stream("node.watch") as states:
        before = next(states)
        ok(directory, "call", "increment", "--wait")
        after = next(states)
        while after["index"]["length"] == before["index"]["length"]:
            after = next(states)
        assert after["oplogs"][0]["length"] == 1


# systemd --------------------------------------------------------------------------------------


def test_the_unit_serves_the_directories_as_asked(tmp_path: Path) -> None:
    spaced = tmp_path / "with space"
    unit = vitra(tmp_path, "serve", "--systemd-unit", "--listen", "0.0.0.0:7000", str(spaced)).out
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert command.endswith(f' serve --listen 0.0.0.0:7000 "{spaced}"')
    assert "Type=notify" in unit


def test_systemd_hears_when_it_is_ready_and_when_it_stops(directory: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(COMMAND_SECONDS)
        start(directory, NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert notify.recv(100) == b"READY=1"
        ok(directory, "stop")
        assert notify.recv(100) == b"STOPPING=1"
