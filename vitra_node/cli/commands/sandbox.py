"""``vitra test``: a contract in a sandbox, before anyone depends on it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...api.control.connection import Connection
from ...errors import UsageProblem, VitraError
from ..exit_codes import DONE, REJECTED
from ..output import Output, compact_json, counted
from ..settings import Settings, takes_settings
from .contract import call_code, show_call
from .databases import read_contract
from .index import listed_line, shown_value

if TYPE_CHECKING:
    from ...api.directories.local import LocalConnection
    from ...ledger.console import ContractNews


@click.command()
@click.argument("contract", metavar="CONTRACT.js", type=click.Path(path_type=Path))
@click.option(
    "--script",
    type=click.Path(path_type=Path),
    help="A test of the contract; else lines are read from stdin.",
)
@takes_settings
def test(settings: Settings, contract: Path, script: Path | None) -> int:
    """Try CONTRACT.js on a database in memory that is gone afterwards.

    Each line is a method with its parameters as JSON, like `increment {"amount": 2}`; `.get PATH`
    and `.ls PATH` read the index; lines that start with # are left out. A line that fails is told
    with its place in the contract, and the next one runs.

    In a script, a line `= JSON` says what the line above it gives, and `! TEXT` that it fails with
    an error that holds the text. At its end the script tells which lines of the contract never ran.

    The exit code is that of the first failure; 4 when the contract refused an operation, or a line
    did not do what the script says.
    """
    import trio

    from ...api.directories.local import open_sandbox

    source = read_contract(contract)
    steps = _steps(_numbered(sys.stdin)) if script is None else read_script(script)
    if script is None and sys.stdin.isatty():
        settings.output.narrate('One call a line, like: increment {"amount": 2}. Ctrl-D ends it.')
    run = _Run(settings.output, contract, source)

    async def play() -> int:
        is_script = script is not None
        async with open_sandbox(source, cover=is_script, watch=run.watch) as connection:
            code = await run.play(connection, steps)
            if is_script:
                await run.tell_coverage(connection)
        return code

    return trio.run(play)


@dataclass
class Step:
    """One line, and what a script says about it.

    Attributes:
      number: of the line in the script, from 1.
      given: the JSON value it has to give, as a list of one; none if nothing is said.
      error: a part of the error it has to fail with, None if it has to do its work.
    """

    number: int
    line: str
    given: list[Any] = field(default_factory=list)
    error: str | None = None


def read_script(path: Path) -> list[Step]:
    """The steps of a script; raises UsageProblem or NotFound when it is none."""
    steps: list[Step] = []
    for number, line in _numbered(read_contract(path).splitlines()):
        mark, rest = line[:1], line[1:].strip()
        if mark not in ("=", "!"):
            steps.append(Step(number, line))
            continue
        if not steps or steps[-1].given or steps[-1].error is not None:
            raise UsageProblem(
                f"Line {number} of {path} belongs to no call.",
                unchanged="Nothing was called.",
                advice="A line that begins with = or ! stands below the call that it is about.",
            )
        if mark == "!":
            steps[-1].error = rest
        else:
            steps[-1].given = [_json(rest, f"Line {number} of {path} expects what is not JSON")]
    return steps


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, text


def _steps(lines: Iterable[tuple[int, str]]) -> Iterator[Step]:
    """Lines as they are typed: what they give is seen, not expected."""
    for number, line in lines:
        yield Step(number, line)


def read_line(line: str) -> tuple[str, Any]:
    """The method and its parameters in one line; raises UsageProblem when they are not JSON."""
    method, _, text = line.strip().partition(" ")
    text = text.strip()
    if method.startswith("."):
        return method, text
    return method, _json(text, f"The parameters in {line.strip()!r} are not JSON") if text else None


def _json(text: str, problem: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageProblem(
            f"{problem}.",
            unchanged="Nothing was called.",
            advice='Write a call like: increment {"amount": 2}.',
        ) from error


class _Run:
    """Plays lines on a sandbox and tells what they give."""

    def __init__(self, output: Output, path: Path, source: str) -> None:
        self._output = output
        self._path = path
        self._lines = source.splitlines()
        self._news: list[ContractNews] = []
        self._passed = 0
        self._failed = 0

    def watch(self, news: ContractNews) -> None:
        """Is told what the contract writes, and where it fails."""
        for line in news.printed:
            self._output.narrate(f"console: {line.text}")
        self._news.append(news)

    async def play(self, connection: Connection, steps: Iterable[Step]) -> int:
        """Run the steps; gives the exit code."""
        code = DONE
        for step in steps:
            self._news.clear()
            try:
                outcome = await self._play(connection, step)
            except VitraError as failure:
                if step.error is None or step.error not in failure.failed:
                    self._output.failure(failure)
                    self._point()
                    outcome = failure.exit_code
                else:
                    outcome = DONE
                if step.given or (step.error is not None and outcome != DONE):
                    outcome = self._differs(step, f"fails with {failure.failed}")
            self._passed += outcome == DONE
            self._failed += outcome != DONE
            code = code or outcome
        return code

    async def _play(self, connection: Connection, step: Step) -> int:
        value, errors = await _run_line(connection, step.line, self._output)
        if step.error is None and errors:
            self._point()
            return REJECTED
        if step.error is not None and not any(step.error in error for error in errors):
            return self._differs(step, f"fails with {errors[0]}" if errors else "does not fail")
        if step.given and not _is_same(value, step.given[0]):
            return self._differs(step, f"gives {compact_json(value)}")
        return DONE

    def _differs(self, step: Step, found: str) -> int:
        wanted = f"= {compact_json(step.given[0])}" if step.given else f"! {step.error}"
        self._output.narrate(f"line {step.number}: {step.line} {found}, not {wanted}")
        return REJECTED

    def _point(self) -> None:
        """Show the line of the contract that failed, with a caret."""
        for news in self._news:
            if news.error is None or news.position is None:
                continue
            line, column = news.position
            text = self._lines[line - 1]
            mark = "".join("\t" if c == "\t" else " " for c in text[: column - 1]) + "^"
            self._output.narrate(f"{self._path}:{line}:{column}\n  {text}\n  {mark}")

    async def tell_coverage(self, connection: LocalConnection) -> None:
        """Say how much of the script went well, and which lines of the contract never ran."""
        passed, could = await connection.session.database.coverage()
        ran = len(passed & could)
        share = 100 * ran // len(could) if could else 100
        report = f"{counted(self._passed, 'line')} passed, {self._failed} failed; "
        report += f"{ran} of {counted(len(could), 'line')} of the contract ran ({share} %)"
        missed = sorted(could - passed)
        if missed:
            report += f", but not {_ranges(missed)}"
        self._output.narrate(report)


def _ranges(numbers: list[int]) -> str:
    """``3, 5-7``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts)


def _is_same(a: Any, b: Any) -> bool:
    """Whether JSON values are the same; 1 is 1.0, but true is not 1."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_is_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_is_same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


async def _run_line(connection: Connection, line: str, output: Output) -> tuple[Any, list[str]]:
    """What a line gives, and the errors of the operations that the contract refused."""
    method, params = read_line(line)
    if method == ".get":
        entry = await connection.call("index.get", path=params)
        output.result(entry, shown_value(entry["value"], whole=True))
        return entry["value"], []
    if method == ".ls":
        entries = await connection.call("index.list", path=params or "/")
        output.result(entries, "\n".join(listed_line(entry) for entry in entries) or None)
        return [entry["path"] for entry in entries], []
    if method.startswith("."):
        raise UsageProblem(f"There is no {method} here.", advice="Use .get PATH or .ls PATH.")
    answer = await connection.call("contract.call", method=method, params=params, wait=True)
    show_call(output, answer)
    errors = []
    if call_code(answer) != DONE:
        errors = [str(result["ack"].get("error")) for result in answer["results"]]
    return answer["response"], errors
