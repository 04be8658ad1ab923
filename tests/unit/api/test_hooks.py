"""Hooks of a monitor: told once, bounded in time, never in the way, discreet."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.cli.web_receiver import receiving
from vitra_node.api.hosting import hooks as hooks_module
from vitra_node.api.hosting.hooks import MAX_WAITING, Hooks, plan_hooks
from vitra_node.errors import UsageProblem

KEY = bytes(range(32))
# Appends what it gets to a file.
APPEND = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read() + b'\\n')"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def violation(name: str = "a" * 32) -> dict[str, Any]:
    return {"event": "violation", "kind": "ContractFraudProof", "reason": "it is so", "id": name}


def appending(file: Path) -> str:
    return f'{sys.executable} -c "{APPEND}" {file}'


async def tell(
    frauds: Path | None, *events: dict[str, Any], command: str | None = None, url: str | None = None
) -> None:
    with trio.fail_after(60):
        async with Hooks.open(plan_hooks(command, url), KEY, frauds) as hooks:
            for event in events:
                hooks.tell(event)
            await hooks.finished()


async def test_each_violation_is_told_once_to_each(tmp_path: Path) -> None:
    file, other = tmp_path / "one", tmp_path / "other"
    one, two = violation(), violation("b" * 32)
    with receiving() as receiver:
        for events in ((one, one), (one, two), (two,)):
            await tell(tmp_path, *events, command=appending(file), url=receiver.url)
        posted = receiver.bodies()
    told = file.read_bytes().splitlines()
    assert told == posted
    assert [json.loads(each) for each in told] == [
        {**each, "database": KEY.hex()} for each in (one, two)
    ]
    # Somebody else has not heard of it.
    await tell(tmp_path, one, command=appending(other))
    assert len(other.read_bytes().splitlines()) == 1


async def test_one_without_a_directory_is_told_once_as_well(tmp_path: Path) -> None:
    await tell(None, violation(), violation(), command=appending(tmp_path / "one"))
    assert len((tmp_path / "one").read_bytes().splitlines()) == 1


async def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    command = f"{appending(tmp_path / 'one')} ; touch {tmp_path / 'two'} $(touch {tmp_path / '3'})"
    await tell(tmp_path, violation(), command=command)
    assert set(os.listdir(tmp_path)) == {"one", "told"}


async def test_a_command_that_hangs_is_killed_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hooks_module, "COMMAND_SECONDS", 1.0)
    pipe = tmp_path / "pipe"
    script = tmp_path / "hang.py"
    script.write_text(
        "import subprocess, time\n"
        f"subprocess.Popen(['sleep', '1000'], stdout=open({str(pipe)!r}, 'w'))\n"
        "time.sleep(1000)\n"
    )
    # Whoever holds the other end of the pipe lives: it reads as ended once nobody does.
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    ours = os.open(pipe, os.O_WRONLY)
    await tell(tmp_path, violation(), command=f"{sys.executable} {script}")
    os.close(ours)
    with trio.fail_after(60):
        await trio.lowlevel.wait_readable(reader)
    assert os.read(reader, 1) == b""
    os.close(reader)
    assert "killed" in caplog.text


async def test_one_that_fails_is_logged_and_not_run_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    command = f"{sys.executable} -c 'raise SystemExit(3)'"
    await tell(tmp_path, violation(), command=command)
    await tell(tmp_path, violation(), command=command)
    assert caplog.text.count("ended with 3") == 1


async def test_a_receiver_that_is_away_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks_module, "RETRY_SECONDS", (0.01, 0.01, 0.01))
    with receiving(503, 429, 500) as receiver:
        await tell(tmp_path, violation(), url=receiver.url)
        assert len(receiver.bodies()) == 4
        await tell(tmp_path, violation(), url=receiver.url)
        assert receiver.bodies() == []


@pytest.mark.parametrize("status", [301, 307, 400, 404])
async def test_one_that_refuses_is_not(tmp_path: Path, status: int) -> None:
    with receiving(status, status) as receiver:
        await tell(tmp_path, violation(), url=receiver.url)
        assert receiver.posts.get()[0] == "/hook"
        assert receiver.bodies() == []
        # Nobody was told, so the next process tries again.
        await tell(tmp_path, violation(), url=receiver.url)
        assert len(receiver.bodies()) == 1


async def test_one_that_never_answers_costs_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hooks_module, "RETRY_SECONDS", (0.01,))
    monkeypatch.setattr(hooks_module, "REQUEST_SECONDS", 0.2)
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port = listener.socket.getsockname()[1]
        await tell(tmp_path, violation(), url=f"http://127.0.0.1:{port}/")
    assert "given up" in caplog.text


async def test_no_secret_of_an_address_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hooks_module, "RETRY_SECONDS", (0.01,))
    caplog.set_level(logging.DEBUG)
    with receiving(500, 500, 404) as receiver:
        secret = receiver.url.replace("//", "//user:hunter2@") + "?token=hunter2"
        await tell(tmp_path, violation(), url=secret)
        await tell(tmp_path, violation(), url=secret)
        _, headers, _ = receiver.posts.get()
        assert headers["authorization"].startswith("Basic ")
    assert "127.0.0.1" in caplog.text
    assert "hunter2" not in caplog.text
    for bad in ("ftp://user:hunter2@host/", "http://user:hunter2@host:port/", "hunter2"):
        with pytest.raises(UsageProblem) as refused:
            plan_hooks(None, bad)
        assert "hunter2" not in str(refused.value)


async def test_telling_never_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Also not for a hook that hangs, however much it is to be told."""
    with trio.fail_after(60):
        plan = plan_hooks(f"{sys.executable} -c 'import time; time.sleep(1000)'", None)
        async with Hooks.open(plan, KEY, tmp_path) as hooks:
            for number in range(MAX_WAITING + 10):
                hooks.tell(violation(f"{number:032x}"))
    assert "too many" in caplog.text
    assert not (tmp_path / "told").exists()


@pytest.mark.parametrize("command", ["", "no-such-program-here now", "'unclosed"])
def test_a_command_that_cannot_run_is_refused_at_once(command: str) -> None:
    with pytest.raises(UsageProblem):
        plan_hooks(command, None)
