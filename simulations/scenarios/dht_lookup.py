"""``dht-lookup``: a network grows, and at each size topics are announced and looked up."""

from __future__ import annotations

from math import log2
from random import Random
from statistics import correlation, fmean, median

import trio

from ..actors.dht_node import DhtNode
from ..scenario import Plot, Scenario
from ..simulation import Simulation

LOOKUPS = 60
# How much the network has grown between two measurements.
GROWTH = 2
SMALLEST = 8
# How fast it grows.
JOINS_PER_SECOND = 10.0
# Until everybody who has just come is known where it belongs.
SETTLE_SECONDS = 30.0
# More than the routing tables of a Kademlia with rows of 20 need from 8 to a million nodes.
HOPS_PER_DOUBLING = 1.0
# Fewer points lie on any curve.
LEAST_SIZES_FOR_A_CURVE = 5
LEAST_CORRELATION = 0.95


async def play(simulation: Simulation) -> None:
    """The story."""
    simulation.table(
        "nodes", "lookups", "found", "hops", "most_hops", "seconds", "slowest_seconds", "asked"
    )
    dice = simulation.chance("story")
    nodes = [DhtNode(simulation.host(), ())]
    simulation.nursery.start_soon(nodes[0].host.run, nodes[0].life)
    await nodes[0].wait_up()
    for size in sizes(simulation.nodes):
        while len(nodes) < size:
            node = DhtNode(simulation.host(), (nodes[0].address,))
            simulation.nursery.start_soon(node.host.run, node.life)
            nodes.append(node)
            await trio.sleep(1 / JOINS_PER_SECOND)
        await trio.sleep(SETTLE_SECONDS)
        await measure(simulation, nodes, dice)
    judge(simulation)


def judge(simulation: Simulation) -> None:
    """Hops grow with the logarithm of the size, and slowly."""
    nodes = [float(str(row[0])) for row in simulation.rows]
    hops = [float(str(row[3])) for row in simulation.rows]
    if len(nodes) < 2:
        return
    slope = (hops[-1] - hops[0]) / log2(nodes[-1] / nodes[0])
    simulation.summary["hops_per_doubling"] = round(slope, 3)
    simulation.check(
        slope <= HOPS_PER_DOUBLING, "a network twice as large costs at most one more hop"
    )
    if len(nodes) >= LEAST_SIZES_FOR_A_CURVE:
        like_log = correlation([log2(size) for size in nodes], hops)
        simulation.summary["correlation_with_log"] = round(like_log, 3)
        simulation.check(like_log >= LEAST_CORRELATION, "hops grow like the logarithm of the size")
        simulation.check(
            like_log > correlation(nodes, hops), "they grow more like it than like the size"
        )


def sizes(largest: int) -> list[int]:
    """Where to measure, the largest last."""
    found = [largest]
    while found[0] // GROWTH >= SMALLEST:
        found.insert(0, found[0] // GROWTH)
    return found


async def measure(simulation: Simulation, nodes: list[DhtNode], dice: Random) -> None:
    """Announce and look up at random nodes."""
    hops: list[int] = []
    seconds: list[float] = []
    asked: list[int] = []
    found = 0
    for number in range(LOOKUPS):
        announcer, seeker = (dice.choice(nodes) for _ in range(2))
        topic = dice.randbytes(32)
        dht = await announcer.wait_up()
        await dht.announce(topic)
        began = trio.current_time()
        lookup = (await seeker.wait_up()).lookup(topic)
        replies = 0
        keys: set[bytes] = set()
        async for reply in lookup:
            replies += 1
            keys.update(record.public_key for record in reply.records)
        assert lookup.done is not None
        hops.append(lookup.done.hops)
        seconds.append(trio.current_time() - began)
        asked.append(replies)
        found += dht.key_pair.public_key in keys
        simulation.note("lookup", number=number, hops=hops[-1], found=found)
    simulation.check(found == LOOKUPS, f"every lookup among {len(nodes)} nodes finds what is there")
    simulation.row(
        len(nodes),
        LOOKUPS,
        found,
        round(fmean(hops), 3),
        max(hops),
        round(median(seconds), 3),
        round(max(seconds), 3),
        round(fmean(asked), 1),
    )


DHT_LOOKUP = Scenario(
    "dht-lookup",
    "A DHT grows; topics are announced and looked up at each size.",
    play,
    nodes=128,
    plot=Plot("Hops of a lookup against network size", "nodes", ("hops", "most_hops"), True),
)
