"""``vitra proof``: what a file is worth, with nothing but the file; and that a log only grew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ...api.control.connection import Connection
from ...config import write_file_atomically
from ...errors import cannot_write
from ...key_text import parse_key
from ..asking import ask
from ..exit_codes import CANNOT_TELL, DONE, FORKED, REJECTED, VIOLATED
from ..output import safe_text
from ..settings import Settings, takes_settings


@click.group()
@takes_settings
def proof(settings: Settings) -> None:
    """Check proofs that others have made, or prove that a log only grew."""


@proof.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", metavar="KEY", help="The database or log that it has to be about.")
@takes_settings
def check(settings: Settings, file: Path, key: str | None) -> int:
    """Check the proof in FILE: no directory, no node, no network.

    A proof of inclusion that holds exits with 0. A proof of fraud that holds exits with 20, or with
    21 if it is about a log with two histories. What does not hold is rejected, with 4; what needs
    a contract runtime that is not installed here cannot be told, with 6.
    """
    from ...api.proofs import check_proof

    wanted = None if key is None else parse_key(key)
    found = check_proof(file, wanted)
    settings.output.result(found, _text(found))
    return _code(found)


@proof.command()
@click.option(
    "--from",
    "start",
    type=click.IntRange(min=1),
    required=True,
    metavar="LENGTH",
    help="How many blocks the log had.",
)
@click.option(
    "--log", default="index", metavar="LOG", help="index (also if left out), local, or a key."
)
@click.option(
    "-o", "--output", "file", required=True, type=click.Path(path_type=Path), help="Where to."
)
@takes_settings
def consistency(settings: Settings, start: int, log: str, file: Path) -> None:
    """Write a proof that a log only grew since it had LENGTH blocks.

    Anyone can check it with `vitra proof check`, without the database: the blocks up to LENGTH are
    the beginning of what is signed now. Two such proofs from one LENGTH have the same roots.
    """

    async def command(connection: Connection) -> Any:
        return await connection.call("log.consistency", log=log, start=start)

    found = ask(settings, command)
    try:
        write_file_atomically(file, json.dumps(found, indent=1).encode() + b"\n")
    except OSError as error:
        raise cannot_write(file, error, "Nothing was written.") from error
    lengths = {"from": start, "to": found["later"]["length"]}
    settings.output.result({**lengths, "file": str(file)}, None)
    settings.output.narrate(f"Wrote the proof from {start} to {lengths['to']} blocks to {file}.")


def _code(found: dict[str, Any]) -> int:
    if found["verdict"] == "violated":
        return VIOLATED if found["kind"] == "ContractFraudProof" else FORKED
    return {"verified": DONE, "rejected": REJECTED}.get(found["verdict"], CANNOT_TELL)


def _text(found: dict[str, Any]) -> str:
    code = f" {found['code']}" if "code" in found else ""
    return (
        f"{found['verdict']}: {found['kind']}{code}: {safe_text(found['reason'])}\n"
        f"about {found['key']}"
    )
