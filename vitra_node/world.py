"""What a node takes from outside of itself: chance, the date, sockets.

The node's code asks a ``World`` for these and no module for itself, so the same code runs over a
simulated one (``simulations/``), where a seed decides everything. The clock that code waits by is
trio's (``trio.current_time``), which a simulation replaces; a simulated world has a disk as well
(``storage.disk``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from .config import Address
from .net.udx.udp import DatagramSocket, UdpSocket

TakeStream = Callable[[trio.abc.Stream, Address], Awaitable[object]]

# Connections that wait to be accepted; the kernel drops more than this.
_BACKLOG = 128


class World(Protocol):
    """The surroundings of one node.

    Attributes:
      is_virtual: whether time passes only while every task waits. Then what runs outside of the
        event loop, such as a contract's process, is waited for in place, so that it takes no time.
    """

    @property
    def is_virtual(self) -> bool:
        """See the class."""

    def random_bytes(self, count: int) -> bytes:
        """So many random bytes, of cryptographic quality."""

    def unix_time(self) -> float:
        """Seconds since 1970, as this host believes."""

    def bind_datagrams(self, host: str, port: int) -> DatagramSocket:
        """Bind to an address; port 0 means any.

        Raises:
          ConnectionFailed: the address cannot be bound.
        """

    async def open_stream(self, host: str, port: int) -> trio.abc.Stream:
        """Connect to a listener.

        Raises:
          OSError: it cannot be reached.
        """

    async def serve_streams(
        self,
        host: str,
        port: int,
        take: TakeStream,
        *,
        task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept connections for ever; ``take`` owns each, with the address of the peer.

        ``nursery.start`` gives the addresses that are listened on; port 0 means any.

        Raises:
          OSError: the address cannot be listened on.
        """


class RealWorld:
    """The world of this machine. It has no state."""

    is_virtual = False

    def random_bytes(self, count: int) -> bytes:
        """See ``World``."""
        return os.urandom(count)

    def unix_time(self) -> float:
        """See ``World``."""
        return time.time()

    def bind_datagrams(self, host: str, port: int) -> DatagramSocket:
        """See ``World``."""
        return UdpSocket(host, port)

    async def open_stream(self, host: str, port: int) -> trio.abc.Stream:
        """See ``World``."""
        return await trio.open_tcp_stream(host, port)

    async def serve_streams(
        self,
        host: str,
        port: int,
        take: TakeStream,
        *,
        task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """See ``World``."""

        async def accept(stream: trio.SocketStream) -> None:
            try:
                peer = stream.socket.getpeername()[:2]
            except OSError:
                # Gone between accept and here.
                await trio.aclose_forcefully(stream)
                return
            await take(stream, Address(*peer))

        listeners = await trio.open_tcp_listeners(port, host=host, backlog=_BACKLOG)
        bound: list[Address] = [Address(*each.socket.getsockname()[:2]) for each in listeners]
        await trio.serve_listeners(accept, listeners, task_status=_Started(task_status, bound))


class _Started(trio.TaskStatus[object]):
    """Reports the addresses in place of the listeners."""

    def __init__(self, task_status: trio.TaskStatus[list[Address]], bound: list[Address]) -> None:
        self._task_status = task_status
        self._bound = bound

    def started(self, value: object = None) -> None:
        self._task_status.started(self._bound)


REAL_WORLD = RealWorld()
