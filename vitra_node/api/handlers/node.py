"""The database as a whole, and the process that serves it."""

from __future__ import annotations

import os
import time
from typing import Any

from ... import __version__
from ...config import parse_address
from ..session import Session
from ..shapes import info_shape


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
        "listen": None if node is None or node.listen is None else str(node.listen),
        "uptime_seconds": 0.0 if node is None else round(time.time() - node.started, 1),
        "peers": len(session.database.peers),
        "executor_fault": session.database.executor_fault,
        "monitoring": monitor is not None,
        "validated": 0 if monitor is None else monitor.validated,
        "violation": None if monitor is None else monitor.violation,
    }


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


async def sync(session: Session, *, full: bool = False) -> dict[str, Any]:
    """Learn the newest state from the peers; with ``full``, fetch the whole history."""
    await session.database.sync(full=full)
    return info_shape(session.database, session.role)


async def peers(session: Session) -> list[dict[str, Any]]:
    """The peers that are connected now."""
    return [{"address": str(peer)} for peer in session.database.peers]
