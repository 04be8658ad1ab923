"""Direct connections over TCP: the same secret stream as everywhere, on a plain socket."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from ..config import Address
from .connections import Connections
from .errors import ConnectionFailed

CONNECT_SECONDS = 10.0
# Connections that wait to be accepted; the kernel drops more than this.
_BACKLOG = 128


async def serve_tcp(
    address: Address,
    connections: Connections,
    *,
    task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Accept connections on ``address`` (port 0: any) and replicate on each, for ever.

    ``nursery.start`` gives the addresses that are listened on.

    Resource handling:
      The listening sockets and all accepted connections end with the task.

    Raises:
      ConnectionFailed: the address cannot be listened on.
    """
    try:
        listeners = await trio.open_tcp_listeners(address.port, host=address.host, backlog=_BACKLOG)
    except OSError as error:
        raise ConnectionFailed(f"{address} cannot be listened on: {_reason(error)}") from error
    bound = [Address(*listener.socket.getsockname()[:2]) for listener in listeners]
    await trio.serve_listeners(
        partial(_accept, connections),
        listeners,
        task_status=_Started(task_status, bound),
    )


class _Started(trio.TaskStatus[object]):
    """Reports the addresses in place of the listeners."""

    def __init__(self, task_status: trio.TaskStatus[list[Address]], bound: list[Address]) -> None:
        self._task_status = task_status
        self._bound = bound

    def started(self, value: object = None) -> None:
        self._task_status.started(self._bound)


async def _accept(connections: Connections, stream: trio.SocketStream) -> None:
    try:
        peer = Address(*stream.socket.getpeername()[:2])
    except OSError:
        # Gone between accept and here.
        await trio.aclose_forcefully(stream)
        return
    await connections.run(stream, str(peer), initiator=False)


async def connect_tcp(
    address: Address, connections: Connections, *, on_open: Callable[[], None] | None = None
) -> ConnectionFailed | None:
    """Connect and replicate until the connection ends; gives what went wrong, if anything.

    ``on_open`` is called once the handshake is done. A banned address is not called at all.
    """
    refusal = connections.refusal(str(address))
    if refusal is not None:
        return refusal
    try:
        with trio.fail_after(CONNECT_SECONDS):
            stream = await trio.open_tcp_stream(address.host, address.port)
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
