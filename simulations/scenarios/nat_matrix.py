"""``nat-matrix``: who connects with whom, behind which translator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from protocol.crypto.keys import SEED_BYTES, KeyPair
from vitra_node.net.dht.dht import DHT
from vitra_node.net.errors import ConnectionFailed
from vitra_node.net.udx.udp import SocketAddress

from ..actors.dht_network import open_dht
from ..host import Host
from ..network.nat import NatKind
from ..scenario import Scenario
from ..simulation import Simulation

TRIES = 3
# Nodes look at their own address before they are asked to connect.
SETTLE_SECONDS = 60.0
PATIENCE_SECONDS = 60.0
# A host that has just sent a punch to random ports does not do it again at once.
PAUSE_SECONDS = 60.0
HELLO = b"hello through whatever lies between"

Both = tuple[NatKind, NatKind]
HOPELESS: Both = (NatKind.RANDOMISING, NatKind.RANDOMISING)


class Pair:
    """A listening host, one that connects, and how often that went well."""

    def __init__(self, simulation: Simulation, kinds: Both, bootstrap: tuple[SocketAddress, ...]):
        self.kinds = kinds
        self.server, self.client = (simulation.host(nat=simulation.nat(kind)) for kind in kinds)
        self.connected = 0
        self.seconds: list[float] = []
        self.reasons: list[str] = []
        self.done = trio.Event()
        self._bootstrap = bootstrap
        self._announced = trio.Event()
        self._key_pair = KeyPair.from_seed(self.server.world.random_bytes(SEED_BYTES))

    async def serve(self, host: Host) -> None:
        """The listening side: answers with what it was told."""
        async with (
            DHT.open(self._bootstrap, host.address, world=host.world) as dht,
            dht.listen(self._key_pair) as server,
        ):
            await trio.sleep(SETTLE_SECONDS)
            await server.wait_announced()
            self._announced.set()
            async for connection in server:
                async with connection.stream as stream:
                    await stream.send_all(await stream.receive_some())

    async def call(self, host: Host) -> None:
        """The connecting side: a fresh node for every try."""
        await self._announced.wait()
        for number in range(TRIES):
            began = trio.current_time()
            with trio.move_on_after(PATIENCE_SECONDS) as patience:
                try:
                    await self._try(host)
                except ConnectionFailed as error:
                    self.reasons.append(str(error))
                except trio.BrokenResourceError as error:
                    self.reasons.append(f"the stream broke: {error}")
                else:
                    self.connected += 1
                    self.seconds.append(trio.current_time() - began)
            if patience.cancelled_caught:
                self.reasons.append(f"nothing happened for {PATIENCE_SECONDS:.0f} s")
            await trio.sleep(PAUSE_SECONDS)
            host.note("try", number=number, connected=self.connected, reasons=self.reasons)
        self.done.set()

    async def _try(self, host: Host) -> None:
        async with DHT.open(self._bootstrap, host.address, world=host.world) as dht:
            await dht.wait_bootstrapped()
            connection = await dht.connect(self._key_pair.public_key)
            async with connection.stream as stream:
                await stream.send_all(HELLO)
                if await stream.receive_some() != HELLO:
                    raise ConnectionFailed("the answer is not what was sent")


async def play(simulation: Simulation) -> None:
    """The story."""
    simulation.table("server", "client", "tries", "connected", "seconds", "reason")
    bootstrap = await open_dht(simulation, simulation.nodes)
    for server in NatKind:
        for client in NatKind:
            pair = Pair(simulation, (server, client), bootstrap)
            lives: list[tuple[Host, Callable[[Host], Awaitable[None]]]] = [
                (pair.server, pair.serve),
                (pair.client, pair.call),
            ]
            for host, life in lives:
                simulation.nursery.start_soon(host.run, life)
            await pair.done.wait()
            pair.server.stop()
            judge(simulation, pair)


def judge(simulation: Simulation, pair: Pair) -> None:
    """Only two that randomise are hopeless, and then the client is told."""
    names = f"{pair.kinds[1].value} to {pair.kinds[0].value}"
    if pair.kinds == HOPELESS:
        simulation.check(pair.connected == 0, f"{names} is not thought to work")
        simulation.check(
            all("random port" in reason for reason in pair.reasons),
            f"{names}: the error says why",
        )
    elif NatKind.RANDOMISING in pair.kinds and NatKind.CONSISTENT in pair.kinds:
        # Ports are guessed: 256 of ours against random ones of theirs.
        simulation.check(pair.connected > 0, f"{names} connects")
    else:
        simulation.check(pair.connected == TRIES, f"{names} connects each time")
    mean = round(sum(pair.seconds) / len(pair.seconds), 2) if pair.seconds else ""
    reason = pair.reasons[0] if pair.reasons else ""
    server, client = (kind.value for kind in pair.kinds)
    simulation.row(server, client, TRIES, pair.connected, mean, reason)


NAT_MATRIX = Scenario(
    "nat-matrix",
    "Every kind of address translation connects with every other, or the error says why not.",
    play,
    nodes=12,
    least=4,
)
