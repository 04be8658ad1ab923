"""``hostile-peers``: a third of those who are found for a log lie, flood, and break its rules.

Claims: the log reaches every honest peer whole and unchanged; whoever said something false is
thrown out; nobody honest is charged with anything.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from ..actors.dht_network import open_dht
from ..actors.hostile_log import (
    Attack,
    FalseBlocks,
    FalseNodes,
    ForgedHead,
    OversizeBitfield,
    OversizeBlock,
    RequestFlood,
    SenselessRequests,
    Unrequested,
)
from ..actors.hostile_peer import HostilePeer
from ..actors.swarm_peer import SwarmPeer
from ..checkers.logs import same_log
from ..network.conditions import Conditions
from ..scenario import Scenario
from ..simulation import Simulation

DHT_NODES = 6
ROUNDS = 3
BLOCKS = 40
BLOCK_BYTES = 500
LOSS = 0.01
# What each hostile peer does, in turn with each connection; the first few connections suffice.
ATTACKS: Sequence[Sequence[Attack]] = (
    (ForgedHead, FalseBlocks),
    (RequestFlood, SenselessRequests),
    (ForgedHead, FalseNodes),
    (Unrequested, OversizeBitfield),
    (OversizeBlock,),
)
# Until what was said last has been answered.
SETTLE_SECONDS = 10.0
PATIENCE_SECONDS = 1200.0


async def play(simulation: Simulation) -> None:
    """The story."""
    simulation.table("round", "blocks", "seconds", "attacked", "thrown_out")
    simulation.network.conditions = Conditions(loss=LOSS)
    dice = simulation.chance("story")
    bootstrap = await open_dht(simulation, DHT_NODES)
    topic = dice.randbytes(32)
    writer = SwarmPeer(simulation.host(), bootstrap, topic, None)
    simulation.nursery.start_soon(writer.host.run, writer.life)
    log = await writer.wait_up()
    await log.append([dice.randbytes(BLOCK_BYTES) for _ in range(BLOCKS)])
    hostile = [
        HostilePeer(
            simulation.host(), bootstrap, topic, log.storage, ATTACKS[number % len(ATTACKS)]
        )
        for number in range(max(2, simulation.nodes // 3))
    ]
    for attacker in hostile:
        simulation.nursery.start_soon(attacker.host.run, attacker.life)
    for attacker in hostile:
        await attacker.wait_up()
    readers = [
        SwarmPeer(simulation.host(), bootstrap, topic, log.key)
        for _ in range(simulation.nodes - len(hostile) - 1)
    ]
    for reader in readers:
        simulation.nursery.start_soon(reader.host.run, reader.life)
    for number in range(ROUNDS):
        began = trio.current_time()
        length = await log.append([dice.randbytes(BLOCK_BYTES) for _ in range(BLOCKS)])
        with trio.move_on_after(PATIENCE_SECONDS) as patience:
            for reader in readers:
                core = await reader.wait_up()
                await core.wait_for_length(length)
                await core.download(0, length)
        simulation.check(not patience.cancelled_caught, f"round {number} reaches everyone")
        attacked = sum(len(attacker.attacks) for attacker in hostile)
        thrown_out = sum(attacker.thrown_out for attacker in hostile)
        seconds = round(trio.current_time() - began, 2)
        simulation.row(number, length, seconds, attacked, thrown_out)
    await trio.sleep(SETTLE_SECONDS)
    await judge(simulation, writer, readers, hostile)


async def judge(
    simulation: Simulation,
    writer: SwarmPeer,
    readers: list[SwarmPeer],
    hostile: list[HostilePeer],
) -> None:
    """Nothing false was taken, and the right ones were blamed."""
    log = await writer.wait_up()
    for number, reader in enumerate(readers):
        simulation.check(same_log(log, await reader.wait_up()), f"reader {number} has the log")
    for number, attacker in enumerate(hostile):
        simulation.check(bool(attacker.attacks), f"attacker {number} was met")
        # Who was never asked has not lied yet.
        thrown_out = attacker.thrown_out > 0 or not attacker.told
        simulation.check(thrown_out, f"attacker {number} was thrown out")
    simulation.check(any(attacker.thrown_out for attacker in hostile), "attacks are found out")
    now = trio.current_time()
    honest = {peer.swarm.key_pair.public_key.hex() for peer in [writer, *readers] if peer.swarm}
    liars = {attacker.key_pair.public_key.hex() for attacker in hostile}
    banned = 0
    for number, peer in enumerate([writer, *readers]):
        assert peer.connections is not None
        bans = peer.connections.bans
        blamed = [key for key in sorted(honest) if bans.weight(key, now)]
        simulation.check(not blamed, f"honest peer {number} blames nobody honest")
        banned += sum(bans.is_banned(key, now) for key in sorted(liars))
    simulation.summary["bans"] = banned


HOSTILE_PEERS = Scenario(
    "hostile-peers",
    "A third of a swarm lies, floods and breaks the rules; everyone else gets the log.",
    play,
    nodes=12,
    least=5,
)
