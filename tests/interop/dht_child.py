"""Our DHT nodes in a process of their own, driven as peers/dht_peer.mjs is (``JsPeer`` can do it).

python -m tests.interop.dht_child
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import trio

from vitra_node import DHT
from vitra_node.net.errors import ConnectionFailed

from ..secret_talk import Talk


class Child:
    """The methods; each takes the arguments of a call and gives its result."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nodes: list[DHT] = []
        self._nursery = nursery

    async def _keep(self, manager: AbstractAsyncContextManager[Any]) -> Any:
        """Enter it in a task of its own, for as long as the process lives."""

        async def keep(*, task_status: trio.TaskStatus[Any]) -> None:
            async with manager as value:
                task_status.started(value)
                await trio.sleep_forever()

        return await self._nursery.start(keep)

    async def network(self, hosts: list[str]) -> Any:
        """Nodes that serve others, one on each host; gives the address of the first."""
        for host in hosts:
            bootstrap = [self.nodes[0].local_address] if self.nodes else []
            dht = await self._keep(DHT.open(bootstrap, host, ephemeral=False, firewalled=False))
            await dht.wait_bootstrapped()
            self.nodes.append(dht)
        return {"bootstrap": self.nodes[0].local_address}

    async def open(self, bootstrap: list[list[Any]], **options: Any) -> Any:
        """A node that only asks."""
        nodes = [(host, port) for host, port in bootstrap]
        dht = await self._keep(DHT.open(nodes, **options))
        await dht.wait_bootstrapped()
        self.nodes.append(dht)
        return {"node": len(self.nodes) - 1, "key": dht.key_pair.public_key.hex()}

    async def state(self, node: int) -> Any:
        dht = self.nodes[node]
        return {
            "firewalled": dht.firewalled,
            "nat": dht.nat.name,
            "nodes": len(dht.nodes),
            "address": dht.address,
            "local": dht.local_address,
        }

    async def listen(self, node: int, relayThrough: str = "", **_: Any) -> Any:  # noqa: N803
        """A server that says everything back."""
        relay = bytes.fromhex(relayThrough) or None
        server = await self._keep(self.nodes[node].listen(relay_through=relay))
        self._nursery.start_soon(self._echo, server)
        await server.wait_announced()
        return {"key": server.public_key.hex()}

    async def _echo(self, server: Any) -> None:
        async with trio.open_nursery() as nursery:

            async def answer(talk: Talk) -> None:
                try:
                    async with talk:
                        while (message := await talk.receive()) is not None:
                            await talk.send(message)
                except trio.BrokenResourceError:
                    pass

            async for connection in server:
                nursery.start_soon(answer, Talk(connection))

    async def ask(
        self, node: int, key: str, message: str, relay: str = "", patience: float = 0
    ) -> Any:
        """Connect, say something, and give what comes back, and where from."""
        began = trio.current_time()
        try:
            connection = await self.nodes[node].connect(
                bytes.fromhex(key), relay_through=bytes.fromhex(relay) or None
            )
        except ConnectionFailed as error:
            return {"failed": str(error)}
        took = trio.current_time() - began
        async with Talk(connection) as talk:
            await talk.send(bytes.fromhex(message))
            said = await talk.receive()
            result = {
                "said": None if said is None else said.hex(),
                "host": connection.address[0],
                "seconds": took,
            }
            if patience:
                # For a better way than the one through a relay.
                with trio.move_on_after(patience):
                    await connection.stream.wait_moved()
                await talk.send(bytes.fromhex(message))
                assert await talk.receive() == said
                result["then"] = connection.stream.remote_address[0]
            return result


async def main() -> None:
    async with trio.open_nursery() as nursery:
        child = Child(nursery)

        async def answer(call: dict[str, Any]) -> None:
            method: Callable[..., Awaitable[Any]] = getattr(child, call["method"])
            say({"id": call["id"], "result": await method(**call["args"])})

        say({"event": "ready", "data": {}})
        async for line in lines(trio.lowlevel.FdStream(0)):
            nursery.start_soon(answer, json.loads(line))
        nursery.cancel_scope.cancel()


def say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def lines(stream: trio.lowlevel.FdStream) -> Any:
    unread = b""
    async for chunk in stream:
        *complete, unread = (unread + bytes(chunk)).split(b"\n")
        for line in complete:
            yield line


if __name__ == "__main__":
    trio.run(main)
