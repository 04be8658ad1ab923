"""``vitra rollback``: back to an earlier contract, if more than half of them want it."""

from __future__ import annotations

from typing import Any

import click

from ...api.control.connection import Connection
from ...errors import UsageProblem
from ..asking import ask
from ..output import counted
from ..settings import Settings, takes_settings
from .contract import call_code, show_call


@click.command()
@click.option(
    "--to",
    "target",
    type=click.IntRange(min=1),
    metavar="SEQ",
    help="Vote for the source that this index block set.",
)
@click.option("--withdraw", is_flag=True, help="Take the vote of this directory back.")
@click.option("--wait", is_flag=True, help="Wait until the executor has counted it.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Seconds to wait with --wait.",
)
@takes_settings
def rollback(
    settings: Settings, target: int | None, withdraw: bool, wait: bool, timeout: float
) -> int:
    """Vote for an earlier contract source; without options, list the sources and the votes.

    When more than half of the active participants vote for one source, the executor brings it back.
    The present contract is not asked, so this works when it does not run at all. With --wait, exits
    with 4 when the vote was refused.
    """
    if target is not None and withdraw:
        raise UsageProblem(
            "--to and --withdraw exclude each other.", unchanged="Nothing was published."
        )
    if target is None and not withdraw:
        return _list(settings)

    async def command(connection: Connection) -> Any:
        waiting = {"wait": wait, "wait_seconds": timeout}
        if target is None:
            return await connection.call("contract.withdraw", **waiting)
        return await connection.call("contract.rollback", to=target, **waiting)

    answer = ask(settings, command)
    show_call(settings.output, answer)
    return call_code(answer)


def _list(settings: Settings) -> int:
    async def command(connection: Connection) -> Any:
        versions = await connection.call("contract.versions")
        return versions, await connection.call("contract.votes")

    versions, votes = ask(settings, command)
    counted_votes = [each["to"] for each in votes["votes"] if each["counts"]]
    rows = [
        {
            **version,
            "in_force": version is versions[-1],
            "votes": counted_votes.count(version["seq"]),
            "active": votes["active"],
        }
        for version in versions
    ]
    settings.output.result(rows, "\n".join(_row_text(row) for row in rows) or None)
    return 0


def _row_text(row: dict[str, Any]) -> str:
    text = f"{row['seq']}  {counted(row['chars'], 'character')}"
    if row["in_force"]:
        return f"{text}, in force"
    return f"{text}, {counted(row['votes'], 'vote')} of {row['active']}" if row["votes"] else text
