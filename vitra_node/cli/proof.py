"""``vitra proof check``: what a proof file is worth, with nothing but the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..key_text import parse_key
from .exit_codes import CANNOT_TELL, DONE, FORKED, REJECTED, VIOLATED
from .output import safe_text
from .settings import Settings, takes_settings


@click.group()
@takes_settings
def proof(settings: Settings) -> None:
    """Check proofs that others have made."""


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
    from ..api.proofs import check_proof

    wanted = None if key is None else parse_key(key)
    found = check_proof(file, wanted)
    settings.output.result(found, _text(found))
    return _code(found)


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
