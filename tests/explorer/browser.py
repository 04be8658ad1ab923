"""Debian's Chromium without a window, told what to do by tests (see ``browser.mjs``)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_EXIT_SECONDS = 30


class Browser:
    """One page of one browser."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._next_id = 1

    def call(self, method: str, **arguments: Any) -> Any:
        """One method of ``browser.mjs``; raises AssertionError with what went wrong there."""
        assert self._process.stdin is not None
        identifier = self._next_id
        self._next_id += 1
        line = json.dumps({"id": identifier, "method": method, **arguments})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self.line()
        assert answer["id"] == identifier
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def line(self) -> Any:
        """The next thing the browser's script says."""
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        assert text, f"the browser ended with {self._process.wait(_EXIT_SECONDS)}"
        return json.loads(text)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with an empty profile while in the block."""
    process = subprocess.Popen(
        ["node", str(HERE / "browser.mjs")],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            driven = Browser(process)
            assert driven.line() == {"ready": True}
            yield driven
            assert process.stdin is not None
            process.stdin.close()
            process.wait(_EXIT_SECONDS)
        finally:
            process.kill()
