"""``vitra export`` and ``import``: the index as lines of JSON, and calls for such lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, cast

import click

from ...api.control.connection import Connection
from ...errors import NotFound, UsageProblem, cannot_write
from ...progress import Step
from ..asking import ask
from ..output import counted
from ..settings import Settings, takes_settings

# A line is one entry. Values are bounded by what a block holds, base64 and escapes included.
MAX_LINE_BYTES = 32 * 1024 * 1024


@click.command()
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), help="Else stdout.")
@click.option("--everything", is_flag=True, help="The protocol's own entries below /.sys too.")
@takes_settings
def export(settings: Settings, file: Path | None, everything: bool) -> None:
    """Print the index as it is now, one line of JSON for each entry: path, seq, value."""
    if file is not None and file.exists():
        raise UsageProblem(f"{file} exists already.", unchanged="It was not changed.")

    async def command(connection: Connection) -> int:
        count = 0
        with nullcontext() if file is None else _new_file(file) as opened:
            async with connection.stream("index.export", everything=everything) as entries:
                async for entry in entries:
                    if opened is None:
                        settings.output.json_line(entry)
                    else:
                        opened.write(json.dumps(entry, separators=(",", ":")) + "\n")
                    count += 1
                    if file is not None:
                        settings.output.progress.show(Step("Exporting", count, None, "values"))
        return count

    count = ask(settings, command)
    settings.output.narrate(f"Exported {counted(count, 'value')}.")


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--method", default="put", show_default=True, help="What to call for each line.")
@takes_settings
def import_(settings: Settings, file: Path, method: str) -> None:
    """Call a method of the contract for every line of FILE, as `vitra export` prints them.

    The method gets an object with path and value. The contract decides what comes of it, as for
    every call: nothing enters an index past its contract. Stops at the first line that fails, and
    says how many were done.
    """
    entries = list(_entries(file))
    done = 0

    async def command(connection: Connection) -> int:
        nonlocal done
        for entry in entries:
            settings.output.progress.show(Step("Importing", done, len(entries), "lines"))
            params = {"path": entry["path"], "value": entry["value"]}
            await connection.call("contract.call", method=method, params=params)
            done += 1
        return done

    try:
        count = ask(settings, command)
    except BaseException:
        # Also where the user stopped it: whoever goes on has to know where.
        settings.output.narrate(f"{counted(done, 'line')} of {len(entries)} were published.")
        raise
    settings.output.result({"calls": count}, None)
    settings.output.narrate(f"Published {counted(count, 'call')} of {method!r}.")


@contextmanager
def _new_file(file: Path) -> Iterator[IO[str]]:
    """A file that is written whole, or not left at all."""
    try:
        opened = file.open("x")
    except OSError as error:
        raise cannot_write(file, error, "Nothing was written.") from error
    with opened:
        try:
            yield opened
            opened.flush()
        except BaseException:
            file.unlink()
            raise


def _entries(file: Path) -> Iterator[dict[str, Any]]:
    """The entries of a file. All are read before the first is called."""
    try:
        opened: IO[bytes] = file.open("rb")
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {file}.", unchanged="Nothing was called.") from error
    except OSError as error:
        raise UsageProblem(
            f"{file} cannot be read: {error.strerror}.", unchanged="Nothing was called."
        ) from error
    with opened:
        number = 0
        while line := opened.readline(MAX_LINE_BYTES):
            number += 1
            if line.strip():
                yield _entry(file, number, line)


def _entry(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _bad_line(file, number, "it is not JSON") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        raise _bad_line(file, number, "it has no path")
    if "value" not in entry:
        raise _bad_line(file, number, "it has no value")
    return cast("dict[str, Any]", entry)


def _bad_line(file: Path, number: int, why: str) -> UsageProblem:
    return UsageProblem(
        f"Line {number} of {file} is no entry: {why}.",
        unchanged="Nothing was called.",
        advice="Lines look like those of `vitra export`.",
    )
