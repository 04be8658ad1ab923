"""A DHT for a scenario that needs one and is about something else."""

from __future__ import annotations

from vitra_node.net.udx.udp import SocketAddress

from ..simulation import Simulation
from .dht_node import DhtNode


async def open_dht(simulation: Simulation, size: int) -> tuple[SocketAddress, ...]:
    """Start nodes on hosts of their own; gives where to bootstrap, once they stand."""
    first = DhtNode(simulation.host(), ())
    simulation.nursery.start_soon(first.host.run, first.life)
    await first.wait_up()
    others = [DhtNode(simulation.host(), (first.address,)) for _ in range(size - 1)]
    for node in others:
        simulation.nursery.start_soon(node.host.run, node.life)
    for node in others:
        await node.wait_up()
    return (first.address,)
