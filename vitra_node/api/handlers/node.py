"""The database as a whole, and the process that serves it."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import trio

from ... import __version__
from ...config import parse_address
from ...errors import NotAllowed
from ...progress import Progress
from ..diagnosis import diagnose, peer_lines, shapes_of
from ..home_diagnosis import NO_NODE, examine
from ..session import NodeHold, Session
from ..shapes import dht_shape, fork_shape, info_shape

# How old what ``watch`` tells of peers, oplogs and monitor may be.
WATCH_SECONDS = 0.5
_RESTLESS = ("uptime_seconds", "dht")


async def status(session: Session) -> dict[str, Any]:
    """The process that serves the database."""
    node = session.node
    monitor = session.monitor
    return {
        "running": node is not None,
        "pid": os.getpid(),
        "version": __version__,
        "key": session.database.key.hex(),
        "role": session.role,
        "sparse": session.database.is_sparse,
        "listen": None if node is None or node.listen is None else str(node.listen),
        "uptime_seconds": 0.0 if node is None else round(time.time() - node.started, 1),
        "peers": len(session.database.peers),
        "executor_fault": session.database.executor_fault,
        "unconfirmed": [key.hex() for key in session.database.unconfirmed],
        "forks": [fork_shape(fork) for fork in session.database.forks],
        "monitoring": monitor is not None,
        "validated": 0 if monitor is None else monitor.validated,
        "violation": None if monitor is None else monitor.violation,
        "log": None if node is None or node.log_file is None else str(node.log_file),
        "held": node is not None and node.hold is not None,
        "dht": dht_shape(session.database.network),
    }


@asynccontextmanager
async def watch(session: Session) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The node and its logs as they are now, and again whenever that has changed."""
    states = _states(session)
    async with aclosing(states):
        yield states


@asynccontextmanager
async def hold(session: Session) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Tie the node's life to this stream: it stops when the stream ends, unless released before."""
    node = session.running_node()
    if node.log_file is None:
        raise NotAllowed(
            "This node runs in a terminal of its own.",
            unchanged="It goes on as before.",
            advice="Stop it there, and start it with `vitra serve --background`.",
        )
    if node.hold is not None:
        raise NotAllowed("Another session holds this node.", unchanged="It goes on as before.")
    node.hold = mine = NodeHold()
    events = _until_released(mine)
    try:
        async with aclosing(events):
            yield events
    finally:
        node.hold = None
        if not mine.released.is_set():
            node.stop.set()


async def release(session: Session) -> dict[str, Any]:
    """Let the node go on by itself when the session that holds it ends."""
    held = session.running_node().hold
    if held is not None:
        held.released.set()
    return {"released": held is not None}


async def info(session: Session) -> dict[str, Any]:
    """The database: its key, our role, the length of its index, its oplogs."""
    return info_shape(session.database, session.role)


async def stop(session: Session) -> dict[str, Any]:
    """Stop the node cleanly. The connection is closed when the store is free again."""
    session.running_node()
    return {"stopping": True, "pid": os.getpid()}


async def connect(session: Session, *, address: str, remember: bool = False) -> dict[str, Any]:
    """Connect to a peer; with ``remember``, at every start from now on."""
    peer = parse_address(address)
    await session.database.connect(peer.host, peer.port)
    if remember:
        session.remember_peers((peer,))
    return {"address": str(peer)}


async def sync(session: Session, progress: Progress, *, full: bool = False) -> dict[str, Any]:
    """Learn the newest state from the peers; with ``full``, fetch the whole history."""
    await session.database.sync(full=full, progress=progress)
    return info_shape(session.database, session.role)


async def peers(session: Session) -> list[dict[str, Any]]:
    """The peers that are connected now: who, how, since when, how much, by which topics."""
    return peer_lines(session)


async def doctor(session: Session) -> list[dict[str, Any]]:
    """Why is nothing syncing: store, keys, contract, then each step from the socket to the blocks.

    Without a node, that there is none takes the place of those steps.
    """
    at_home = shapes_of(await examine(session))
    rest = shapes_of([("node", NO_NODE)]) if session.node is None else diagnose(session)
    return at_home + rest


async def _states(session: Session) -> AsyncGenerator[dict[str, Any], None]:
    core = session.database.index.core
    last: dict[str, Any] | None = None
    while True:
        length = session.database.index.length
        state = {**await status(session), **info_shape(session.database, session.role)}
        # Some change by themselves all the time, and tell nothing new.
        lasting = {name: state[name] for name in state if name not in _RESTLESS}
        if lasting != last:
            last = lasting
            yield state
        # The index tells when it grows; peers, oplogs and the monitor are looked at anew.
        with trio.move_on_after(WATCH_SECONDS):
            await core.wait_for_length(length + 1)


async def _until_released(mine: NodeHold) -> AsyncGenerator[dict[str, Any], None]:
    yield {"held": True}
    await mine.released.wait()
