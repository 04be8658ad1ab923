"""``cheats``: one who may sign something cheats, in a way and at a moment that the seed decides.

An executor tells one of the lies of ``simulations.actors.cheating_executor``, shows two histories,
or takes back what it signed; or a participant signs two histories of its oplog. Claims: every
monitor finds it, the proof holds for a stranger, and nobody honest is accused or charged.
"""

from __future__ import annotations

from random import Random

import trio

from protocol.encoding.msgpack import pack
from protocol.transparency.frauds import ContractFraudProof
from protocol.transparency.proofs.log_frauds import read_log_fraud_proof_untrusted
from vitra_node.database import Database
from vitra_node.ledger.contract_runner import ContractRunner
from vitra_node.roles.monitor import ForkFound, ViolationFound
from vitra_node.roles.proof_check import check_contract_fraud

from ..actors.cheating_executor import CHEATS, CONTRACT, cheating
from ..actors.database_peer import DatabasePeer
from ..actors.dht_network import open_dht
from ..actors.log_face import LogFace
from ..actors.two_faced_writer import TwoFacedWriter
from ..network.conditions import Conditions
from ..scenario import Scenario
from ..simulation import Simulation

DHT_NODES = 4
MOST_BEFORE = 6
AFTER = 3
MOST_PAUSE_SECONDS = 2.0
RESTART_SECONDS = 5.0
PATIENCE_SECONDS = 600.0

TWO_FACES = "shows two histories"
TAKES_BACK = "takes back what it signed"
FORKED_OPLOG = "a participant signs two histories"
# Every node compiles every source, which is most of the time that a run takes.
OF_SOURCES = ("puts another source in force",)
NAMES = sorted([*CHEATS, TWO_FACES, TAKES_BACK, FORKED_OPLOG])


class Cast:
    """Who plays: an executor, an honest participant, and monitors."""

    def __init__(
        self, simulation: Simulation, bootstrap: tuple[tuple[str, int], ...], kind: type[Database]
    ) -> None:
        self.simulation = simulation
        self.bootstrap = bootstrap
        self.dice = simulation.chance("cast")
        self.executor = DatabasePeer(
            simulation.host(), bootstrap, None, kind=kind, contract=CONTRACT
        )
        # Its logs: the index, and the oplog that it publishes on itself.
        self.executors: set[bytes] = set()
        self.writer: DatabasePeer
        self.monitors: list[DatabasePeer] = []

    async def come(self) -> None:
        """Start everybody, and let the participant write."""
        start, simulation = self.simulation.nursery.start_soon, self.simulation
        start(self.executor.host.keep_running, self.executor.life, RESTART_SECONDS)
        executor = await self.executor.wait_up()
        assert executor.local_oplog is not None
        self.executors = {executor.key, executor.local_oplog.key}
        self.writer = DatabasePeer(simulation.host(), self.bootstrap, executor.key)
        start(self.writer.host.keep_running, self.writer.life, RESTART_SECONDS)
        self.monitors = [
            DatabasePeer(simulation.host(), self.bootstrap, executor.key, monitors=True)
            for _ in range(simulation.nodes - 2)
        ]
        for monitor in self.monitors:
            start(monitor.host.keep_running, monitor.life, RESTART_SECONDS)
        participant = await self.writer.wait_up()
        oplog = await participant.create_oplog()
        await (await executor.call("admit", {"key": oplog.key})).when_processed()
        while not oplog.active:
            await participant.index.core.wait_for_length(participant.index.length + 1)
            # Its oplogs follow in a task of their own.
            await trio.sleep(1)

    async def write(self, count: int) -> None:
        """Operations of the honest participant, some time apart."""
        participant = await self.writer.wait_up()
        for _ in range(count):
            number = self.dice.randrange(1000)
            await participant.call("put", {"entries": {"a": number, "b": -number}})
            await trio.sleep(self.dice.uniform(0, MOST_PAUSE_SECONDS))

    async def all_find(self, find: type[ViolationFound] | type[ForkFound]) -> None:
        """Return when every monitor has found something of that kind."""
        with trio.move_on_after(PATIENCE_SECONDS):
            for monitor in self.monitors:
                await monitor.wait_accusation(find)


async def play(simulation: Simulation) -> None:
    """The story."""
    simulation.table("cheat", "monitors", "seconds")
    dice = simulation.chance("story")
    name = dice.choice(NAMES)
    before = dice.randrange(MOST_BEFORE)
    simulation.network.conditions = Conditions(
        farthest=dice.uniform(0.02, 0.4),
        loss=dice.choice((0.0, 0.01, 0.05)),
        duplication=dice.choice((0.0, 0.03)),
        reordering=dice.choice((0.0, 0.1)),
    )
    bootstrap = await open_dht(simulation, DHT_NODES)
    began = trio.current_time()
    kind = Database
    if name in CHEATS:
        # The first operation admits the participant.
        kind = cheating(CHEATS[name].cheat, 1 + before + 1)
    players = Cast(simulation, bootstrap, kind)
    await players.come()
    simulation.note("cheat", name=name, before=before)
    await players.write(before)
    if name in CHEATS:
        await lie(players, dice, upgrades=name in OF_SOURCES)
        await judge_violation(players, CHEATS[name].code)
    else:
        log = await FORKS[name](players, dice)
        await judge_fork(players, log)
    await nobody_honest_is_charged(players)
    seconds = round(trio.current_time() - began, 1)
    simulation.row(name, len(players.monitors), seconds)
    simulation.summary["cheat"] = name


async def lie(players: Cast, dice: Random, *, upgrades: bool) -> None:
    """Operations, among them the one that is lied about; a monitor may crash."""
    participant = await players.writer.wait_up()
    await players.write(1)
    if dice.random() < 0.5:
        dice.choice(players.monitors).host.crash()
    await players.write(1)
    await participant.call("fail", {"text": "as it should"})
    if upgrades:
        await participant.call("upgrade", {"code": CONTRACT + "// the next version\n"})
    await players.write(AFTER)
    await players.all_find(ViolationFound)


async def judge_violation(players: Cast, code: str) -> None:
    """Every monitor found this, and nothing else; a stranger is convinced by the file."""
    check = players.simulation.check
    files = set()
    for number, monitor in enumerate(players.monitors):
        found = [e for e in monitor.accusations if isinstance(e, ViolationFound)]
        codes = {event.proof.code for event in found}
        check(codes == {code}, f"monitor {number} finds {code}")
        forks = [e for e in monitor.accusations if isinstance(e, ForkFound)]
        check(not forks, f"monitor {number} accuses nobody of a fork")
        files |= {event.proof.to_json() for event in found}
    # No network: the runner alone.
    async with ContractRunner.open(world=players.executor.host.world) as runner:
        for text in sorted(files):
            proof = ContractFraudProof.from_json_untrusted(text)
            verdict = await check_contract_fraud(proof, runner)
            check((verdict.verdict, verdict.code) == ("violated", code), "a stranger sees it too")


async def two_faces(players: Cast, dice: Random) -> bytes:
    """Half of the monitors are shown one history, half another, and never both by the executor."""
    simulation, executor = players.simulation, await players.executor.wait_up()
    key = executor.key
    await settled(players)
    other = DatabasePeer(simulation.host(), players.bootstrap, key, contract=CONTRACT)
    other.host.copy_disk_of(players.executor.host)
    # Whoever holds one of them would show it to the other side.
    players.writer.host.stay_off()
    half = len(players.monitors) // 2
    one_side, other_side = players.monitors[:half], players.monitors[half:]
    for face, side, away in (
        (players.executor, one_side, other_side),
        (other, other_side, one_side),
    ):
        for monitor in away:
            monitor.host.stay_off()
        for monitor in side:
            monitor.host.may_run()
        if face is other:
            players.executor.host.stay_off()
            simulation.nursery.start_soon(other.host.run, other.life)
        database = await face.wait_up()
        entries = {"a": dice.randrange(1000), "face": str(face is other)}
        await (await database.call("put", {"entries": entries})).when_processed()
        with trio.move_on_after(PATIENCE_SECONDS):
            for monitor in side:
                await (await monitor.wait_up()).index.core.wait_for_length(database.index.length)
                await (await monitor.wait_up()).index.core.download()
    other.host.stop()
    # Neither face is there any more: the monitors have only each other.
    for peer in (players.writer, *players.monitors):
        peer.host.may_run()
    await players.all_find(ForkFound)
    return key


async def takes_back(players: Cast, dice: Random) -> bytes:
    """The executor's key signs a truncation, shown by a peer that nobody suspects."""
    await settled(players)
    index = (await players.executor.wait_up()).index.core
    assert index.key_pair is not None
    blocks = [await index.get(number) for number in range(index.length)]
    cut_at = dice.randrange(1, index.length)
    liar = TwoFacedWriter(index.key_pair)
    await show(players, liar, [*blocks[:cut_at], b"another history"], cut_at)
    return index.key


async def forked_oplog(players: Cast, dice: Random) -> bytes:
    """The participant's key signs another history; some have seen the first, some have not."""
    participant = await players.writer.wait_up()
    if dice.random() < 0.5:
        await settled(players)
    assert participant.local_oplog is not None
    oplog = participant.local_oplog.core
    assert oplog.key_pair is not None
    blocks = [await oplog.get(number) for number in range(oplog.length)]
    split = dice.randrange(oplog.length) if oplog.length else 0
    other = [
        pack({"op": "PUT", "entries": {"another": number}})
        for number in range(split, split + dice.randrange(1, 2 + MOST_BEFORE))
    ]
    await players.write(1)
    await show(players, TwoFacedWriter(oplog.key_pair), [*blocks[:split], *other], None)
    return oplog.key


async def show(
    players: Cast, liar: TwoFacedWriter, blocks: list[bytes], cut_at: int | None
) -> None:
    """Have another peer serve a history, until everybody knows that there are two."""
    simulation = players.simulation
    face = LogFace(simulation.host(), players.bootstrap, liar, blocks, cut_at=cut_at)
    simulation.nursery.start_soon(face.host.run, face.life)
    await players.all_find(ForkFound)


FORKS = {TWO_FACES: two_faces, TAKES_BACK: takes_back, FORKED_OPLOG: forked_oplog}


async def settled(players: Cast) -> None:
    """Wait until all that was published is executed and validated by every monitor."""
    executor = await players.executor.wait_up()
    participant = await players.writer.wait_up()
    assert participant.local_oplog is not None
    while await executor.index.executed_length(participant.local_oplog.key) < (
        participant.local_oplog.length
    ):
        await executor.index.core.wait_for_length(executor.index.length + 1)
    total = sum(oplog.length for oplog in executor.oplogs)
    for monitor in players.monitors:
        await monitor.wait_validated(total)


async def judge_fork(players: Cast, log: bytes) -> None:
    """Every monitor knows which log has two histories, and nobody broke the contract."""
    check = players.simulation.check
    # A copied executor publishes with the same key of its own oplog too.
    owner = players.executors if log in players.executors else {log}
    for number, monitor in enumerate(players.monitors):
        forks = [e.proof.proof for e in monitor.accusations if isinstance(e, ForkFound)]
        keys = {proof.log_key for proof in forks}
        check(log in keys <= owner, f"monitor {number} names the log, and its owner alone")
        for proof in forks:
            read_log_fraud_proof_untrusted(proof.to_json()).check_untrusted(proof.log_key)
        violations = [e for e in monitor.accusations if isinstance(e, ViolationFound)]
        check(not violations, f"monitor {number} says nothing of the contract")


async def nobody_honest_is_charged(players: Cast) -> None:
    """The honest participant's log stands, and no honest peer was blamed for what it passed on."""
    check = players.simulation.check
    honest = [players.writer, *players.monitors]
    databases = [await peer.wait_up() for peer in honest]
    keys = {
        database.network.key_pair.public_key.hex()
        for database in databases
        if database.network is not None
    }
    now = trio.current_time()
    for number, database in enumerate(databases):
        bans = database.connections.bans
        blamed = [key for key in sorted(keys) if bans.weight(key, now)]
        check(not blamed, f"honest peer {number} blames nobody honest")


CHEATS_FOUND = Scenario(
    "cheats",
    "One who may sign something cheats, as the seed decides; monitors find it, and nobody else.",
    play,
    nodes=4,
    least=4,
)
