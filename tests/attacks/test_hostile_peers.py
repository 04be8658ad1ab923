"""A log is downloaded from three honest peers and two hostile ones: completely, and nothing false.

The hostile ones come back after every fault, until they are banned.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio

from protocol.crypto.keys import KeyPair
from protocol.errors import DecodeError, ProofError, ReplicationError
from simulations.actors.hostile_log import (
    Attack,
    FalseBlocks,
    FalseNodes,
    ForgedHead,
    OversizeBitfield,
    OversizeBlock,
    RequestFlood,
    SenselessRequests,
    Unrequested,
    serve_hostile,
)
from vitra_node.config import Address
from vitra_node.net.connections import Connections
from vitra_node.net.errors import ConnectionFailed, PeerFault
from vitra_node.net.tcp import connect_tcp, serve_tcp
from vitra_node.storage.corestore import Corestore
from vitra_node.world import REAL_WORLD

from ..replication_nodes import WRITER, MemoryCore

HONEST_PEERS = 3
LOCAL = Address("127.0.0.1", 0)
TIMEOUT_SECONDS = 60
RUDE: list[Attack] = [
    Unrequested,
    OversizeBlock,
    RequestFlood,
    OversizeBitfield,
    SenselessRequests,
]


def connections_of(store: Corestore, seed: int) -> Connections:
    return Connections(store.cores, KeyPair.from_seed(bytes([seed]) * 32), store.wait_for_room)


async def stay(address: Address, connections: Connections, ended: trio.Event) -> None:
    """Connect again and again until the address is banned; ``ended`` is set after the first."""
    while not connections.bans.is_banned(str(address), trio.current_time()):
        await connect_tcp(address, connections)
        ended.set()


def faults_of(connections: Connections, address: Address) -> list[Exception]:
    errors = [f.error for f in connections.failures if f.address == str(address)]
    return [error.error for error in errors if isinstance(error, PeerFault)]


@pytest.mark.parametrize(
    ("count", "lies", "hostile_first"),
    [
        (20_000, [FalseBlocks, ForgedHead], True),
        (4_000, [FalseNodes, ForgedHead], True),
        (4_000, [ForgedHead], False),
    ],
    ids=["false-blocks", "false-nodes", "forged-heads"],
)
async def test_hostile_peers_are_banned_and_the_download_completes(
    count: int, lies: list[Attack], hostile_first: bool
) -> None:
    blocks = [b"block %d" % index for index in range(count)]
    true_log = MemoryCore.writable(blocks)
    with trio.fail_after(TIMEOUT_SECONDS):
        async with AsyncExitStack() as stack:
            honest = [
                await stack.enter_async_context(Corestore.open(None)) for _ in range(HONEST_PEERS)
            ]
            store = await stack.enter_async_context(Corestore.open(None))
            nursery = await stack.enter_async_context(trio.open_nursery())
            honest_at: list[Address] = []
            for number, peer in enumerate(honest):
                log = await peer.get(key_pair=WRITER)
                await log.append(blocks)
                serving = connections_of(peer, number)
                honest_at += await nursery.start(serve_tcp, LOCAL, serving)
            here = (REAL_WORLD, "127.0.0.1")
            liar = await nursery.start(serve_hostile, true_log, lies, *here)
            rude = await nursery.start(serve_hostile, true_log, RUDE, *here)

            connections = connections_of(store, 9)
            core = await store.get(key=true_log.key)
            async with trio.open_nursery() as hostile:
                with core.tail():
                    lied = trio.Event()
                    hostile.start_soon(stay, liar, connections, lied)
                    hostile.start_soon(stay, rude, connections, trio.Event())
                    if hostile_first:
                        await lied.wait()
                    for address in honest_at:
                        nursery.start_soon(connect_tcp, address, connections)
                    await core.wait_for_length(count)
                    await core.download()
                # Left when both are banned, whether the download was faster or not.

            assert core.head == true_log.head
            assert [core.local_block(index) for index in range(count)] == blocks
            now = trio.current_time()
            assert all(connections.bans.is_banned(str(each), now) for each in (liar, rude))
            assert [connections.bans.weight(str(each), now) for each in honest_at] == [0.0] * 3
            assert len(faults_of(connections, liar)) == 2
            assert all(isinstance(error, ProofError) for error in faults_of(connections, liar))
            assert len(faults_of(connections, rude)) == 10
            kinds = {type(error) for error in faults_of(connections, rude)}
            assert kinds == {ReplicationError, DecodeError}
            assert connections.fault_count == 12
            assert {c.address for c in connections.live} == {str(each) for each in honest_at}
            refused = await connect_tcp(liar, connections)
            assert isinstance(refused, ConnectionFailed)
            assert connections.refused_count == 1
            nursery.cancel_scope.cancel()
