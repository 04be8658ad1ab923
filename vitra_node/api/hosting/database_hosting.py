"""A long-running process around one data directory: what ``vitra serve`` runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from protocol.hyperbee import CacheRoom

from ...config import Address
from ...database import Database
from ...errors import VitraError
from ...frauds import DIRECTORY_NAME
from ..control.server import ControlServer
from ..directories.local import CONNECT_SECONDS, as_pairs, database_key, open_when_free
from ..failures import telling
from ..handlers.audit import start_monitor
from ..session import RunningNode, Session
from .hooks import HookPlan, Hooks

_log = logging.getLogger(__name__)

# A peer that is away is tried again after these seconds, then every last of them: soon enough for
# one that restarts, seldom enough for one that is gone.
_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


Door = Callable[[Session], AbstractAsyncContextManager[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Hosting:
    """What to serve.

    Attributes:
      directory: the data directory.
      listen: where to take connections of peers, None for nowhere.
      peers: whom to stay connected with.
      room: for decoded blocks, shared by all databases of the process.
      ready: called once with the fields of the line that ``serve`` prints.
      narrate: told in sentences what happens.
      log_file: where this process writes its log, None for its terminal.
      swarm: whether to find peers by the database's key, and be found.
      bootstrap: nodes of the network to ask first; None for the public network.
      monitors: whether it verifies the database as it grows, from its start.
      hooks: who is told of the violations that it finds then; None for nobody.
      doors: further ways in, open while the database is: each gives fields of the ready line.
    """

    directory: Path
    listen: Address | None
    peers: tuple[Address, ...]
    room: CacheRoom
    ready: Callable[[dict[str, Any]], None]
    narrate: Callable[[str], None]
    log_file: Path | None = None
    swarm: bool = False
    bootstrap: tuple[Address, ...] | None = None
    monitors: bool = False
    hooks: HookPlan | None = None
    doors: tuple[Door, ...] = ()


async def host(hosting: Hosting, stop: trio.Event) -> None:
    """Serve until ``stop`` is set; then close everything, the store before the control socket.

    Raises VitraError: NotFound without a database, NotAllowed when another process has it,
    NetworkProblem when the address cannot be had.
    """
    directory = hosting.directory
    database_key(directory)
    with telling():
        async with ControlServer.open() as server, AsyncExitStack() as stack:
            database = await open_when_free(stack, directory, hosting.room)
            bound = await _listen(database, hosting.listen)
            if hosting.swarm:
                await database.swarm(as_pairs(hosting.bootstrap))
            async with trio.open_nursery() as tasks:
                node = RunningNode(tasks, stop, bound, time.time(), hosting.log_file)
                session = Session(database, directory, node)
                async with server.answering(session, directory), AsyncExitStack() as doors:
                    for peer in hosting.peers:
                        tasks.start_soon(keep_connected, database, peer)
                    line = ready_line(session)
                    for door in hosting.doors:
                        line |= await doors.enter_async_context(door(session))
                    if hosting.hooks:
                        frauds = directory / DIRECTORY_NAME
                        opened = Hooks.open(hosting.hooks, database.key, frauds)
                        session.hooks = await doors.enter_async_context(opened)
                    if hosting.monitors:
                        await start_monitor(session)
                    hosting.ready(line)
                    hosting.narrate(_in_words(line))
                    await stop.wait()
                tasks.cancel_scope.cancel()


def ready_line(session: Session) -> dict[str, Any]:
    """What ``serve`` prints once it is ready. ``dht`` is null when there is no swarm."""
    node = session.running_node()
    swarm = session.database.network
    return {
        "key": session.database.key.hex(),
        "role": session.role,
        "listen": None if node.listen is None else str(node.listen),
        "dht": None if swarm is None else str(Address(*swarm.dht.local_address)),
    }


def _in_words(line: dict[str, Any]) -> str:
    if line["dht"] is not None:
        reach = f"Others get it with `vitra join {line['key']}`."
    elif line["listen"] is None:
        reach = "It takes no connections; --listen host:port lets others connect."
    else:
        reach = f"Others get it with `vitra join {line['key']} --peer {line['listen']}`."
    return f"Serving as {line['role']}. {reach} `vitra stop` or Ctrl-C ends it."


async def keep_connected(database: Database, peer: Address) -> None:
    """Connect to a peer, and again whenever the connection is lost, until cancelled."""
    attempt = 0
    while True:
        try:
            with telling(), trio.fail_after(CONNECT_SECONDS):
                await database.connect(peer.host, peer.port)
            return
        except VitraError as error:
            _log.info("no connection to %s: %s", peer, error.failed)
        await trio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
        attempt += 1


async def _listen(database: Database, listen: Address | None) -> Address | None:
    if listen is None:
        return None
    host, port = await database.listen(listen.host, listen.port)
    return Address(host, port)
