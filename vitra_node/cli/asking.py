"""Asks the running node, or the database opened here: the one place that chooses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ..api.client import ControlClient
from ..api.control.connection import Connection, NodeConnection, run_without_loop
from ..errors import KEPT, Interrupted, NotAllowed, NotFound
from .settings import Settings
from .swarm_flags import given_bootstrap, swarm_off

T = TypeVar("T")

Command = Callable[[Connection], Awaitable[T]]


def ask(settings: Settings, command: Command[T], *, with_peers: bool = True) -> T:
    """The result of ``command``, asked of the node that serves the directory, if one does.

    Otherwise the database is opened in this process for as long as the command takes; with
    ``with_peers``, after learning the newest state from the peers the directory remembers.
    """
    client = running_node(settings.directory)
    if client is None:
        return _ask_here(settings, command, with_peers=with_peers)

    async def through_node(connection: Connection) -> T:
        return await command(connection)

    with client:
        try:
            show = settings.output.progress.show
            return run_without_loop(through_node(NodeConnection(client, show)))
        finally:
            settings.output.progress.clear()


def running_node(directory: Path) -> ControlClient | None:
    """A client of the node that serves the directory, or None when none does."""
    try:
        return ControlClient.connect(directory)
    except NotFound:
        return None


STOP_IT_FIRST = "Stop it with `vitra stop` first."


@contextmanager
def telling_of_interrupts(advice: str) -> Iterator[None]:
    """Where the user stops what is in the block, say this beside."""
    try:
        yield
    except (KeyboardInterrupt, BaseExceptionGroup) as error:
        if isinstance(error, BaseExceptionGroup) and error.subgroup(KeyboardInterrupt) is None:
            raise
        raise Interrupted("Interrupted.", unchanged=KEPT, advice=advice) from error


def refuse_while_running(directory: Path, advice: str = STOP_IT_FIRST) -> None:
    """Raise NotAllowed when a node serves the directory."""
    client = running_node(directory)
    if client is not None:
        with client:
            raise already_running(directory, client, advice)


def already_running(
    directory: Path, client: ControlClient, advice: str = STOP_IT_FIRST
) -> NotAllowed:
    """What to say when a running node is in the way."""
    return NotAllowed(
        f"A node is running for {directory} (process {client.node.get('pid')}).",
        unchanged="Nothing was changed.",
        advice=advice,
    )


def _ask_here(settings: Settings, command: Command[T], *, with_peers: bool) -> T:
    import trio

    from ..api.directories.local import database_key, open_locally
    from ..api.failures import telling

    database_key(settings.directory)

    async def here() -> T:
        async with open_locally(
            settings.directory,
            with_peers=with_peers,
            narrate=settings.output.narrate,
            find=not swarm_off(False, None),
            bootstrap=given_bootstrap(None),
            show=settings.output.progress.show,
        ) as connection:
            return await command(connection)

    with telling():
        try:
            return trio.run(here)
        finally:
            settings.output.progress.clear()
