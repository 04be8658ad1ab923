"""One simulated machine: its place in the network, its world, its disk, and what runs on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from vitra_node.net.udx.udp import SocketAddress
from vitra_node.storage.environments.disk import Disk

from .disk import SimulatedDisk
from .journal import Journal
from .network.network import Network, Place
from .network.streams import Listeners
from .world import SimulatedWorld

Life = Callable[["Host"], Awaitable[None]]


class Host:
    """Made by ``Simulation.host``.

    Attributes:
      name: unique in the run.
      world: give it to the node's code.
      disk: of that world; stays when the host crashes.
      running: whether its life goes on.
      crashes: how often it ended without a goodbye.
    """

    def __init__(
        self,
        name: str,
        place: Place,
        world: SimulatedWorld,
        disk: SimulatedDisk,
        network: Network,
        listeners: Listeners,
        journal: Journal,
    ) -> None:
        self.name = name
        self.place = place
        self.world = world
        self.disk = disk
        self.running = False
        self.crashes = 0
        self._network = network
        self._listeners = listeners
        self._journal = journal
        self._scope = trio.CancelScope()
        self._crashed = False
        self._may_run = trio.Event()
        self._may_run.set()

    @property
    def address(self) -> str:
        """Its own address, to bind to."""
        return self.place.address

    def note(self, what: str, **values: object) -> None:
        """Something that happened here, for the digest."""
        self._journal.note(what, host=self.name, **values)

    async def run(self, life: Life) -> None:
        """Switch it on; returns when its life ended, or it was cut short."""
        assert not self.running
        self._network.plug(self.place)
        self._scope = trio.CancelScope()
        self._crashed = False
        self.running = True
        self.note("on")
        try:
            with self._scope:
                await life(self)
        except Exception:
            # What a node says whose disk is gone interests nobody.
            if not self._crashed:
                raise
        finally:
            self.running = False
            self._go_dark()
            self.note("off")

    def forge(self, source: SocketAddress, data: bytes, to: SocketAddress) -> None:
        """Send a datagram in another's name; not every provider stops that."""
        self._network.forge(self.place, source, data, to)

    async def keep_running(self, life: Life, pause: float) -> None:
        """Switch it on again and again, so many seconds after each end, while it may run."""
        while True:
            await self._may_run.wait()
            await self.run(life)
            await trio.sleep(pause)

    def copy_disk_of(self, other: Host) -> None:
        """Hold what another host's disk holds, its keys too; before this one's first life."""
        self.disk.hold_what_is_on(other.disk)
        self.world.disk = Disk(self.disk, other.world.disk.primary_key)

    def lose_power(self, after_writes: int) -> None:
        """Crash in the middle of a transaction of its disk, so many from now."""
        self.disk.lose_power(after_writes, self.crash)

    def stop(self) -> None:
        """End its life in order: whatever it owns is closed, and may say goodbye."""
        self._scope.cancel()

    def stay_off(self) -> None:
        """End its life in order, and begin no other until it may run."""
        self._may_run = trio.Event()
        self.stop()

    def may_run(self) -> None:
        """Let ``keep_running`` go on."""
        self._may_run.set()

    def crash(self) -> None:
        """End it at once; nothing leaves it any more."""
        self.note("crash")
        self.crashes += 1
        self._crashed = True
        self._go_dark()
        self._scope.cancel()

    def _go_dark(self) -> None:
        self._network.unplug(self.place)
        self._listeners.drop(self.place)
