"""``vitra test``: a contract in a sandbox, before anyone depends on it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ..api.connection import Connection
from ..errors import UsageProblem, VitraError
from .contract import call_code, show_call
from .databases import read_contract
from .exit_codes import DONE
from .index import listed_line, shown_value
from .output import Output
from .settings import Settings, takes_settings


@click.command()
@click.argument("contract", metavar="CONTRACT.js", type=click.Path(path_type=Path))
@click.option(
    "--script",
    type=click.Path(path_type=Path),
    help="Calls to make, one a line; else they are read from stdin.",
)
@takes_settings
def test(settings: Settings, contract: Path, script: Path | None) -> int:
    """Try CONTRACT.js on a database in memory that is gone afterwards.

    Each line is a method with its parameters as JSON, like `increment {"amount": 2}`; `.get PATH`
    and `.ls PATH` read the index; lines that start with # are left out. A line that fails is told
    and the next one runs; the exit code is that of the first failure, 4 when the contract refused
    an operation.
    """
    import trio

    from ..api.local import open_sandbox

    source = read_contract(contract)
    lines = sys.stdin if script is None else iter(_read_script(script))
    if script is None and sys.stdin.isatty():
        settings.output.narrate('One call a line, like: increment {"amount": 2}. Ctrl-D ends it.')

    async def run() -> int:
        async with open_sandbox(source) as connection:
            return await _run_lines(connection, lines, settings.output)

    return trio.run(run)


def read_line(line: str) -> tuple[str, Any]:
    """The method and its parameters in one line; raises UsageProblem when they are not JSON."""
    method, _, text = line.strip().partition(" ")
    text = text.strip()
    if method.startswith("."):
        return method, text
    try:
        return method, json.loads(text) if text else None
    except (ValueError, RecursionError) as error:
        raise UsageProblem(
            f"The parameters in {line.strip()!r} are not JSON.",
            unchanged="Nothing was called.",
            advice='Write a line like: increment {"amount": 2}.',
        ) from error


def _read_script(path: Path) -> list[str]:
    return read_contract(path).splitlines()


async def _run_lines(connection: Connection, lines: Iterable[str], output: Output) -> int:
    code = DONE
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            outcome = await _run_line(connection, line, output)
            code = code or outcome
        except VitraError as failure:
            output.failure(failure)
            code = code or failure.exit_code
    return code


async def _run_line(connection: Connection, line: str, output: Output) -> int:
    method, params = read_line(line)
    if method == ".get":
        entry = await connection.call("index.get", path=params)
        output.result(entry, shown_value(entry["value"], whole=True))
    elif method == ".ls":
        entries = await connection.call("index.list", path=params or "/")
        output.result(entries, "\n".join(listed_line(entry) for entry in entries) or None)
    elif method.startswith("."):
        raise UsageProblem(f"There is no {method} here.", advice="Use .get PATH or .ls PATH.")
    else:
        answer = await connection.call("contract.call", method=method, params=params, wait=True)
        show_call(output, answer)
        return call_code(answer)
    return DONE
