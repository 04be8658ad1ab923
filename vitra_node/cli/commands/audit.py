"""``vitra verify``, ``monitor`` and ``fraud``: does the executor keep to the contract?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...api.client import ControlClient
from ...api.control.connection import Connection
from ...config import write_file_atomically
from ...errors import UsageProblem, cannot_write
from ..asking import ask, refuse_while_running, running_node
from ..exit_codes import CANNOT_TELL, DONE, VERDICTS, violation_code
from ..hook_flags import takes_hook_flags
from ..output import counted, safe_text
from ..settings import Settings, takes_settings

if TYPE_CHECKING:
    from ...api.hosting.hooks import HookPlan


@click.command()
@click.option("--jobs", type=int, metavar="N", help="Replay in N processes at a time.")
@click.option(
    "--from",
    "start",
    type=click.IntRange(min=0),
    metavar="N",
    help="Begin with the operation at index block N, for example where an earlier verify ended "
    "(its index_length). What is before is not looked at.",
)
@click.option(
    "--sample",
    type=float,
    metavar="P",
    help="Take each operation with probability P only, and say what that is worth.",
)
@click.option("--seed", metavar="TEXT", help="Decides which a sample takes; by chance if left out.")
@takes_settings
def verify(
    settings: Settings, jobs: int | None, start: int | None, sample: float | None, seed: str | None
) -> int:
    """Replay the whole database and compare it with what the executor published.

    Exits with 0 when verified, 20 when the contract is violated, 21 when a log was forked (a proof
    is written for both), 6 when it cannot tell.
    """
    given = {"jobs": jobs, "start": start, "sample": sample, "seed": seed}
    params = {name: value for name, value in given.items() if value is not None}

    async def command(connection: Connection) -> Any:
        return await connection.call_long("audit.verify", **params)

    report = ask(settings, command)
    settings.output.result(report, _report_text(report))
    if report["verdict"] == "violated":
        return violation_code(report["kind"])
    return VERDICTS[report["verdict"]]


@click.group(invoke_without_command=True)
@takes_hook_flags
@takes_settings
def monitor(settings: Settings, on_violation: str | None, webhook: str | None) -> int | None:
    """Verify the database as it grows, and print each event until a violation.

    Exits with 20 when the contract is violated, with 21 when the index was forked. A participant
    that forked its log is told, and the monitor goes on.

    Without a subcommand it stays in the foreground, with a running node or without. A running node
    is given --on-violation and --webhook where it is started: `vitra serve`.
    """
    from ...api.hosting.hooks import plan_hooks

    hooks = plan_hooks(on_violation, webhook)
    if click.get_current_context().invoked_subcommand is not None:
        if hooks:
            raise UsageProblem(
                "--on-violation and --webhook are for `vitra monitor` alone and `vitra serve`.",
                unchanged="Nothing was changed.",
            )
        return None
    return follow(settings) if not hooks else follow_with_hooks(settings, hooks)


@monitor.command()
@takes_settings
def start(settings: Settings) -> int | None:
    """Let the running node verify in the background; without a node, stay in the foreground."""
    client = running_node(settings.directory)
    if client is None:
        return follow(settings)
    with client:
        answer = client.call("monitor.start")
    settings.output.result(answer, None)
    settings.output.narrate(
        "The node monitors already." if answer["already"] else "The node monitors from now on."
    )
    return None


@monitor.command()
@takes_settings
def stop(settings: Settings) -> None:
    """End the monitor that the running node runs in the background."""
    with ControlClient.connect(settings.directory) as client:
        settings.output.result(client.call("monitor.stop"), None)
    settings.output.narrate("The node monitors no longer.")


@click.group()
@takes_settings
def fraud(settings: Settings) -> None:
    """List, show and export fraud proofs."""


@fraud.command()
@takes_settings
def ls(settings: Settings) -> None:
    """List the fraud proofs that this directory keeps."""

    async def command(connection: Connection) -> Any:
        return await connection.call("fraud.list")

    found = ask(settings, command, with_peers=False)
    lines = [f"{each['id']}  {each['code']}: {safe_text(each['reason'])}" for each in found]
    settings.output.result(found, "\n".join(lines) or None)


@fraud.command()
@click.argument("identifier", metavar="ID")
@takes_settings
def show(settings: Settings, identifier: str) -> None:
    """Show a fraud proof in full."""
    found = _find_fraud(settings, identifier)
    settings.output.result(found, safe_text(json.dumps(found["proof"], indent=2), keep_lines=True))


@fraud.command()
@click.argument("identifier", metavar="ID")
@click.option(
    "-o", "--output", "file", required=True, type=click.Path(path_type=Path), help="Where to."
)
@takes_settings
def export(settings: Settings, identifier: str, file: Path) -> None:
    """Write a fraud proof to a file, to hand it on."""
    found = _find_fraud(settings, identifier)
    text = json.dumps(found["proof"], indent=2) + "\n"
    try:
        write_file_atomically(file, text.encode())
    except OSError as error:
        raise cannot_write(file, error, "Nothing was written.") from error
    settings.output.result({"id": identifier, "file": str(file)}, None)
    settings.output.narrate(f"Wrote the proof to {file}.")


def follow(settings: Settings) -> int:
    """Print the events of a monitor; returns at a violation with its exit code."""

    async def command(connection: Connection) -> int:
        return await _print_events(settings, connection, lambda event: None)

    return ask(settings, command)


def follow_with_hooks(settings: Settings, plan: HookPlan) -> int:
    """The same in this process, and tell the hooks; waits for them at the end."""
    refuse_while_running(settings.directory, advice="Give the hooks to `vitra serve` instead.")
    from ...api.directories.local import database_key
    from ...api.hosting.hooks import Hooks
    from ...frauds import DIRECTORY_NAME

    async def command(connection: Connection) -> int:
        frauds = settings.directory / DIRECTORY_NAME
        async with Hooks.open(plan, database_key(settings.directory), frauds) as hooks:
            code = await _print_events(settings, connection, hooks.tell)
            await hooks.finished()
        return code

    return ask(settings, command)


async def _print_events(
    settings: Settings, connection: Connection, tell: Callable[[dict[str, Any]], None]
) -> int:
    output = settings.output
    output.narrate("Verifying what is there, and all that follows. Ctrl-C ends it.")
    async with connection.stream("audit.events") as events:
        async for event in events:
            output.result(event, _event_text(event))
            if event["event"] in ("violation", "fork"):
                tell(event)
            if event["event"] == "violation":
                return violation_code(event["kind"])
            if output.closed:
                return DONE
    return CANNOT_TELL


def _find_fraud(settings: Settings, identifier: str) -> Any:
    async def command(connection: Connection) -> Any:
        return await connection.call("fraud.show", fraud=identifier)

    return ask(settings, command, with_peers=False)


def _report_text(report: dict[str, Any]) -> str:
    if report["verdict"] == "violated":
        return (
            f"violated: {report['kind']} {report['code']}: {safe_text(report['reason'])}\n"
            f"proof: {report['proof']}"
        )
    lines = [
        f"{report['verdict']}: {counted(report['operations'], 'operation')}, "
        f"{report['index_length']} index blocks, {report['seconds']:.3f} s"
    ]
    if "from" in report:
        lines.append(f"from index block {report['from']} on; what is before was not looked at")
    if "sample" in report:
        sample = report["sample"]
        lines.append(
            f"a sample, each operation with probability {sample['probability']:g}, "
            f"seed {safe_text(sample['seed'])}: it sees one altered operation with probability "
            f"{sample['sees_one_altered']:.4g}, and one of {sample['altered_for_99_percent']} "
            "with 0.99"
        )
    if "reason" in report:
        lines.append(safe_text(report["reason"]))
    return "\n".join(lines)


def _event_text(event: dict[str, Any]) -> str:
    if event["event"] == "validated":
        operations = counted(event["operations"], "operation")
        word = "validated before" if event.get("resumed") else "validated"
        return f"{word}: {operations}, {event['index_length']} index blocks"
    if event["event"] in ("violation", "fork"):
        return (
            f"{event['event']}: {event['kind']} {event['code']}: {safe_text(event['reason'])}\n"
            f"proof: {event['proof']}"
        )
    return f"undecided: {safe_text(event['reason'])}"
