"""Networks of our own DHT nodes on this machine's loopback, for tests with real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from vitra_node import DHT

HOST = "127.0.0.1"


@asynccontextmanager
async def serving_nodes(size: int) -> AsyncIterator[list[DHT]]:
    """So many nodes that serve others; bootstrap from the first."""
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(DHT.open([], HOST))]
        bootstrap = [nodes[0].local_address]
        for _ in range(size - 1):
            opening = DHT.open(bootstrap, HOST, ephemeral=False, firewalled=False)
            dht = await stack.enter_async_context(opening)
            await dht.wait_bootstrapped()
            nodes.append(dht)
        assert all(node.id is not None for node in nodes)
        yield nodes


@asynccontextmanager
async def smallest_network() -> AsyncIterator[list[tuple[str, int]]]:
    """A single node that serves; gives what to bootstrap from."""
    async with serving_nodes(1) as (node,):
        yield [node.local_address]
