"""Runs the explorer of one directory until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import trio

from ..api.control.connection import Connection
from ..api.http.gate import Gate
from ..api.http.serving import bind, serving
from ..config import Address
from .door import ExplorerDoor
from .site import make_site
from .watching import Watch

Ready = Callable[[dict[str, Any]], None]


async def explore(
    connection: Connection, address: Address, token: str, ready: Ready, stop: trio.Event
) -> None:
    """Show the database behind ``connection`` until ``stop`` is set.

    Raises VitraError: the address is not on loopback, or cannot be had.
    """
    listener, bound = bind(address)
    watch = Watch(connection)
    gate = Gate(bound, token)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        async with serving(ExplorerDoor(make_site(connection, watch), gate), listener):
            info = await connection.call("database.info")
            url = f"http://{bound}/?{urlencode({'token': token})}"
            ready({"url": url, "listen": str(bound), "key": info["key"]})
            await stop.wait()
        nursery.cancel_scope.cancel()
