"""``vitra call``, ``methods`` and ``source``: the contract of the database."""

from __future__ import annotations

import json
from typing import Any

import click

from ...api.control.connection import Connection
from ...errors import UsageProblem
from ..asking import ask, telling_of_interrupts
from ..exit_codes import DONE, REJECTED
from ..output import Output, compact_json, safe_text
from ..settings import Settings, takes_settings
from .index import shown_value


@click.command()
@click.argument("method")
@click.option(
    "--arg",
    "pairs",
    metavar="NAME=VALUE",
    multiple=True,
    help="One parameter; VALUE is taken as JSON where it is JSON, else as text.",
)
@click.option("--params", "params_text", metavar="JSON", help="All parameters as one JSON value.")
@click.option("--wait", is_flag=True, help="Wait until the executor has executed it.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Seconds to wait with --wait.",
)
@takes_settings
def call(
    settings: Settings,
    method: str,
    pairs: tuple[str, ...],
    params_text: str | None,
    wait: bool,
    timeout: float,
) -> int:
    """Call METHOD of the contract and publish the operations it emits.

    With --wait, exits with 4 when the contract refused one of them.
    """
    params = read_params(pairs, params_text)

    async def command(connection: Connection) -> Any:
        return await connection.call(
            "contract.call", method=method, params=params, wait=wait, wait_seconds=timeout
        )

    with telling_of_interrupts("See with `vitra tx ls` whether it was published."):
        answer = ask(settings, command)
    show_call(settings.output, answer)
    return call_code(answer)


@click.command()
@takes_settings
def methods(settings: Settings) -> None:
    """List the methods of the contract with the names of their parameters."""

    async def command(connection: Connection) -> Any:
        return await connection.call("contract.methods")

    found = ask(settings, command)
    lines = [safe_text(f"{method['name']}({', '.join(method['params'])})") for method in found]
    settings.output.result(found, "\n".join(lines) if lines else None)


@click.command()
@takes_settings
def source(settings: Settings) -> None:
    """Print the source of the contract in force."""

    async def command(connection: Connection) -> Any:
        return await connection.call("contract.source")

    answer = ask(settings, command)
    settings.output.result(answer, safe_text(answer["source"], keep_lines=True).removesuffix("\n"))


def read_params(pairs: tuple[str, ...], text: str | None) -> Any:
    """The parameters that ``--arg`` and ``--params`` give; None when there are none.

    Raises UsageProblem: ``--params`` is not JSON, an ``--arg`` has no ``=``, or the two conflict.
    """
    params: Any = None
    if text is not None:
        try:
            params = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise UsageProblem(
                f"--params is not JSON: {error}.",
                unchanged="Nothing was called.",
                advice="""Write it like --params '{"amount": 2}'.""",
            ) from error
    if not pairs:
        return params
    if params is not None and not isinstance(params, dict):
        raise UsageProblem(
            "--arg adds to an object, and --params is none.", unchanged="Nothing was called."
        )
    return {**(params or {}), **dict(_read_pair(pair) for pair in pairs)}


def call_code(answer: dict[str, Any]) -> int:
    """The exit code of a call: whether the contract refused one of its operations."""
    results = answer.get("results", ())
    return DONE if all(result["ack"]["success"] for result in results) else REJECTED


def show_call(output: Output, answer: dict[str, Any]) -> None:
    """Print what a call gave: its response on stdout, what was published on stderr."""
    response = answer["response"]
    output.result(answer, None if response is None else shown_value(response, whole=True))
    for operation in answer["operations"]:
        output.narrate(f"published {compact_json(operation['value'])}")
    if answer["operations"]:
        output.narrate(f"transaction {answer['tx']}: {answer['stage']}")
    for result in answer.get("results", ()):
        if not result["ack"]["success"]:
            output.narrate(f"the contract refused it: {result['ack'].get('error')}")


def _read_pair(pair: str) -> tuple[str, Any]:
    name, equals, text = pair.partition("=")
    if not equals or not name:
        raise UsageProblem(
            f"--arg {pair!r} has no name and value.",
            unchanged="Nothing was called.",
            advice="Write it like --arg amount=2.",
        )
    try:
        return name, json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return name, text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
