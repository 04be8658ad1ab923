"""Fixtures of the command line's tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vitra_node.cli.main import run

from .fake_node import FakeNode, running_fake_node


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout."""
        return json.loads(self.out)

    @property
    def events(self) -> list[Any]:
        """The JSON values on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        """The JSON error on stderr."""
        return json.loads(self.err)["error"]


class Vitra:
    """Runs commands in this process, as ``vitra`` would."""

    def __init__(self, capfd: pytest.CaptureFixture[str], directory: Path) -> None:
        self._capfd = capfd
        self.directory = directory

    def __call__(self, *arguments: str) -> Outcome:
        self._capfd.readouterr()
        code = run(["--dir", str(self.directory), *arguments])
        captured = self._capfd.readouterr()
        return Outcome(code, captured.out, captured.err)


@pytest.fixture
def data_directory(tmp_path: Path) -> Path:
    """An empty directory that is nobody else's."""
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def vitra(
    capfd: pytest.CaptureFixture[str], data_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> Vitra:
    """The command line on an empty data directory."""
    for name in ("VITRA_DIR", "VITRA_LOG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    # Who wants a swarm names a network with --bootstrap.
    monkeypatch.setenv("VITRA_NO_SWARM", "1")
    return Vitra(capfd, data_directory)


@pytest.fixture
def node(data_directory: Path) -> Iterator[FakeNode]:
    """A node with a fake database that serves the data directory."""
    with running_fake_node(data_directory) as running:
        yield running
