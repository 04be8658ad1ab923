"""``vitra tx ls | show | verify``: the transactions made in this directory."""

from __future__ import annotations

from typing import Any

import click

from ..api.connection import Connection
from .asking import ask
from .exit_codes import DONE, VERDICTS
from .output import compact_json, counted, safe_text
from .settings import Settings, takes_settings


@click.group()
@takes_settings
def tx(settings: Settings) -> None:
    """List, show and verify transactions made here."""


@tx.command()
@takes_settings
def ls(settings: Settings) -> None:
    """List the transactions that were made here, oldest first."""

    async def command(connection: Connection) -> Any:
        return await connection.call("tx.list")

    found = ask(settings, command)
    settings.output.result(found, "\n".join(_line(each) for each in found) or None)


@tx.command()
@click.argument("identifier", metavar="ID")
@click.option("--wait", is_flag=True, help="Wait until the executor has executed all of it.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Seconds to wait with --wait.",
)
@takes_settings
def show(settings: Settings, identifier: str, wait: bool, timeout: float) -> None:
    """Show a transaction: what was called, published, and made of it."""

    async def command(connection: Connection) -> Any:
        if wait:
            return await connection.call("tx.wait", tx=identifier, wait_seconds=timeout)
        return await connection.call("tx.show", tx=identifier)

    found = ask(settings, command)
    settings.output.result(found, _text(found))


@tx.command()
@click.argument("identifier", metavar="ID")
@takes_settings
def verify(settings: Settings, identifier: str) -> int:
    """Check that each operation of a transaction stands in its log and was acknowledged."""

    async def command(connection: Connection) -> Any:
        return await connection.call("tx.verify", tx=identifier)

    found = ask(settings, command)
    reason = found.get("reason")
    settings.output.result(found, found["verdict"] + (f": {safe_text(reason)}" if reason else ""))
    return VERDICTS.get(found["verdict"], DONE)


def _line(found: dict[str, Any]) -> str:
    return (
        f"{found['tx']}  {found['stage']:<10}  {safe_text(found['method'])}"
        f"  {counted(len(found['operations']), 'operation')}"
    )


def _text(found: dict[str, Any]) -> str:
    lines = [
        f"tx        {found['tx']}",
        f"method    {safe_text(found['method'])} {compact_json(found['params'])}",
        f"response  {compact_json(found['response'])}",
        f"stage     {found['stage']}",
    ]
    for operation in found["operations"]:
        lines.append(
            f"operation {operation['oplog']} {operation['seq']}: {compact_json(operation['value'])}"
        )
    for result in found.get("results", ()):
        ack = result["ack"]
        lines.append(f"ack       {'success' if ack['success'] else compact_json(ack.get('error'))}")
        lines += [
            f"  {change['type']} {safe_text(change['path'])} = {compact_json(change['value'])}"
            for change in result["changes"]
        ]
    return "\n".join(lines)
