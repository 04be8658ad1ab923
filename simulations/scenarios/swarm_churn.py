"""``swarm-churn``: peers of one topic come, go and crash; those who stay get what is written."""

from __future__ import annotations

from random import Random

import trio

from vitra_node.storage.errors import StorageError

from ..actors.dht_network import open_dht
from ..actors.swarm_peer import SwarmPeer
from ..checkers.logs import same_log
from ..network.conditions import Conditions
from ..scenario import Plot, Scenario
from ..simulation import Simulation

DHT_NODES = 8
ROUNDS = 5
BLOCKS = 20
BLOCK_BYTES = 500
# In each round so much of the swarm is switched off, half of it without a goodbye.
CHURN = 0.3
MOST_AWAY_SECONDS = 60.0
LOSS = 0.01
# Until all have found each other. A swarm looks its topics up again every ten minutes or so, and
# gives those it lost another try sooner.
PATIENCE_SECONDS = 1200.0


async def play(simulation: Simulation) -> None:
    """The story."""
    simulation.table("round", "away", "crashed", "seconds", "connections")
    simulation.network.conditions = Conditions(loss=LOSS)
    dice = simulation.chance("story")
    bootstrap = await open_dht(simulation, DHT_NODES)
    topic = dice.randbytes(32)
    writer = SwarmPeer(simulation.host(), bootstrap, topic, None)
    simulation.nursery.start_soon(writer.host.run, writer.life)
    log = await writer.wait_up()
    peers = [
        SwarmPeer(simulation.host(), bootstrap, topic, log.key) for _ in range(simulation.nodes - 1)
    ]
    for peer in peers:
        simulation.nursery.start_soon(live, peer, dice.uniform(0, MOST_AWAY_SECONDS), dice)
    for number in range(ROUNDS):
        leaving = dice.sample(peers, int(CHURN * len(peers))) if number else []
        crashed = leave(leaving)
        began = trio.current_time()
        length = await log.append([dice.randbytes(BLOCK_BYTES) for _ in range(BLOCKS)])
        with trio.move_on_after(PATIENCE_SECONDS) as patience:
            async with trio.open_nursery() as nursery:
                for peer in peers:
                    nursery.start_soon(wait_for_all, peer, length)
        simulation.check(not patience.cancelled_caught, f"round {number} reaches everyone")
        connections = sum(len(peer.swarm.connections) for peer in peers if peer.swarm)
        seconds = round(trio.current_time() - began, 2)
        simulation.row(number, len(leaving), crashed, seconds, connections)
    for index, peer in enumerate(peers):
        simulation.check(same_log(log, await peer.wait_up()), f"peer {index} has the log")


def leave(peers: list[SwarmPeer]) -> int:
    """Switch peers off, every second of them by the plug; gives how many by the plug."""
    for number, peer in enumerate(peers):
        if number % 2:
            peer.host.stop()
        else:
            peer.host.crash()
    return (len(peers) + 1) // 2


async def live(peer: SwarmPeer, first: float, dice: Random) -> None:
    """Come, and come again some time after every end."""
    await trio.sleep(first)
    while True:
        await peer.host.run(peer.life)
        await trio.sleep(dice.uniform(1, MOST_AWAY_SECONDS))


async def wait_for_all(peer: SwarmPeer, length: int) -> None:
    """Return when a peer holds every block below ``length``, however often it goes."""
    while True:
        core = await peer.wait_up()
        try:
            await core.wait_for_length(length)
            await core.download(0, length)
        except StorageError as error:
            peer.host.note("went", why=str(error))
            await trio.lowlevel.checkpoint()
        else:
            return


SWARM_CHURN = Scenario(
    "swarm-churn",
    "Peers of one topic come, go and crash; everyone gets what is written.",
    play,
    nodes=12,
    least=4,
    plot=Plot("Until everyone has what was written", "round", ("seconds",)),
)
