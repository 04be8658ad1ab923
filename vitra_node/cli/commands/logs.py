"""``vitra logs``: what the node of a directory has written to its log."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

from ...errors import NotFound, StoreDamaged
from ..asking import running_node
from ..log_format import LOG_NAME
from ..output import Output, safe_text
from ..settings import Settings, takes_settings

# How often --follow looks for more: at once, to a person.
_LOOK_SECONDS = 0.2


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Begin with so many of the last lines.",
)
@takes_settings
def logs(settings: Settings, follow: bool, lines: int) -> None:
    """Print what the background node of this directory has logged.

    VITRA_LOG=json at its start makes each line a JSON object; so does --json here.
    """
    file = log_file(settings.directory)
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            for line in deque(opened, maxlen=lines):
                _show(settings.output, line)
            for line in _later(opened, file) if follow else ():
                if settings.output.closed:
                    return
                _show(settings.output, line)
    except FileNotFoundError as error:
        raise NotFound(
            f"No background node has run in {settings.directory} yet.",
            advice="Start one with `vitra serve --background`.",
        ) from error
    except OSError as error:
        raise StoreDamaged(f"{file} cannot be read: {error.strerror}.") from error


def log_file(directory: Path) -> Path:
    """Where the node of a directory logs, or logged; NotFound when that is a terminal."""
    client = running_node(directory)
    if client is None:
        return directory / LOG_NAME
    with client:
        file = client.call("node.status")["log"]
    if file is None:
        raise NotFound(
            "This node runs in a terminal and logs there.",
            advice="Set VITRA_LOG=info where it is started, or use `vitra serve --background`.",
        )
    return Path(file)


def _later(opened: IO[str], path: Path) -> Iterator[str]:
    """Lines as they are written, also when the file is replaced by the next one; without end."""
    partial = ""
    current = opened
    try:
        while True:
            partial += current.readline()
            if partial.endswith("\n"):
                yield partial
                partial = ""
            elif _was_replaced(current, path):
                following = path.open(encoding="utf-8", errors="replace")
                if current is not opened:
                    current.close()
                current = following
            else:
                time.sleep(_LOOK_SECONDS)
    finally:
        if current is not opened:
            current.close()


def _was_replaced(opened: IO[str], path: Path) -> bool:
    try:
        return not os.path.samestat(os.fstat(opened.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _show(output: Output, line: str) -> None:
    text = line.rstrip("\n")
    output.result(_as_object(text) if output.as_json else None, safe_text(text))


def _as_object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"message": text}
