"""``vitra fsck``: is everything in the store what it was when it was written?"""

from __future__ import annotations

from typing import Any

import click

from ...config import parse_address
from ..asking import refuse_while_running
from ..exit_codes import DAMAGED, DONE
from ..output import counted
from ..settings import Settings, takes_settings

# More lines than this are no help to a person; --json has them all.
_SHOWN_FINDINGS = 20


@click.command()
@click.option(
    "--repair-from-peers",
    "repairing",
    is_flag=True,
    help="Take out what is damaged, and fetch it again.",
)
@click.option(
    "--peer",
    "peers",
    metavar="HOST:PORT",
    multiple=True,
    help="Ask this peer too; may be given several times.",
)
@takes_settings
def fsck(settings: Settings, repairing: bool, peers: tuple[str, ...]) -> int:
    """Hash every block and verify every head of this directory; exits with 7 when any is damaged.

    Changes nothing, unless it is told to repair. Then false blocks are dropped, tree nodes are
    computed again from blocks, and what cannot be mended is fetched from peers. A log of our own is
    never emptied: for what cannot be mended in one, there are backups.
    """
    from ...api.directories.checking import check

    addresses = tuple(parse_address(peer) for peer in peers)
    refuse_while_running(settings.directory)
    with settings.output.progress.following() as progress:
        findings = check(settings.directory, progress)
    if repairing and findings:
        return _repair(settings, findings, addresses)
    answer = {"sound": not findings, "findings": findings}
    settings.output.result(answer, _text(findings))
    return DAMAGED if findings else DONE


def _repair(settings: Settings, findings: list[dict[str, Any]], addresses: tuple[Any, ...]) -> int:
    from ...api.directories.checking import check, fetch_missing, repair

    settings.output.narrate(_text(findings))
    output = settings.output
    with output.progress.following() as progress:
        repairs = repair(settings.directory, progress)
    for done in repairs:
        settings.output.narrate(f"log {done['log'] or done['discovery_key']}: {done['action']}")
    missing = fetch_missing(settings.directory, addresses, output.narrate, output.progress.show)
    with output.progress.following() as progress:
        left = check(settings.directory, progress)
    answer = {"sound": not left, "findings": left, "repairs": repairs, "missing_blocks": missing}
    settings.output.result(answer, _text(left))
    if missing:
        blocks = counted(missing, "block")
        settings.output.narrate(f"{blocks} are not here now; a peer that has them gives them.")
    return DAMAGED if left or missing else DONE


def _text(findings: list[dict[str, Any]]) -> str:
    if not findings:
        return "sound"
    lines = [
        f"log {each['log'] or each['discovery_key']}"
        + ("" if each["block"] is None else f", block {each['block']}")
        + f": {each['problem']}"
        for each in findings[:_SHOWN_FINDINGS]
    ]
    if len(findings) > _SHOWN_FINDINGS:
        lines.append(f"and {len(findings) - _SHOWN_FINDINGS} more")
    return "\n".join(lines)
