"""Where a command's words go: results on stdout, narration and errors on stderr.

Everything a person sees passes ``safe_text``: values in logs come from strangers, and a terminal
obeys what it is shown. JSON needs no such care, it is ASCII.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO

from ..errors import VitraError
from ..safe_text import safe_text as safe_text
from .progress_line import ProgressLine

_BOLD, _RED, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[0m"


def counted(number: int, noun: str) -> str:
    """``1 block``, ``2 blocks``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def compact_json(value: Any) -> str:
    """A value as one line of JSON for people: readable letters, no line feeds."""
    return safe_text(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")))


class Output:
    """Where one command writes.

    Attributes:
      as_json: results as JSON, and nothing but errors on stderr.
      closed: whether the reader of stdout has gone; more results are pointless then.
      progress: shows on stderr how far long work is.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.closed = False
        self.progress = ProgressLine(sys.stderr, wanted=not as_json)

    def result(self, value: Any, text: str | None = None) -> None:
        """One result: the value as JSON, or ``text`` (None for nothing to say)."""
        if self.as_json:
            self._line(json.dumps(value, separators=(",", ":")))
        elif text is not None:
            self._line(text)

    def json_line(self, value: Any) -> None:
        """A result that is JSON for people too."""
        self._line(json.dumps(value, separators=(",", ":")))

    def narrate(self, text: str) -> None:
        """A sentence that is no result."""
        if not self.as_json:
            self.progress.clear()
            _write(sys.stderr, safe_text(text, keep_lines=True))

    def heading(self, text: str) -> None:
        """A narrated line that stands out."""
        if not self.as_json:
            _write(sys.stderr, _styled(_BOLD, safe_text(text)))

    def failure(self, failure: VitraError) -> None:
        """What failed, what stayed unchanged, what to try."""
        self.progress.clear()
        if self.as_json:
            error = {
                "kind": failure.family,
                "exit_code": failure.exit_code,
                "failed": failure.failed,
                "unchanged": failure.unchanged,
                "advice": failure.advice,
                **({"details": failure.details} if failure.details else {}),
            }
            _write(sys.stderr, json.dumps({"error": error}, separators=(",", ":")))
            return
        lines = [f"{_styled(_RED, 'vitra:')} {safe_text(failure.failed)}"]
        lines += [f"  {safe_text(part)}" for part in (failure.unchanged, failure.advice) if part]
        _write(sys.stderr, "\n".join(lines))

    def _line(self, text: str) -> None:
        if self.closed:
            return
        self.progress.clear()
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # `vitra history | head`: not an error. Python would complain again at exit.
            self.closed = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text + "\n")
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _styled(style: str, text: str) -> str:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty():
        return text
    return f"{style}{text}{_PLAIN}"
