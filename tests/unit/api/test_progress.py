"""How far long work is: asked by a client of the control API, and drawn on a terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.cli.fake_database import FakeDatabase
from tests.cli.processes import COUNTER
from vitra_node.api.control.control_connection import ControlConnection
from vitra_node.api.directories.backups import restore_directory
from vitra_node.api.directories.checking import check
from vitra_node.api.session import Session
from vitra_node.api.watched import LOOK_SECONDS, watched
from vitra_node.cli import progress_line
from vitra_node.cli.progress_line import ProgressLine
from vitra_node.database import Database
from vitra_node.progress import Progress, Step


class SlowDatabase(FakeDatabase):
    """Verifies one block a second, five in all."""

    async def verify(self, *, progress: Progress | None = None, **scope: Any) -> Any:
        assert progress is not None
        with progress.counted("Verifying", "index blocks", 5) as counter:
            for counter.done in range(5):
                await trio.sleep(1)
        return await super().verify(**scope)


async def test_steps_inside_steps() -> None:
    progress = Progress()
    assert progress.now() is None
    with progress.counted("Copying", "rows") as outer:
        outer.done = 3
        with progress.measured("Fetching", "blocks", 9, lambda: 7):
            assert progress.now() == Step("Fetching", 7, 9, "blocks")
        assert progress.now() == Step("Copying", 3, None, "rows")
    assert progress.now() is None


async def test_work_is_looked_at_from_time_to_time(autojump_clock: trio.abc.Clock) -> None:
    seen: list[int] = []

    async def watch(step: Step) -> None:
        seen.append(step.done)

    async with watched(watch) as progress:
        await trio.sleep(10 * LOOK_SECONDS)
        with progress.counted("Counting", "sheep", 1000) as counter:
            for counter.done in range(1000):
                await trio.sleep(LOOK_SECONDS / 100)
    assert 9 <= len(seen) <= 11
    assert seen == sorted(seen)


@pytest.mark.parametrize("asked", [True, False])
async def test_a_client_is_told_if_it_asks(asked: bool, autojump_clock: trio.abc.Clock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    connection = ControlConnection(theirs, Session(SlowDatabase().as_database(), None))
    params = {"progress": True} if asked else {}
    question = {"jsonrpc": "2.0", "id": "v", "method": "audit.verify", "params": params}
    received = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        await ours.send_all(json.dumps(question).encode() + b"\n")
        while b'"verdict"' not in received:
            received += await ours.receive_some()
        await ours.aclose()
    frames = [json.loads(line) for line in received.splitlines()]
    told = [frame["params"] for frame in frames if frame.get("method") == "progress"]
    assert all(each["id"] == "v" and each["total"] == 5 for each in told)
    assert {each["done"] for each in told} == (set(range(5)) if asked else set())


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_a_line_with_a_rate_and_loses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_line, "DELAY_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    terminal = FakeTerminal()
    line = ProgressLine(terminal)
    line.show(Step("Verify\x1bing", 0, 4000, "blocks"))
    line.show(Step("Verify\x1bing", 1000, 4000, "blocks"))
    line.clear()
    shown = terminal.getvalue()
    assert "\x1bing" not in shown
    assert "Verify\\x1bing" in shown
    assert "25%" in shown or "0%" in shown
    assert "blocks" in shown
    assert shown.endswith("\r")


@pytest.mark.parametrize("terminal", [io.StringIO(), FakeTerminal()])
def test_nothing_is_drawn_of_what_is_quick_or_not_for_a_terminal(terminal: io.StringIO) -> None:
    line = ProgressLine(terminal)
    line.show(Step("Verifying", 1, 2, "blocks"))
    line.clear()
    assert terminal.getvalue().strip("\r ") == ""


async def test_what_takes_long_counts(tmp_path: Path) -> None:
    """Verifying, backing up, checking and restoring end with everything counted."""
    seen: list[Step] = []

    class Noting(Progress):
        def measured(self, what: str, unit: str, total: int | None, done: Any) -> Any:
            done_last = super().measured(what, unit, total, done)

            class Noted:
                def __enter__(self) -> None:
                    done_last.__enter__()

                def __exit__(self, *failure: Any) -> None:
                    seen.append(Step(what, done(), total, unit))
                    done_last.__exit__(*failure)

            return Noted()

    directory = tmp_path / "data"
    async with Database.create(directory, contract=COUNTER) as database:
        for _ in range(3):
            await (await database.call("increment")).when_processed()
        await database.verify(progress=Noting())
        length = database.index.length
        assert seen == [Step("Verifying", length, length, "index blocks")]
        await database.store.back_up(tmp_path / "copy", progress=Noting())
    assert seen[-1].what == "Writing"
    assert seen[-1].done > length
    assert check(directory, Noting()) == []
    blocks = [step for step in seen if step.unit == "blocks"]
    assert {step.total for step in blocks} == {3, length}
    assert all(step.done == step.total for step in blocks)
    restored = tmp_path / "restored"
    restore_directory(
        tmp_path / "copy", restored, passphrase=None, nothing_newer=False, progress=Noting()
    )
    assert seen[-1].what == "Restoring"
    assert seen[-1].total == (tmp_path / "copy").stat().st_size
