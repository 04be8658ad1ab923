"""Plays the console transcripts of a page: what it shows is what happens.

A page marks its blocks with a comment on the line before the fence:

    <!-- file alice/counter.js -->     the block is that file
    <!-- story -->                     the block is a transcript; a page may have several, in order
    <!-- two machines -->              the same, for people on machines of their own

In a transcript ``alice$ vitra …`` runs a command in the directory ``alice``, and the lines behind
it are all of its standard output. ``echo $?`` gives the exit code of the command before. A command
that goes on (``serve``, ``monitor``, ``dht serve``) is left running; its lines are its first. Keys,
ids, ports, process numbers and times stand for those of the run.
"""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .processes import COMMAND_SECONDS, environment

VITRA = str(Path(sys.executable).with_name("vitra"))

_BLOCK = re.compile(r"^<!-- (file \S+|story|two machines) -->\n```\w+\n(.*?)^```$", re.S | re.M)
_STEP = re.compile(r"^(?=[a-z]+\$ )", re.M)
_HEX = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{32})\b")
_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d{4,5}\b")
_VARIES = (
    (re.compile(r"\d+\.\d+ s\b"), "T s"),
    (re.compile(r"\bprocess \d+"), "process N"),
    (re.compile(r'"pid":\d+'), '"pid":N'),
    (re.compile(r'"dht":"[\d.]+:\d+"'), '"dht":"HOST:PORT"'),
)


class Transcript:
    """One page, played in a directory of its own. A context manager: it ends what still runs.

    Args:
      entering: for each person, what leads a command to their machine.
      mark: of the blocks that are played.
    """

    def __init__(
        self,
        page: str,
        directory: Path,
        entering: Mapping[str, Sequence[str]] | None = None,
        mark: str = "story",
    ) -> None:
        self.directory = directory
        self.commands = 0
        self._entering = entering or {}
        self._mark = mark
        self._page = page
        self._names: dict[str, str] = {}
        self._ports: dict[str, str] = {}
        self._code = 0
        self._running: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Transcript:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.communicate(timeout=COMMAND_SECONDS)

    def play(self) -> None:
        """Play all blocks; an AssertionError tells where the page is not true."""
        for mark, text in _BLOCK.findall(self._page):
            if mark == self._mark:
                for step in _STEP.split(text):
                    if step:
                        self._step(*step.splitlines())
            elif mark.startswith("file "):
                path = self.directory / mark.removeprefix("file ")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def _step(self, command: str, *expected: str) -> None:
        who, _, line = command.partition("$ ")
        directory = self.directory / who
        directory.mkdir(exist_ok=True)
        if line == "echo $?":
            assert expected == (str(self._code),), (command, self._code)
            return
        words = shlex.split(self._here(line))
        assert words[0] == "vitra", command
        self.commands += 1
        enter = self._entering.get(who, ())
        if _goes_on(words):
            shown = self._start([*enter, VITRA, *words[1:]], directory, len(expected))
        else:
            shown = self._run([*enter, VITRA, *words[1:]], directory)
        assert len(shown) == len(expected), (command, shown)
        for real, wanted in zip(shown, expected, strict=True):
            self._learn(wanted, real)
            assert _steady(real) == _steady(self._here(wanted)), command

    def _run(self, command: list[str], directory: Path) -> list[str]:
        done = subprocess.run(
            command,
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            env=environment(),
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        self._code = done.returncode
        if done.returncode not in (0, 20, 21):
            assert done.stdout == "", done.stderr
        return done.stdout.splitlines()

    def _start(self, command: list[str], directory: Path, lines: int) -> list[str]:
        process = subprocess.Popen(
            command,
            cwd=directory,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        self._running.append(process)
        assert process.stdout is not None
        return [process.stdout.readline().rstrip("\n") for _ in range(lines)]

    def _learn(self, wanted: str, real: str) -> None:
        for theirs, ours in zip(_HEX.findall(wanted), _HEX.findall(real), strict=False):
            self._names.setdefault(theirs, ours)

    def _here(self, text: str) -> str:
        """The text with this run's keys and ports."""
        text = _HEX.sub(lambda found: self._names.get(found[0], found[0]), text)
        return _PORT.sub(lambda found: self._port(found[0]), text)

    def _port(self, shown: str) -> str:
        if shown not in self._ports:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self._ports[shown] = str(free.getsockname()[1])
        return self._ports[shown]


def _goes_on(words: list[str]) -> bool:
    if "--background" in words:
        return False
    return words[1] in ("serve", "monitor") or words[1:3] == ["dht", "serve"]


def _steady(line: str) -> str:
    for pattern, stands_for in _VARIES:
        line = pattern.sub(stands_for, line)
    return line
