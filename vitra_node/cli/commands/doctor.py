"""``vitra doctor``: why is nothing syncing?"""

from __future__ import annotations

from typing import Any

import click

from ...api.control.connection import Connection
from ...errors import NetworkProblem
from ..asking import ask
from ..settings import Settings, takes_settings

_MARKS = {"ok": "ok      ", "problem": "PROBLEM ", "off": "-       "}
NETWORK = NetworkProblem.exit_code


@click.command()
@takes_settings
def doctor(settings: Settings) -> int:
    """Tell why nothing is syncing: store, keys, contract, and each step from socket to blocks.

    Asks the node that serves the directory; without one it looks at the directory alone. Exits
    with 0 when nothing is wrong, with 5 when something is, and as any other command when the
    directory cannot be opened at all.
    """

    async def command(connection: Connection) -> Any:
        return await connection.call("node.doctor")

    checks = ask(settings, command, with_peers=False)
    problems = [check for check in checks if check["state"] == "problem"]
    settings.output.result({"healthy": not problems, "checks": checks}, _text(checks))
    return NETWORK if problems else 0


def _text(checks: list[dict[str, Any]]) -> str:
    lines = []
    for check in checks:
        lines.append(f"{_MARKS[check['state']]}{check['name']:<10} {check['text']}")
        if check["advice"]:
            lines.append(f"{'':<19}{check['advice']}")
    return "\n".join(lines)
