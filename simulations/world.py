"""The world as one simulated host sees it."""

from __future__ import annotations

from random import Random

import trio

from vitra_node.config import Address
from vitra_node.net.errors import ConnectionFailed
from vitra_node.net.udx.udp import DatagramSocket
from vitra_node.storage.environments.disk import Disk
from vitra_node.world import TakeStream

from .disk import SimulatedDisk
from .network.network import Network, Place
from .network.streams import Listeners

# 2023-11-14, at the start of every run.
EPOCH_SECONDS = 1_700_000_000.0


class SimulatedWorld:
    """A ``vitra_node.world.World``.

    Attributes:
      clock_error: how far this host's date is off, in seconds.
      disk: what its stores are kept on, through every crash.
    """

    is_virtual = True

    def __init__(
        self,
        place: Place,
        network: Network,
        listeners: Listeners,
        dice: Random,
        disk: SimulatedDisk,
    ) -> None:
        self.clock_error = 0.0
        self.disk = Disk(disk, dice.randbytes(32))
        self._place = place
        self._network = network
        self._listeners = listeners
        self._dice = dice

    def random_bytes(self, count: int) -> bytes:
        """See ``World``; of no cryptographic quality."""
        return self._dice.randbytes(count)

    def unix_time(self) -> float:
        """See ``World``."""
        return EPOCH_SECONDS + trio.current_time() + self.clock_error

    def bind_datagrams(self, host: str, port: int) -> DatagramSocket:
        """See ``World``; a host has one address, which stands for any."""
        if host not in ("0.0.0.0", self._place.address):
            raise ConnectionFailed(f"{host}:{port} cannot be bound: no such address here")
        return self._network.bind(self._place, port)

    async def open_stream(self, host: str, port: int) -> trio.abc.Stream:
        """See ``World``."""
        return await self._listeners.open(self._place, host, port)

    async def serve_streams(
        self,
        host: str,
        port: int,
        take: TakeStream,
        *,
        task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """See ``World``."""
        if host not in ("0.0.0.0", self._place.address):
            raise OSError(99, "Cannot assign requested address")
        await self._listeners.serve(self._place, port, take, task_status)
