"""How fast bytes go over UDX and the secret stream, and how soon a peer is found and reached.

Rows whose name ends in "-to-js" and "-from-js" have us at one end and JavaScript at the other. A
peer is found in a network of ten nodes of the server's kind, in the server's process.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import trio

from protocol.noise.secret_stream import STREAM_HEADER_BYTES, SecretStream
from vitra_node import DHT
from vitra_node.net.dht.connection import DhtConnection
from vitra_node.net.dht.server import DhtServer
from vitra_node.net.udx.endpoint import UdxEndpoint
from vitra_node.net.udx.udp import DatagramSocket, SocketAddress

from ..udx_network import Network
from ..udx_network import Path as Way
from .processes import Side, run_step, serving
from .stopwatch import Stopwatch
from .subject import Row, Subject

HOST = "127.0.0.1"
IDS = (1001, 1002)
CHUNK_BYTES = 64 * 1024
NETWORK_NODES = 10
TOPIC = bytes(range(32))
# Fewer than a server takes from one address at once (``HANDSHAKES_PER_ADDRESS``).
CONNECTS = 12


# UDX alone ----------------------------------------------------------------------------------------


async def serve_udx(watch: Stopwatch) -> None:
    """Say the port; read a stream to its end, then end it too."""
    async with UdxEndpoint() as endpoint, trio.open_nursery() as nursery:
        socket = endpoint.bind(HOST)

        def accepts(address: SocketAddress, at: DatagramSocket) -> bool:
            if not stream.connected:
                stream.connect(at, IDS[0], address)
            return True

        stream = endpoint.open_stream(IDS[1], accepts=accepts)

        async def read() -> None:
            while await stream.receive_some():
                pass
            await stream.send_eof()

        nursery.start_soon(read)
        print(json.dumps({"port": socket.address[1]}), flush=True)
        with watch.profiled("UDX, receiver"):
            await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


async def send_udx(watch: Stopwatch, row: str, megabytes: int, port: int) -> None:
    """Send, until the other side has read all."""
    async with UdxEndpoint() as endpoint:
        stream = endpoint.open_stream(IDS[0])
        stream.connect(endpoint.bind(HOST), IDS[1], (HOST, port))
        chunk = bytes(CHUNK_BYTES)
        count = megabytes * 1_000_000 // CHUNK_BYTES
        with watch.rate(row, count * CHUNK_BYTES / 1e6):
            for _ in range(count):
                await stream.send_all(chunk)
            await stream.send_eof()
            assert not await stream.receive_some()
        await stream.aclose()


# the DHT and what runs on it ----------------------------------------------------------------------


def _secret(connection: DhtConnection) -> SecretStream:
    return SecretStream.from_handshake(
        connection.initiator,
        connection.handshake,
        stream_header=os.urandom(STREAM_HEADER_BYTES),
    )


async def _read_all(connection: DhtConnection) -> None:
    """Decrypt to the end of the stream, then end it too."""
    stream, secret = connection.stream, _secret(connection)
    # Those that only measure connecting break off.
    with suppress(trio.BrokenResourceError):
        await stream.send_all(secret.data_to_send(trio.current_time()))
        while data := await stream.receive_some():
            secret.receive_data_untrusted(data)
            while secret.next_event() is not None:
                pass
        await stream.send_eof()


async def serve_dht(watch: Stopwatch) -> None:
    """A network, a server in it and a topic; says where and what."""
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        first = await stack.enter_async_context(DHT.open([], HOST))
        bootstrap = [first.local_address]
        nodes = [first]
        while len(nodes) <= NETWORK_NODES:
            serves = len(nodes) < NETWORK_NODES
            dht = await stack.enter_async_context(
                DHT.open(bootstrap, HOST, ephemeral=not serves, firewalled=False)
            )
            await dht.wait_bootstrapped()
            nodes.append(dht)
        server = await stack.enter_async_context(nodes[-1].listen())
        await server.wait_announced()
        await nodes[-1].announce(TOPIC)

        async def accept(server: DhtServer) -> None:
            async for connection in server:
                nursery.start_soon(_read_all, connection)

        nursery.start_soon(accept, server)
        ready = {"port": bootstrap[0][1], "key": server.public_key.hex()}
        print(json.dumps(ready), flush=True)
        with watch.profiled("DHT, server"):
            await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


async def use_dht(
    watch: Stopwatch, row: str, megabytes: int, count: int, port: int, key: str
) -> None:
    """Look up, connect, and send."""
    async with DHT.open([(HOST, port)], HOST, firewalled=False) as dht:
        await dht.wait_bootstrapped()
        if count:
            with watch.rate("dht-lookup", count):
                for _ in range(count):
                    lookup = dht.lookup(TOPIC)
                    assert len([reply async for reply in lookup]) >= NETWORK_NODES - 1
            with watch.rate("dht-connect", CONNECTS):
                for _ in range(CONNECTS):
                    connection = await dht.connect(bytes.fromhex(key))
                    connection.stream.destroy()
        connection = await dht.connect(bytes.fromhex(key))
        stream, secret = connection.stream, _secret(connection)
        chunk = bytes(CHUNK_BYTES)
        chunks = megabytes * 1_000_000 // CHUNK_BYTES
        with watch.rate(row, chunks * CHUNK_BYTES / 1e6):
            for _ in range(chunks):
                secret.send(chunk)
                await stream.send_all(secret.data_to_send(trio.current_time()))
            await stream.send_eof()
            while await stream.receive_some():
                pass
        await stream.aclose()


# rows ---------------------------------------------------------------------------------------------


def _measure_udx(side: Side, _: Path, quick: bool, profile: bool) -> Mapping[str, float]:
    megabytes = 2 if quick else 200
    ways = {"udx": (side, side)}
    if side is Side.OURS and not profile:
        ways["udx-to-js"] = (Side.OURS, Side.THEIRS)
        ways["udx-from-js"] = (Side.THEIRS, Side.OURS)
    values: dict[str, float] = {}
    for row, (sender, receiver) in ways.items():
        with serving(receiver, "udx-receiver", profile) as ready:
            values |= run_step(
                sender, "udx-sender", profile, row=row, megabytes=megabytes, port=ready["port"]
            )
    return values


def _measure_dht(side: Side, _: Path, quick: bool, profile: bool) -> Mapping[str, float]:
    megabytes, count = (2, 3) if quick else (100, 100)
    ways = {"secret-stream": (side, side)}
    if side is Side.OURS and not profile:
        ways["secret-stream-to-js"] = (Side.OURS, Side.THEIRS)
        ways["secret-stream-from-js"] = (Side.THEIRS, Side.OURS)
    values: dict[str, float] = {}
    for row, (client, server) in ways.items():
        with serving(server, "dht-server", profile) as ready:
            values |= run_step(
                client,
                "dht-client",
                profile,
                row=row,
                megabytes=megabytes,
                count=count if client is server else 0,
                port=ready["port"],
                key=ready["key"],
            )
    return values


def _measure_lossy(_side: Side, _: Path, quick: bool, _profile: bool) -> Mapping[str, float]:
    """In a simulated network, so time is virtual and the same seed gives the same value."""
    data = random.Random(1).randbytes(1_000_000 if quick else 20_000_000)
    values: dict[str, float] = {}
    for percent in (0, 1, 5):
        way = Way(
            delay=0.1,
            jitter=0.02,
            loss=percent / 100,
            duplication=0.02,
            bytes_per_second=12.5e6,
        )
        network = Network(7, way)
        sender, receiver = network.ends
        sender.stream.write(data)
        started = network.now
        network.run(lambda: len(receiver.received) == len(data))  # noqa: B023
        assert receiver.received == data
        values[f"udx-lossy-{percent}"] = len(data) / (network.now - started) / 1e6
    return values


_PLAIN = "JS, quiet machine: 160 MB/s"
_SECRET = "JS, quiet machine: 83 MB/s"

UDX = Subject(
    "udx",
    (
        Row("udx", "UDX stream on loopback", "MB/s", bar=40, reference=_PLAIN),
        Row("udx-to-js", "UDX stream, from us to JavaScript", "MB/s", bar=40, reference=_PLAIN),
        Row("udx-from-js", "UDX stream, from JavaScript to us", "MB/s", bar=40, reference=_PLAIN),
    ),
    _measure_udx,
)
PEERS = Subject(
    "dht",
    (
        Row("secret-stream", "secret stream over UDX", "MB/s", bar=40, reference=_SECRET),
        Row("secret-stream-to-js", "secret stream, from us to JavaScript", "MB/s"),
        Row("secret-stream-from-js", "secret stream, from JavaScript to us", "MB/s"),
        Row("dht-lookup", "DHT lookups one after the other, 10 nodes", "1/s"),
        Row("dht-connect", "DHT connects one after the other, 10 nodes", "1/s"),
    ),
    _measure_dht,
)
LOSSY = Subject(
    "udx-lossy",
    tuple(
        Row(
            f"udx-lossy-{percent}",
            f"UDX over simulated 100 Mbit/s, 100 ms each way, {percent} % loss",
            "MB/s",
        )
        for percent in (0, 1, 5)
    ),
    _measure_lossy,
    has_theirs=False,
)
