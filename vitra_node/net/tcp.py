"""Direct connections over TCP: the same secret stream as everywhere, on a plain socket."""

from __future__ import annotations

from collections.abc import Callable

import trio

from ..config import Address
from ..world import REAL_WORLD, World
from .connections import Connection, Connections
from .errors import ConnectionFailed

CONNECT_SECONDS = 10.0


async def serve_tcp(
    address: Address,
    connections: Connections,
    *,
    world: World = REAL_WORLD,
    task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Accept connections on ``address`` (port 0: any) and replicate on each, for ever.

    ``nursery.start`` gives the addresses that are listened on.

    Resource handling:
      The listening sockets and all accepted connections end with the task.

    Raises:
      ConnectionFailed: the address cannot be listened on.
    """

    async def accept(stream: trio.abc.Stream, peer: Address) -> None:
        await connections.run(stream, str(peer), initiator=False)

    try:
        await world.serve_streams(address.host, address.port, accept, task_status=task_status)
    except OSError as error:
        raise ConnectionFailed(f"{address} cannot be listened on: {_reason(error)}") from error


async def connect_tcp(
    address: Address,
    connections: Connections,
    *,
    on_open: Callable[[Connection], None] | None = None,
    world: World = REAL_WORLD,
) -> ConnectionFailed | None:
    """Connect and replicate until the connection ends; gives what went wrong, if anything.

    ``on_open`` is called once the handshake is done. A banned address is not called at all.
    """
    refusal = connections.refusal(str(address))
    if refusal is not None:
        return refusal
    try:
        with trio.fail_after(CONNECT_SECONDS):
            stream = await world.open_stream(address.host, address.port)
    except trio.TooSlowError:
        failure = ConnectionFailed(f"{address} did not answer within {CONNECT_SECONDS:.0f} s")
    except OSError as error:
        failure = ConnectionFailed(f"{address} cannot be reached: {_reason(error)}")
    else:
        return await connections.run(stream, str(address), initiator=True, on_open=on_open)
    connections.record(str(address), failure)
    return failure


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
