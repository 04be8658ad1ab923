"""Our UDX streams against npm ``udx-native``, each in a process of its own."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from protocol.udx.events import CloseReason
from vitra_node.net.udx.connection import UdxConnection
from vitra_node.net.udx.endpoint import UdxEndpoint
from vitra_node.net.udx.udp import DatagramSocket, SocketAddress, UdpSocket

from .js_peer import JsPeer

SECONDS = 30
HOST = "127.0.0.1"
OURS = 0x0A0B0C0D
THEIRS = 0xF0E0D0C0


class LossyProxy:
    """Two ports that stand for the other side; drops, repeats and holds back by a seed.

    Attributes:
      ours, theirs: the address that we, and that JavaScript, send to.
      dropped: datagrams that did not get through.
    """

    def __init__(self, loss: float, seed: int = 1) -> None:
        self._sockets = [UdpSocket(HOST), UdpSocket(HOST)]
        self.ours, self.theirs = (socket.address for socket in self._sockets)
        self.dropped = 0
        self._ends: list[SocketAddress] = []
        self._loss = loss
        self._random = random.Random(seed)

    def connect(self, ours: SocketAddress, theirs: SocketAddress) -> None:
        self._ends = [ours, theirs]

    async def run(self, side: int) -> None:
        """Carry what arrives for ``side``'s peer."""
        held: list[bytes] = []
        while True:
            try:
                batch = await self._sockets[side].receive()
            except trio.ClosedResourceError:
                return
            for data, _ in batch:
                draw = self._random.random()
                if draw < self._loss:
                    self.dropped += 1
                    continue
                # Some overtake the ones before them, some come twice.
                if draw > 0.97 and not held:
                    held.append(data)
                    continue
                copies = [data, data] if draw > 0.95 else [data]
                copies += held
                held.clear()
                to = self._ends[1 - side]
                self._sockets[1 - side].send([(copy, to) for copy in copies])

    def close(self) -> None:
        for socket in self._sockets:
            socket.close()


class Pair:
    """Our connection, and the handle of the stream in JavaScript."""

    def __init__(self, peer: JsPeer, ours: UdxConnection, handle: int) -> None:
        self.peer = peer
        self.ours = ours
        self.handle = handle

    async def call(self, method: str, **args: Any) -> Any:
        return await self.peer.call(method, stream=self.handle, **args)

    async def event(self, name: str) -> Any:
        return await self.peer.event(name, stream=self.handle)

    async def receive(self, size: int) -> bytes:
        received = b""
        while len(received) < size:
            piece = await self.ours.receive_some()
            assert piece
            received += piece
        return received


@asynccontextmanager
async def connected(
    *, quiet: bool = False, loss: float | None = None, js_connects: bool = True
) -> AsyncIterator[Pair]:
    async with (
        JsPeer("udx_peer.mjs") as peer,
        UdxEndpoint() as endpoint,
        trio.open_nursery() as nursery,
    ):
        socket = endpoint.bind(HOST)
        opened = await peer.call("open", id=THEIRS, quiet=quiet)
        their_address = (HOST, opened["port"])
        our_address = socket.address
        proxy = LossyProxy(loss or 0.0)
        if loss is not None:
            proxy.connect(our_address, their_address)
            their_address, our_address = proxy.ours, proxy.theirs
            nursery.start_soon(proxy.run, 0)
            nursery.start_soon(proxy.run, 1)
        stream = endpoint.open_stream(OURS)
        pair = Pair(peer, stream, opened["stream"])
        stream.connect(socket, THEIRS, their_address)
        if js_connects:
            await pair.call("connect", id=OURS, port=our_address[1], host=HOST)
        try:
            with trio.fail_after(SECONDS):
                yield pair
        finally:
            proxy.close()
            nursery.cancel_scope.cancel()


async def test_bytes_messages_and_the_end_both_ways() -> None:
    async with connected() as pair:
        await pair.ours.send_all(b"hello")
        assert (await pair.event("data"))["data"] == b"hello".hex()
        await pair.call("write", data=b"world".hex())
        assert await pair.receive(5) == b"world"
        pair.ours.send_message(b"beside")
        assert (await pair.event("message"))["data"] == b"beside".hex()
        await pair.call("message", data=b"aside".hex())
        assert await pair.ours.receive_message() == b"aside"
        await pair.ours.send_eof()
        await pair.event("end")
        await pair.call("write", data=b"still".hex())
        assert await pair.receive(5) == b"still"
        await pair.call("end")
        assert await pair.ours.receive_some() == b""
        assert await pair.ours.wait_closed() is CloseReason.FINISHED
        await pair.event("close")
        assert pair.peer.events == []


async def test_javascript_ends_first() -> None:
    async with connected() as pair:
        await pair.call("write", data=b"all".hex())
        await pair.call("end")
        assert await pair.receive(3) == b"all"
        assert await pair.ours.receive_some() == b""
        await pair.ours.send_all(b"last words")
        await pair.ours.aclose()
        assert (await pair.event("data"))["data"] == b"last words".hex()
        await pair.event("close")
        assert await pair.ours.wait_closed() is CloseReason.FINISHED


async def test_what_javascript_gets_before_it_connects() -> None:
    async with connected(js_connects=False) as pair:
        await pair.ours.send_all(b"early")
        assert (await pair.event("data"))["data"] == b"early".hex()
        assert pair.ours.socket is not None
        await pair.call("connect", id=OURS, port=pair.ours.socket.address[1], host=HOST)
        await pair.ours.send_eof()
        await pair.event("end")


async def test_what_we_get_before_we_connect() -> None:
    async with JsPeer("udx_peer.mjs") as peer, UdxEndpoint() as endpoint:
        socket = endpoint.bind(HOST)
        stream: UdxConnection

        def accepts(address: SocketAddress, through: DatagramSocket) -> bool:
            if not stream.connected:
                stream.connect(through, THEIRS, address)
            return True

        stream = endpoint.open_stream(OURS, accepts=accepts)
        opened = await peer.call("open", id=THEIRS)
        handle = opened["stream"]
        await peer.call("connect", stream=handle, id=OURS, port=socket.address[1], host=HOST)
        await peer.call("write", stream=handle, data=b"hello".hex())
        with trio.fail_after(SECONDS):
            assert await stream.receive_some() == b"hello"
            await stream.send_all(b"seen you")
        assert (await peer.event("data"))["data"] == b"seen you".hex()
        # JavaScript waits for nothing more: no packet had to be repeated.
        assert (await peer.call("figures", stream=handle))["retransmits"] == 0


async def test_javascript_destroys() -> None:
    async with connected() as pair:
        await pair.call("write", data=b"x".hex())
        assert await pair.receive(1) == b"x"
        await pair.call("destroy")
        with pytest.raises(trio.BrokenResourceError):
            await pair.ours.receive_some()
        assert pair.ours.close_reason is CloseReason.RESET
        with pytest.raises(trio.BrokenResourceError):
            await pair.ours.send_all(b"more")


async def test_we_destroy() -> None:
    async with connected() as pair:
        await pair.ours.send_all(b"x")
        await pair.event("data")
        await trio.aclose_forcefully(pair.ours)
        assert (await pair.event("error"))["code"] == "ECONNRESET"


@pytest.mark.parametrize("loss", [None, 0.05])
async def test_bulk_to_javascript(loss: float | None) -> None:
    data = random.Random(1).randbytes(20_000_000 if loss is None else 3_000_000)
    async with connected(quiet=True, loss=loss) as pair:
        await pair.ours.send_all(data)
        await pair.ours.send_eof()
        await pair.event("end")
        received = await pair.call("received")
        assert received["count"] == len(data)
        assert received["digest"] == hashlib.sha256(data).hexdigest()
        if loss is not None:
            assert pair.ours.protocol.lost_packets > 0


@pytest.mark.parametrize("loss", [None, 0.05])
async def test_bulk_from_javascript(loss: float | None) -> None:
    count, size = (320 if loss is None else 48), 1 << 16
    expected = hashlib.sha256(b"".join(bytes([i % 256]) * size for i in range(count)))
    async with connected(quiet=True, loss=loss) as pair:
        await pair.call("fill", count=count, size=size)
        await pair.call("end")
        digest = hashlib.sha256()
        while piece := await pair.ours.receive_some():
            digest.update(piece)
        assert digest.digest() == expected.digest()


async def test_a_reader_that_stops_stops_javascript() -> None:
    """JavaScript keeps what we did not read, and goes on when we do."""
    count, size = 160, 1 << 16
    async with connected(quiet=True) as pair:
        await pair.call("fill", count=count, size=size)
        await pair.call("end")
        window = pair.ours.protocol
        with trio.fail_after(SECONDS):
            while window.unread_bytes < 4_000_000:
                await pair.call("received")
        assert window.unread_bytes <= (4 << 20) + 2048
        total = 0
        while piece := await pair.ours.receive_some():
            total += len(piece)
        assert total == count * size


async def test_keep_alive_of_javascript() -> None:
    async with connected() as pair:
        await pair.call("write", data=b"x".hex())
        assert await pair.receive(1) == b"x"
        before = (await pair.call("figures"))["received"]
        await pair.call("keepAlive", ms=20)
        with trio.fail_after(SECONDS):
            while (await pair.call("figures"))["received"] < before + 3:
                pass
