"""A program on a terminal of its own, driven by keys and read from its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pyte

# Tall and wide enough that nothing scrolls away or is wrapped.
ROWS, COLUMNS = 1500, 600
PATIENCE_SECONDS = 60.0


class Terminal:
    """The screen of a running program.

    Attributes:
      process: the program.
    """

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._rows: dict[int, str] = {}
        self._screen.dirty.clear()

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, without the empty rest."""
        for row in self._screen.dirty:
            cells = self._screen.buffer.get(row)
            text = "" if cells is None else "".join(cells[column].data for column in range(COLUMNS))
            self._rows[row] = text.rstrip()
        self._screen.dirty.clear()
        last = max((row for row, text in self._rows.items() if text), default=-1)
        return [self._rows.get(row, "") for row in range(last + 1)]

    def keys(self, text: str) -> None:
        """Type."""
        os.write(self._descriptor, text.encode())

    def wait(self, condition: Callable[[list[str]], bool]) -> None:
        """Read until the screen is as asked for; fails with the screen when it never is."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition(self.lines):
            left = deadline - time.monotonic()
            assert left > 0, "the screen is:\n" + "\n".join(self.lines)
            if select.select([self._descriptor], [], [], left)[0]:
                try:
                    self._stream.feed(os.read(self._descriptor, 65536))
                except OSError:
                    # The program has closed its side.
                    assert condition(self.lines), "\n".join(self.lines)

    def command(self, line: str, prompt: str) -> list[str]:
        """Type a line, wait for the next prompt (a pattern); the lines in between."""
        ready = re.compile(prompt)
        self.wait(lambda lines: bool(lines) and ready.fullmatch(lines[-1]) is not None)
        begin = len(self.lines)
        self.keys(line + "\r")
        self.wait(
            lambda lines: (
                len(lines) > begin
                and lines[begin - 1].endswith(line)
                and bool(ready.fullmatch(lines[-1]))
            )
        )
        return [shown for shown in self.lines[begin:-1] if shown]


@contextmanager
def terminal(
    command: Sequence[str], environment: Mapping[str, str], cwd: str
) -> Iterator[Terminal]:
    """Run a program on a new terminal while in the block; it is killed after it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", ROWS, COLUMNS, 0, 0))
    # The terminal answers no questions for the place of its cursor.
    variables = {**environment, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "NO_COLOR": "1"}
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=variables,
        cwd=cwd,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
