"""``replicate-under-loss``: a log reaches all readers, whatever the network does to datagrams."""

from __future__ import annotations

from dataclasses import replace

import trio

from vitra_node.storage.errors import StorageError
from vitra_node.storage.log.hypercore import Hypercore

from ..actors.dht_network import open_dht
from ..actors.log_peers import LogReader, LogWriter
from ..checkers.logs import same_log
from ..network.conditions import Conditions
from ..scenario import Plot, Scenario
from ..simulation import Simulation

DHT_NODES = 4
BLOCKS = 96
BLOCK_BYTES = 4096
# 50 ms in each direction, some datagrams twice, some late, through links of 20 Mbit/s.
ROUGH = Conditions(
    nearest=0.05,
    farthest=0.05,
    jitter=0.002,
    duplication=0.01,
    reordering=0.02,
    bytes_per_second=2.5e6,
)
LOSSES = (0.0, 0.01, 0.05, 0.2)
# In which the slowest reader must have everything: far more than it takes, far less than "never".
PATIENCE_SECONDS = 300.0
# The writer is cut off for so long while it appends.
PARTED_SECONDS = 40.0
# A reader's power fails in the middle of its so many-th transaction, and comes back so much later.
WRITES_TO_FAILURE = 3
RESTART_SECONDS = 5.0


async def play(simulation: Simulation) -> None:
    """The story."""
    simulation.table("loss", "readers", "kilobytes", "seconds", "kilobytes_per_second")
    bootstrap = await open_dht(simulation, DHT_NODES)
    writer = LogWriter(simulation.host(), bootstrap)
    simulation.nursery.start_soon(writer.host.run, writer.life)
    log = await writer.wait_up()
    readers = [
        LogReader(simulation.host(), bootstrap, writer.key_pair, log.key)
        for _ in range(simulation.nodes - 1)
    ]
    for reader in readers:
        simulation.nursery.start_soon(reader.host.keep_running, reader.life, RESTART_SECONDS)
    for reader in readers:
        await reader.wait_up()
    for loss in LOSSES:
        simulation.network.conditions = replace(ROUGH, loss=loss)
        seconds = await spread(simulation, writer, readers, f"at {loss:.0%} loss")
        size = BLOCKS * BLOCK_BYTES / 1000
        simulation.row(loss, len(readers), size, round(seconds, 2), round(size / seconds, 1))
    simulation.network.conditions = replace(ROUGH, loss=0.01)
    simulation.network.partition([[writer.host.place]])
    simulation.nursery.start_soon(heal_later, simulation)
    await spread(simulation, writer, readers, "after a partition")
    for reader in readers:
        reader.host.lose_power(WRITES_TO_FAILURE)
    await spread(simulation, writer, readers, "after the power failed")
    for number, reader in enumerate(readers):
        holds = await comes_to_hold(reader, log)
        simulation.check(holds, f"reader {number} has the log")
    simulation.summary["connections"] = sum(reader.connections for reader in readers)


async def comes_to_hold(reader: LogReader, log: Hypercore) -> bool:
    """Whether a copy becomes the log; it may have lost what was not on its disk a moment ago."""
    for _ in range(int(PATIENCE_SECONDS)):
        if same_log(log, await reader.wait_up()):
            return True
        await trio.sleep(1)
    return False


async def heal_later(simulation: Simulation) -> None:
    """End the partition after a while."""
    await trio.sleep(PARTED_SECONDS)
    simulation.network.heal()


async def spread(
    simulation: Simulation, writer: LogWriter, readers: list[LogReader], when: str
) -> float:
    """Append blocks and wait until every reader holds them; how long that took."""
    log = await writer.wait_up()
    dice = simulation.chance(f"blocks {when}")
    began = trio.current_time()
    length = await log.append([dice.randbytes(BLOCK_BYTES) for _ in range(BLOCKS)])
    with trio.move_on_after(PATIENCE_SECONDS) as patience:
        async with trio.open_nursery() as nursery:
            for reader in readers:
                nursery.start_soon(wait_for_all, reader, length)
    simulation.check(not patience.cancelled_caught, f"all blocks arrive {when}")
    return trio.current_time() - began


async def wait_for_all(reader: LogReader, length: int) -> None:
    """Return when a reader holds every block below ``length``, crashes or not."""
    while True:
        core = await reader.wait_up()
        try:
            await core.wait_for_length(length)
            await core.download(0, length)
        except StorageError as error:
            reader.host.note("went down", why=str(error))
            await trio.lowlevel.checkpoint()
        else:
            return


REPLICATE_UNDER_LOSS = Scenario(
    "replicate-under-loss",
    "A log reaches all readers through loss, reordering, duplicates and a partition.",
    play,
    nodes=4,
    plot=Plot("Throughput to one reader against loss", "loss", ("kilobytes_per_second",)),
)
