"""``vitra get``, ``ls`` and ``history``: what stands in the database."""

from __future__ import annotations

from typing import Any

import click

from ...api.control.connection import Connection
from ..asking import ask
from ..output import compact_json, safe_text
from ..settings import Settings, takes_settings

# A value in a list or history is cut after this; `vitra get` and --json give all of it.
MAX_SHOWN_CHARS = 400


@click.command()
@click.argument("path")
@takes_settings
def get(settings: Settings, path: str) -> None:
    """Print the value at PATH: text as it is, anything else as JSON."""

    async def command(connection: Connection) -> Any:
        return await connection.call("index.get", path=path)

    entry = ask(settings, command)
    settings.output.result(entry, shown_value(entry["value"], whole=True))


@click.command()
@click.argument("path", default="/")
@click.option("--reverse", is_flag=True, help="Last path first.")
@click.option("--limit", type=click.IntRange(min=0), help="At most so many.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Leave out the first.")
@takes_settings
def ls(settings: Settings, path: str, reverse: bool, limit: int | None, offset: int) -> None:
    """List the entries one level below PATH. A name that ends in / holds further ones."""

    async def command(connection: Connection) -> Any:
        return await connection.call(
            "index.list", path=path, reverse=reverse, limit=limit, offset=offset
        )

    entries = ask(settings, command)
    lines = [listed_line(entry) for entry in entries]
    settings.output.result(entries, "\n".join(lines) if lines else None)
    if not entries:
        settings.output.narrate(f"There is nothing below {path}.")


@click.command()
@click.argument("log", default="index")
@click.option("--from", "start", type=click.IntRange(min=0), default=0, help="First block.")
@click.option("--to", "end", type=click.IntRange(min=0), help="The block after the last.")
@click.option("--reverse", is_flag=True, help="Newest block first.")
@takes_settings
def history(settings: Settings, log: str, start: int, end: int | None, reverse: bool) -> None:
    """Print LOG block by block: index (the default), local for the own oplog, or an oplog's key."""
    output = settings.output

    async def command(connection: Connection) -> None:
        async with connection.stream(
            "log.history", log=log, start=start, end=end, reverse=reverse
        ) as blocks:
            async for block in blocks:
                output.result(block, _block_line(block))
                if output.closed:
                    return

    ask(settings, command)


def shown_value(value: Any, *, whole: bool = False) -> str:
    """A value for people: ``whole``, with text as it stands, or as much as a line takes."""
    if whole:
        return safe_text(value, keep_lines=True) if isinstance(value, str) else compact_json(value)
    text = compact_json(value)
    if len(text) <= MAX_SHOWN_CHARS:
        return text
    return f"{text[:MAX_SHOWN_CHARS]}… ({len(text)} characters)"


def listed_line(entry: dict[str, Any]) -> str:
    """One entry of a listing."""
    path = safe_text(entry["path"])
    mark = "/" if entry["container"] else ""
    if entry["container"] and entry["value"] is None:
        return f"{path}{mark}"
    return f"{path}{mark} = {shown_value(entry['value'])}"


def _block_line(block: dict[str, Any]) -> str:
    number = f"{block['seq']:>6}"
    if block["type"] == "op":
        return f"{number}  {shown_value(block['value'])}"
    path = safe_text(block["path"])
    if block["type"] == "del":
        return f"{number}  del {path}"
    return f"{number}  put {path} = {shown_value(block['value'])}"
