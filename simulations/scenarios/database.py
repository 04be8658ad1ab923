"""``database``: participants write and monitors verify under churn and loss; then one cheats."""

from __future__ import annotations

import trio

from vitra_node.database import Database

from ..actors.database_peer import DatabasePeer
from ..actors.dht_network import open_dht
from ..checkers.logs import same_log
from ..network.conditions import Conditions
from ..scenario import Plot, Scenario
from ..simulation import Simulation

DHT_NODES = 6
ROUNDS = 3
OPERATIONS = 4
BAD = Conditions(loss=0.03, duplication=0.02, reordering=0.05)
MOST_AWAY_SECONDS = 60.0
PARTED_SECONDS = 90.0
# A swarm that lost its peers gives them another try within minutes.
PATIENCE_SECONDS = 3600.0


async def play(simulation: Simulation) -> None:
    """The story: half of the nodes write, half verify."""
    simulation.table("round", "operations", "seconds", "validated")
    bootstrap = await open_dht(simulation, DHT_NODES)
    executor = DatabasePeer(simulation.host(), bootstrap, None)
    simulation.nursery.start_soon(executor.host.run, executor.life)
    database = await executor.wait_up()
    half = (simulation.nodes - 1) // 2
    writers = [DatabasePeer(simulation.host(), bootstrap, database.key) for _ in range(half)]
    monitors = [
        DatabasePeer(simulation.host(), bootstrap, database.key, monitors=True)
        for _ in range(simulation.nodes - 1 - half)
    ]
    for peer in writers:
        simulation.nursery.start_soon(peer.host.run, peer.life)
        await admit(database, await peer.wait_up())
    for monitor in monitors:
        simulation.nursery.start_soon(live, simulation, monitor)
    simulation.network.conditions = BAD
    for number in range(ROUNDS):
        await one_round(simulation, number, database, writers, monitors)
    copies = [await peer.wait_up() for peer in writers]
    with trio.move_on_after(PATIENCE_SECONDS):
        for copy in copies:
            # An operation is processed for its writer before others' later ones have come.
            await copy.index.core.wait_for_length(database.index.length)
            await copy.index.core.download()
    judge(simulation, database, copies, monitors)
    await cheat(simulation, database, monitors)


async def admit(executor: Database, participant: Database) -> None:
    """Let a node write, and wait until it knows."""
    oplog = await participant.create_oplog()
    await (await executor.call("admit", {"key": oplog.key.hex()})).when_processed()
    while not oplog.active:
        await participant.index.core.wait_for_length(participant.index.length + 1)
        # Its oplogs follow in a task of their own.
        await trio.sleep(1)


async def live(simulation: Simulation, monitor: DatabasePeer) -> None:
    """Come, and come again some time after every end, with nothing kept."""
    dice = simulation.chance(f"{monitor.host.name}/life")
    while True:
        await monitor.host.run(monitor.life)
        await trio.sleep(dice.uniform(1, MOST_AWAY_SECONDS))


async def one_round(
    simulation: Simulation,
    number: int,
    executor: Database,
    writers: list[DatabasePeer],
    monitors: list[DatabasePeer],
) -> None:
    """Everybody writes, one behind a partition; a monitor crashes."""
    began = trio.current_time()
    before = executor.index.length
    parted = writers[number % len(writers)].host.place
    simulation.network.partition([[parted]])
    monitors[number % len(monitors)].host.crash()
    with trio.move_on_after(PATIENCE_SECONDS) as patience:
        async with trio.open_nursery() as nursery:
            for which, writer in enumerate(writers):
                nursery.start_soon(write, await writer.wait_up(), which, number)
            await trio.sleep(PARTED_SECONDS)
            simulation.network.heal()
        total = sum(oplog.length for oplog in executor.oplogs)
        for monitor in monitors:
            await monitor.wait_validated(total)
    simulation.check(not patience.cancelled_caught, f"round {number} is written and validated")
    simulation.note("grown", blocks=executor.index.length - before)
    seconds = round(trio.current_time() - began, 1)
    validated = min(monitor.validated for monitor in monitors)
    simulation.row(number, len(writers) * OPERATIONS, seconds, validated)


async def write(database: Database, which: int, number: int) -> None:
    """Some operations, all of which are seen to be executed."""
    for count in range(OPERATIONS):
        value = f"{number}.{count}"
        transaction = await database.call("put", {"path": f"/writer/{which}", "value": value})
        await transaction.when_processed()


def judge(
    simulation: Simulation,
    executor: Database,
    copies: list[Database],
    monitors: list[DatabasePeer],
) -> None:
    """All have one history, and nobody honest was accused."""
    for number, copy in enumerate(copies):
        simulation.check(
            same_log(executor.index.core, copy.index.core), f"writer {number} has the index"
        )
        simulation.check(not copy.frauds(), f"writer {number} accuses nobody")
    for number, monitor in enumerate(monitors):
        simulation.check(not monitor.accusations, f"monitor {number} accuses nobody")
    simulation.check(executor.executor_fault is None, "the executor did not stop")


async def cheat(simulation: Simulation, executor: Database, monitors: list[DatabasePeer]) -> None:
    """The executor writes what no operation led to; everybody who verifies finds it."""
    change = {"type": "put", "path": "/writer/0", "value": ["nobody wrote this"]}
    await executor.index.dangerous_batch([change])
    with trio.move_on_after(PATIENCE_SECONDS):
        for monitor in monitors:
            await monitor.wait_accusation()
    for number, monitor in enumerate(monitors):
        simulation.check(bool(monitor.accusations), f"monitor {number} finds the cheat")


DATABASE = Scenario(
    "database",
    "Monitors verify what participants write, under churn and loss, and find the one cheat.",
    play,
    nodes=7,
    least=3,
    plot=Plot("Until everyone has verified what was written", "round", ("seconds",)),
)
