"""``vitra doctor``: why is nothing syncing?"""

from __future__ import annotations

from typing import Any

import click

from ...api.client import ControlClient
from ...errors import NetworkProblem
from ..settings import Settings, takes_settings

_MARKS = {"ok": "ok      ", "problem": "PROBLEM ", "off": "-       "}
NETWORK = NetworkProblem.exit_code


@click.command()
@takes_settings
def doctor(settings: Settings) -> int:
    """Tell why nothing is syncing: which step from the socket to the blocks fails.

    Asks the node that serves the directory. Exits with 0 when nothing is wrong, else with 5.
    """
    with ControlClient.connect(settings.directory) as client:
        checks = client.call("node.doctor")
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
