"""``vitra oplog new | ls | rm | use``: the logs on which operations are published."""

from __future__ import annotations

from typing import Any

import click

from ...api.control.connection import Connection
from ...config import read_config
from ...key_text import parse_key
from ..asking import ask
from ..settings import Settings, takes_settings
from .node import oplog_line


@click.group()
@takes_settings
def oplog(settings: Settings) -> None:
    """Make, list and remove oplogs."""


@oplog.command()
@takes_settings
def new(settings: Settings) -> None:
    """Make an oplog of our own, also before this directory has a database.

    Its operations count once the database lists it: name its key to `vitra init --participant`,
    or have the contract admit it.
    """
    if read_config(settings.directory).key is None:
        import trio

        from ...api.directories.directory import prepare_oplog

        made = trio.run(prepare_oplog, settings.directory)
    else:

        async def command(connection: Connection) -> Any:
            return await connection.call("oplog.new")

        made = ask(settings, command, with_peers=False)
    settings.output.result(made, made["key"])


@oplog.command()
@takes_settings
def ls(settings: Settings) -> None:
    """List the participants' oplogs and our own."""

    async def command(connection: Connection) -> Any:
        return await connection.call("oplog.list")

    found = ask(settings, command)
    settings.output.result(found, "\n".join(oplog_line(each) for each in found) or None)


@oplog.command()
@click.argument("key")
@takes_settings
def rm(settings: Settings, key: str) -> None:
    """Give up the own oplog with KEY: nothing can be published on it any more."""
    wanted = parse_key(key).hex()

    async def command(connection: Connection) -> Any:
        return await connection.call("oplog.remove", key=wanted)

    settings.output.result(ask(settings, command, with_peers=False), None)
    settings.output.narrate(f"Oplog {wanted} is given up. What was published on it stays.")


@oplog.command()
@click.argument("key")
@takes_settings
def use(settings: Settings, key: str) -> None:
    """Publish through the own oplog with KEY from now on."""
    wanted = parse_key(key).hex()

    async def command(connection: Connection) -> Any:
        return await connection.call("oplog.use", key=wanted)

    settings.output.result(ask(settings, command, with_peers=False), None)
