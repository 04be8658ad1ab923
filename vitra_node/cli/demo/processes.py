"""Runs ``vitra`` commands as processes of their own, and ends them whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

from ...errors import InternalFault, NetworkProblem

# A step takes one or two seconds on a slow machine; beyond this something hangs.
STEP_SECONDS = 30.0

# A line is one event or one result; a process that prints more without a line feed is not ours.
_MAX_LINE_BYTES = 16 * 1024 * 1024
_READ_BYTES = 64 * 1024


class LongProcess:
    """A command that runs until it is stopped; its stdout is read line by line as JSON."""

    def __init__(self, process: trio.Process, shown: str) -> None:
        self._process = process
        self._shown = shown
        self._buffer = b""
        self.pid = process.pid

    async def next_json(self) -> dict[str, Any]:
        """The next line of its stdout; raises InternalFault when it ended instead."""
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            data = await self._process.stdout.receive_some(_READ_BYTES)
            if not data or len(self._buffer) > _MAX_LINE_BYTES:
                code = await self._process.wait()
                raise InternalFault(f"`{self._shown}` ended with exit code {code}.")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        value: dict[str, Any] = json.loads(line)
        return value

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await self._process.wait()


@asynccontextmanager
async def running(*arguments: str, directory: Path) -> AsyncIterator[LongProcess]:
    """A command that runs while in the block, and gets SIGTERM, if need be SIGKILL, after it."""
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(
                trio.run_process,
                command_line(*arguments, directory=directory),
                stdin=b"",
                stdout=subprocess.PIPE,
                env=_environment(),
                check=False,
            )
        )
        yield LongProcess(process, shown_command(*arguments))
        nursery.cancel_scope.cancel()


async def finished(*arguments: str, directory: Path) -> Any:
    """The JSON that a ``vitra`` command printed; raises InternalFault when it failed."""
    shown = shown_command(*arguments)
    with trio.move_on_after(STEP_SECONDS):
        done = await trio.run_process(
            command_line(*arguments, directory=directory),
            capture_stdout=True,
            capture_stderr=True,
            env=_environment(),
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise InternalFault(f"`{shown}` ended with exit code {done.returncode}: {said}")
        return json.loads(done.stdout)
    raise NetworkProblem(f"`{shown}` did not end within {STEP_SECONDS:.0f} seconds.")


def command_line(*arguments: str, directory: Path) -> list[str]:
    """What to execute for a command on a directory."""
    return [sys.executable, "-m", "vitra_node.cli", "--dir", str(directory), "--json", *arguments]


def shown_command(*arguments: str) -> str:
    """The same as a person would type it inside the directory."""
    shown = (
        Path(argument).name if argument.endswith(".js") else argument for argument in arguments
    )
    return " ".join(("vitra", *shown))


def _environment() -> dict[str, str]:
    # What the caller's shell sets for other directories must not reach the demo's.
    return {name: value for name, value in os.environ.items() if not name.startswith("VITRA_")}
