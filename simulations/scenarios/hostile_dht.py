"""``hostile-dht``: a third of the nodes are one attacker's, and strangers flood and forge.

Claims, with the rows of the threat model (specs/16-threats.md): honest look-ups find what is there
(many nodes of one owner); an honest client connects during a flood of handshakes; nobody is sent
more than was sent in its name. In the end the attacker takes all nodes nearest to one log, against
which a DHT has no defence: who was told the address of a peer reads the log all the same.
"""

from __future__ import annotations

from math import ceil
from random import Random

import trio

from protocol.crypto.keys import SEED_BYTES, KeyPair
from protocol.dht.addresses import Address, distance, node_id
from protocol.dht.rpc.routing_table import ROW_NODES
from vitra_node.config import Address as DirectAddress
from vitra_node.net.dht.dht import DHT
from vitra_node.net.direct import direct_peers
from vitra_node.storage.corestore import Corestore

from ..actors.dht_node import DhtNode
from ..actors.dht_strangers import Flooder, Spoofer, Victim
from ..actors.sybil import Conspiracy, Sybil
from ..host import Host
from ..scenario import Scenario
from ..simulation import Simulation

SYBILS = 0.3
SYBIL_PORT = 50000
LOOKUPS = 40
LEAST_FOUND = 0.95
# Until the attacker's nodes are in everybody's table.
SETTLE_SECONDS = 30.0
LEAST_SHARE = 0.1
FLOODERS = 10
FLOOD_PER_SECOND = 50.0
FLOOD_SECONDS = 5.0
CONNECTS = 10
CONNECT_SECONDS = 3.0
# Ports that a host tries to lie near a target.
PORTS_TRIED = 2000
BLOCKS = 20
PIN_SECONDS = 60.0


async def play(simulation: Simulation) -> None:
    """The story."""
    simulation.table("part", "tried", "succeeded", "slowest_seconds")
    dice = simulation.chance("story")
    sybils = ceil(simulation.nodes * SYBILS)
    nodes = await honest_network(simulation, simulation.nodes - sybils)
    conspiracy = Conspiracy()
    for _ in range(sybils):
        conspire(simulation, Sybil(simulation.host(), nodes[0].address, conspiracy, SYBIL_PORT))
    await trio.sleep(SETTLE_SECONDS)
    await see_them_known(simulation, nodes, conspiracy)
    await look_up(simulation, nodes, dice)
    await flood(simulation, nodes)
    await eclipse(simulation, nodes, conspiracy)


async def honest_network(simulation: Simulation, size: int) -> list[DhtNode]:
    """Nodes that serve each other."""
    nodes = [DhtNode(simulation.host(), ())]
    simulation.nursery.start_soon(nodes[0].host.run, nodes[0].life)
    await nodes[0].wait_up()
    nodes += [DhtNode(simulation.host(), (nodes[0].address,)) for _ in range(size - 1)]
    for node in nodes[1:]:
        simulation.nursery.start_soon(node.host.run, node.life)
    for node in nodes:
        await node.wait_up()
    return nodes


def conspire(simulation: Simulation, sybil: Sybil) -> None:
    """Let it live."""
    simulation.nursery.start_soon(sybil.host.run, sybil.life)


# many nodes of one owner --------------------------------------------------------------------------


async def see_them_known(
    simulation: Simulation, nodes: list[DhtNode], conspiracy: Conspiracy
) -> None:
    """An attack that nobody notices would prove nothing."""
    known = [address for node in nodes for address in (await node.wait_up()).nodes]
    share = sum(Address(*address) in conspiracy.members for address in known) / len(known)
    simulation.summary["sybils_in_tables"] = round(share, 3)
    simulation.check(share >= LEAST_SHARE, "the attacker's nodes are in the tables of others")


async def look_up(simulation: Simulation, nodes: list[DhtNode], dice: Random) -> None:
    """Honest nodes announce, and honest nodes look for it."""
    found, slowest = 0, 0.0
    for _ in range(LOOKUPS):
        announcer, seeker = (dice.choice(nodes) for _ in range(2))
        topic = dice.randbytes(32)
        dht = await announcer.wait_up()
        await dht.announce(topic)
        began = trio.current_time()
        keys = {
            record.public_key
            async for reply in (await seeker.wait_up()).lookup(topic)
            for record in reply.records
        }
        slowest = max(slowest, trio.current_time() - began)
        found += dht.key_pair.public_key in keys
    simulation.check(found >= LEAST_FOUND * LOOKUPS, "honest look-ups find what honest nodes serve")
    simulation.row("look-ups among sybils", LOOKUPS, found, round(slowest, 2))


# strangers ----------------------------------------------------------------------------------------


class EchoServer:
    """Listens, and says everything back."""

    def __init__(self, host: Host, bootstrap: tuple[str, int]) -> None:
        self.host = host
        self.key_pair = KeyPair.from_seed(host.world.random_bytes(SEED_BYTES))
        self.address = Address("", 0)
        self._bootstrap = bootstrap
        self._up = trio.Event()

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        async with (
            DHT.open([self._bootstrap], host.address, firewalled=False, world=host.world) as dht,
            dht.listen(self.key_pair) as server,
            trio.open_nursery() as nursery,
        ):
            await server.wait_announced()
            self.address = Address(*dht.local_address)
            self._up.set()
            async for connection in server:
                nursery.start_soon(self._echo, connection.stream)

    async def wait_up(self) -> None:
        """Return when it can be found."""
        await self._up.wait()

    async def _echo(self, stream: trio.abc.Stream) -> None:
        try:
            async with stream:
                await stream.send_all(await stream.receive_some())
        except trio.BrokenResourceError as error:
            self.host.note("echo ends", why=str(error))


async def flood(simulation: Simulation, nodes: list[DhtNode]) -> None:
    """First messages from everywhere, questions in the name of a victim; a client connects."""
    server = EchoServer(simulation.host(), nodes[0].address)
    simulation.nursery.start_soon(server.host.run, server.life)
    await server.wait_up()
    key = server.key_pair.public_key
    victim = Victim(simulation.host())
    spoofer = Spoofer(simulation.host(), victim.address, [node.address for node in nodes[:8]], key)
    flooders = [
        Flooder(simulation.host(), server.address, key, FLOOD_PER_SECOND) for _ in range(FLOODERS)
    ]
    strangers: list[Victim | Spoofer | Flooder] = [victim, spoofer, *flooders]
    for stranger in strangers:
        simulation.nursery.start_soon(stranger.host.run, stranger.life)
    succeeded, slowest = 0, 0.0
    client = simulation.host()

    async def call(host: Host) -> None:
        nonlocal succeeded, slowest
        async with DHT.open([nodes[1].address], host.address, world=host.world) as dht:
            await dht.wait_bootstrapped()
            for _ in range(CONNECTS):
                began = trio.current_time()
                connection = await dht.connect(key)
                async with connection.stream as stream:
                    await stream.send_all(b"still there?")
                    succeeded += await stream.receive_some() == b"still there?"
                slowest = max(slowest, trio.current_time() - began)
                await trio.sleep(FLOOD_SECONDS / CONNECTS)

    await client.run(call)
    for stranger in strangers:
        stranger.host.stop()
    simulation.row("connections in a flood", CONNECTS, succeeded, round(slowest, 2))
    simulation.check(succeeded == CONNECTS, "an honest client connects during a flood")
    simulation.check(slowest < CONNECT_SECONDS, f"it takes less than {CONNECT_SECONDS:.0f} s")
    simulation.check(
        victim.received_bytes <= spoofer.sent_bytes,
        "a victim is sent no more than was sent in its name",
    )
    simulation.summary["flood_messages"] = sum(flooder.sent for flooder in flooders)
    simulation.summary["amplification"] = round(victim.received_bytes / spoofer.sent_bytes, 3)


# all nodes near one log ---------------------------------------------------------------------------


class DirectLog:
    """A log whose writer can be called by its address."""

    def __init__(self, host: Host, blocks: list[bytes]) -> None:
        self.host = host
        self.blocks = blocks
        self.key = self.discovery_key = b""
        self.address = DirectAddress(host.address, 4000)
        self._up = trio.Event()

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        async with (
            Corestore.open(None, world=host.world) as store,
            direct_peers(store, world=host.world) as direct,
        ):
            core = await store.get(name="log")
            await core.append(self.blocks)
            self.key, self.discovery_key = core.key, core.discovery_key
            await direct.listen(self.address)
            self._up.set()
            await trio.sleep_forever()

    async def wait_up(self) -> None:
        """Return when it can be called."""
        await self._up.wait()

    async def read_from(self, host: Host) -> int:
        """How many true blocks somebody gets who was told key and address."""
        read = 0

        async def life(host: Host) -> None:
            nonlocal read
            async with (
                Corestore.open(None, world=host.world) as store,
                direct_peers(store, world=host.world) as direct,
            ):
                core = await store.get(key=self.key)
                await direct.connect(self.address)
                with trio.move_on_after(PIN_SECONDS):
                    for seq, block in enumerate(self.blocks):
                        read += await core.get(seq) == block

        await host.run(life)
        return read


async def eclipse(simulation: Simulation, nodes: list[DhtNode], conspiracy: Conspiracy) -> None:
    """The attacker takes the nodes nearest to a log; some were told where its writer is."""
    dice = simulation.chance("log")
    log = DirectLog(simulation.host(), [dice.randbytes(100) for _ in range(BLOCKS)])
    simulation.nursery.start_soon(log.host.run, log.life)
    await log.wait_up()
    surround(simulation, nodes, conspiracy, log.discovery_key)
    await trio.sleep(SETTLE_SECONDS)
    await (await nodes[1].wait_up()).announce(log.discovery_key)
    named = 0
    async for reply in (await nodes[2].wait_up()).lookup(log.discovery_key):
        named += len(reply.records)
    # What nobody promises; it is noted to be known.
    simulation.summary["records_found_when_eclipsed"] = named
    began = trio.current_time()
    read = await log.read_from(simulation.host())
    seconds = trio.current_time() - began
    simulation.row("blocks from a known peer", BLOCKS, read, round(seconds, 2))
    simulation.check(read == BLOCKS, "who knows a peer reads the log, whatever the DHT says")


def surround(
    simulation: Simulation, nodes: list[DhtNode], conspiracy: Conspiracy, target: bytes
) -> None:
    """As many Sybils as anybody asks, each at the port whose node id lies nearest."""
    for _ in range(ROW_NODES):
        host = simulation.host()
        port = min(
            range(SYBIL_PORT, SYBIL_PORT + PORTS_TRIED),
            key=lambda port: distance(target, node_id(Address(host.address, port))),
        )
        conspire(simulation, Sybil(host, nodes[0].address, conspiracy, port))


HOSTILE_DHT = Scenario(
    "hostile-dht",
    "A third of a DHT is one attacker's; strangers flood it and ask in the name of others.",
    play,
    nodes=60,
    least=12,
)
