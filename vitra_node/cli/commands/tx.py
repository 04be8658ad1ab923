"""``vitra tx ls | show | verify | prove``: the transactions made in this directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ...api.control.connection import Connection
from ...config import write_file_atomically
from ...errors import cannot_write
from ..asking import ask
from ..exit_codes import DONE, VERDICTS
from ..output import compact_json, counted, safe_text
from ..settings import Settings, takes_settings


@click.group()
@takes_settings
def tx(settings: Settings) -> None:
    """List, show, verify and prove transactions made here."""


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
    """Replay the operations of one transaction, and compare with what the executor published.

    The rest of the database is not needed: what is missing here is fetched, a few blocks.
    """

    async def command(connection: Connection) -> Any:
        return await connection.call("tx.verify", tx=identifier)

    found = ask(settings, command)
    reason = found.get("reason")
    settings.output.result(found, found["verdict"] + (f": {safe_text(reason)}" if reason else ""))
    return VERDICTS.get(found["verdict"], DONE)


@tx.command()
@click.argument("identifier", metavar="ID")
@click.option(
    "-o", "--output", "file", required=True, type=click.Path(path_type=Path), help="Where to."
)
@takes_settings
def prove(settings: Settings, identifier: str, file: Path) -> None:
    """Write a proof of a transaction's results: its acks and changes, signed by the executor.

    Anyone can check it with `vitra proof check`, without the database. A transaction with several
    operations gives several files, numbered.
    """

    async def command(connection: Connection) -> Any:
        return await connection.call("tx.prove", tx=identifier)

    found = ask(settings, command)
    proofs = found["proofs"]
    files = [file] if len(proofs) == 1 else [_numbered(file, n) for n in range(len(proofs))]
    for target, proof in zip(files, proofs, strict=True):
        try:
            write_file_atomically(target, json.dumps(proof, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            raise cannot_write(target, error, "What was written before it is kept.") from error
    names = [str(each) for each in files]
    settings.output.result({"tx": identifier, "files": names}, None)
    settings.output.narrate(f"Wrote {', '.join(names)}." if names else "It published nothing.")


def _numbered(file: Path, number: int) -> Path:
    return file.with_name(f"{file.stem}-{number}{file.suffix}")


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
