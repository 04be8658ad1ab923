"""``database``: participants write and monitors verify under churn, loss and power failures.

Everybody's disk survives: whoever comes back goes on with what it held, the executor too. Claims:
what a call reported as published is executed, once and in order; all have one history; nobody
honest is accused. In the end the executor cheats, and every monitor finds out.
"""

from __future__ import annotations

import trio

from vitra_node.database import Database
from vitra_node.storage.errors import StorageError

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
RESTART_SECONDS = 5.0
PARTED_SECONDS = 90.0
# Power fails in the middle of one of so many transactions.
MOST_WRITES_TO_FAILURE = 6
# A swarm that lost its peers gives them another try within minutes.
PATIENCE_SECONDS = 3600.0


async def play(simulation: Simulation) -> None:
    """The story: half of the nodes write, half verify."""
    simulation.table("round", "published", "seconds", "validated", "crashes")
    bootstrap = await open_dht(simulation, DHT_NODES)
    executor = DatabasePeer(simulation.host(), bootstrap, None)
    simulation.nursery.start_soon(executor.host.keep_running, executor.life, RESTART_SECONDS)
    database = await executor.wait_up()
    half = (simulation.nodes - 1) // 2
    writers = [
        DatabasePeer(simulation.host(), bootstrap, database.key, path=f"/writer/{which}")
        for which in range(half)
    ]
    monitors = [
        DatabasePeer(simulation.host(), bootstrap, database.key, monitors=True)
        for _ in range(simulation.nodes - 1 - half)
    ]
    for peer in writers:
        simulation.nursery.start_soon(peer.host.keep_running, peer.life, RESTART_SECONDS)
        await admit(database, await peer.wait_up())
    for monitor in monitors:
        simulation.nursery.start_soon(live, simulation, monitor)
    simulation.network.conditions = BAD
    for number in range(ROUNDS):
        await one_round(simulation, number, executor, writers, monitors)
    for peer in [executor, *writers, *monitors]:
        peer.host.disk.keep_power()
    database = await executor.wait_up()
    copies = [await peer.wait_up() for peer in writers]
    with trio.move_on_after(PATIENCE_SECONDS):
        for copy in copies:
            # An operation is processed for its writer before others' later ones have come.
            await copy.index.core.wait_for_length(database.index.length)
            await copy.index.core.download()
    await judge(simulation, database, writers, monitors)
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
    """Come, and come again some time after every end."""
    dice = simulation.chance(f"{monitor.host.name}/life")
    while True:
        await monitor.host.run(monitor.life)
        await trio.sleep(dice.uniform(1, MOST_AWAY_SECONDS))


async def one_round(
    simulation: Simulation,
    number: int,
    executor: DatabasePeer,
    writers: list[DatabasePeer],
    monitors: list[DatabasePeer],
) -> None:
    """Everybody writes, one behind a partition; power fails at one node of each kind."""
    dice = simulation.chance(f"round {number}")
    began = trio.current_time()
    parted = writers[number % len(writers)]
    simulation.network.partition([[parted.host.place]])
    failing = [executor, writers[(number + 1) % len(writers)], monitors[number % len(monitors)]]
    crashes = sum(peer.host.crashes for peer in [executor, *writers, *monitors])
    for peer in failing:
        peer.host.lose_power(dice.randrange(MOST_WRITES_TO_FAILURE))
    with trio.move_on_after(PATIENCE_SECONDS) as patience:
        for writer in writers:
            writer.write([f"{number}.{count}" for count in range(OPERATIONS)])
        await trio.sleep(PARTED_SECONDS)
        simulation.network.heal()
        for writer in writers:
            await writer.wait_written()
        total = await executed(executor, writers)
        for monitor in monitors:
            await monitor.wait_validated(total)
    simulation.check(not patience.cancelled_caught, f"round {number} is written and validated")
    crashes = sum(peer.host.crashes for peer in [executor, *writers, *monitors]) - crashes
    seconds = round(trio.current_time() - began, 1)
    published = sum(len(writer.published) for writer in writers)
    validated = min(monitor.validated for monitor in monitors)
    simulation.row(number, published, seconds, validated, crashes)


async def executed(executor: DatabasePeer, writers: list[DatabasePeer]) -> int:
    """Wait until all that was published stands in the index; gives how many operations that are."""
    while True:
        database = await executor.wait_up()
        try:
            done = [
                set(writer.published) <= set(await written(database, writer)) for writer in writers
            ]
            if all(done):
                return sum(oplog.length for oplog in database.oplogs)
        except StorageError as error:
            executor.host.note("went down", why=str(error))
        await trio.sleep(1)


async def written(database: Database, writer: DatabasePeer) -> list[str]:
    """What the index says that a writer wrote."""
    entry = await database.index.get(writer.path)
    if entry is None:
        return []
    assert isinstance(entry.value, list)
    return entry.value


async def judge(
    simulation: Simulation,
    executor: Database,
    writers: list[DatabasePeer],
    monitors: list[DatabasePeer],
) -> None:
    """Nothing that was reported is lost, all have one history, and nobody honest was accused."""
    for number, writer in enumerate(writers):
        copy = await writer.wait_up()
        simulation.check(
            same_log(executor.index.core, copy.index.core), f"writer {number} has the index"
        )
        simulation.check(not copy.frauds(), f"writer {number} accuses nobody")
        values = await written(executor, writer)
        reported = set(writer.published)
        simulation.check(
            [value for value in values if value in reported] == writer.published,
            f"what writer {number} published is executed once and in order",
        )
    for number, monitor in enumerate(monitors):
        simulation.check(not monitor.accusations, f"monitor {number} accuses nobody")
    simulation.check(executor.executor_fault is None, "the executor did not stop")
    simulation.check(not executor.frauds(), "the executor accuses nobody")


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
    "Monitors verify what participants write through loss and power failures, and find a cheat.",
    play,
    nodes=7,
    least=3,
    plot=Plot("Until everyone has verified what was written", "round", ("seconds",)),
)
