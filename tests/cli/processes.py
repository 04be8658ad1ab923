"""Runs ``vitra`` as a user does: as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .conftest import Outcome

COUNTER = """\
import { index } from 'contract'
export async function get () {
  const entry = await index.get(`/counter`)
  return Number(entry?.value || 0)
}
export function increment (opts = {}, emit) {
  const amount = typeof opts?.amount === 'number' ? opts.amount : 1
  emit({op: 'INCREMENT', amount})
}
export const apply = {
  async INCREMENT (tx, op) {
    const current = await get()
    tx.put(`/counter`, current + op.amount)
  }
}
"""

# The one variable of ours that a test may set for the commands it runs.
PASSPHRASE = "VITRA_PASSPHRASE_FILE"

# A command takes about a second on two busy cores; one that hangs fails the test after this.
COMMAND_SECONDS = 60


def command_line(arguments: Sequence[str], directory: Path) -> list[str]:
    """What to execute for ``vitra ARGUMENTS --dir DIRECTORY``."""
    return [sys.executable, "-m", "vitra_node.cli", *arguments, "--dir", str(directory)]


def vitra(directory: Path, *arguments: str, stdin: str = "") -> Outcome:
    """Run a command to its end."""
    done = subprocess.run(
        command_line(arguments, directory),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        env=environment(),
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def ok(directory: Path, *arguments: str) -> Any:
    """Run a command with ``--json`` that has to succeed; its answer."""
    outcome = vitra(directory, *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return outcome.json


class Running:
    """A command that goes on; ``line`` reads its next JSON line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> Any:
        """The next line on stdout."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        assert text, f"it ended with {self.process.wait(COMMAND_SECONDS)}: {self.errors()}"
        return json.loads(text)

    def errors(self) -> str:
        """All of stderr, after the end."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(COMMAND_SECONDS)


@contextmanager
def running(directory: Path, *arguments: str) -> Iterator[Running]:
    """A command that runs while in the block, and is killed if it still does after it."""
    process = subprocess.Popen(
        command_line((*arguments, "--json"), directory),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with process:
        try:
            yield Running(process)
        finally:
            process.kill()


@contextmanager
def serving(directory: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    """A node that serves the directory; gives its ready line."""
    with running(directory, "serve", "--no-swarm", *arguments) as node:
        yield node.line()
        assert node.end() == 0, node.errors()


def environment() -> dict[str, str]:
    """The caller's environment without what would lead a command elsewhere.

    A test that wants a swarm names a network of its own with ``--bootstrap``.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("VITRA_") or name == PASSPHRASE
    }
    return {**kept, "VITRA_NO_SWARM": "1"}
