"""UDX streams on real sockets of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from protocol.errors import LocalProtocolError
from protocol.udx.events import CloseReason
from protocol.udx.stream import LINGER_SECONDS
from vitra_node.net.errors import ConnectionFailed
from vitra_node.net.udx.connection import SEND_BUFFER_BYTES, UdxConnection
from vitra_node.net.udx.endpoint import UdxEndpoint
from vitra_node.net.udx.udp import DatagramSocket, SocketAddress, UdpSocket

HOST = "127.0.0.1"
SECONDS = 10


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[UdxConnection, UdxConnection]]:
    """Two connected streams of two endpoints."""
    async with UdxEndpoint() as one, UdxEndpoint() as two:
        sockets = one.bind(HOST), two.bind(HOST)
        a, b = one.open_stream(), two.open_stream()
        a.connect(sockets[0], b.stream_id, sockets[1].address)
        b.connect(sockets[1], a.stream_id, sockets[0].address)
        with trio.fail_after(SECONDS):
            yield a, b


async def test_trio_knows_it_as_a_stream() -> None:
    async def connected() -> tuple[UdxConnection, UdxConnection]:
        a, b = endpoint.open_stream(), endpoint.open_stream()
        a.connect(sockets[0], b.stream_id, sockets[1].address)
        b.connect(sockets[1], a.stream_id, sockets[0].address)
        return a, b

    async with UdxEndpoint() as endpoint:
        sockets = endpoint.bind(HOST), endpoint.bind(HOST)
        with trio.fail_after(SECONDS):
            await trio.testing.check_half_closeable_stream(connected, None)


async def receive(stream: UdxConnection, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        received += await stream.receive_some(100_000)
    return bytes(received)


async def test_both_ways_at_once() -> None:
    data = bytes(range(256)) * 8000
    async with pair() as (a, b):
        results: dict[str, bytes] = {}

        async def take(name: str, stream: UdxConnection) -> None:
            results[name] = await receive(stream, len(data))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.send_all, data)
            nursery.start_soon(b.send_all, data)
            nursery.start_soon(take, "a", a)
            nursery.start_soon(take, "b", b)
        assert results == {"a": data, "b": data}


async def test_a_writer_waits_for_the_reader() -> None:
    async with pair() as (a, b):
        size = 8 << 20
        async with trio.open_nursery() as nursery:
            finished = trio.Event()

            async def write() -> None:
                await a.send_all(bytes(size))
                finished.set()

            nursery.start_soon(write)
            while b.protocol.unread_bytes < (4 << 20) - 4096:
                await trio.lowlevel.checkpoint()
            assert not finished.is_set()
            assert a.protocol.unsent_bytes > SEND_BUFFER_BYTES
            await receive(b, size)
            await finished.wait()


async def test_closing_delivers_what_was_written() -> None:
    async with UdxEndpoint() as two:
        socket = two.bind(HOST)
        b = two.open_stream()
        async with UdxEndpoint() as one:
            own = one.bind(HOST)
            a = one.open_stream()
            a.connect(own, b.stream_id, socket.address)
            b.connect(socket, a.stream_id, own.address)
            await a.send_all(bytes(200_000))
            await a.aclose()
        assert len(await receive(b, 200_000)) == 200_000
        assert await b.receive_some() == b""


async def test_leaving_destroys_what_lives() -> None:
    async with UdxEndpoint() as two:
        socket = two.bind(HOST)
        b = two.open_stream()
        async with UdxEndpoint() as one:
            own = one.bind(HOST)
            a = one.open_stream()
            a.connect(own, b.stream_id, socket.address)
            b.connect(socket, a.stream_id, own.address)
            await a.send_all(b"x")
            assert await b.receive_some() == b"x"
        with trio.fail_after(SECONDS), pytest.raises(trio.BrokenResourceError):
            await b.receive_some()
        assert b.close_reason is CloseReason.RESET
        with pytest.raises(trio.BrokenResourceError):
            await b.send_all(b"x")


async def test_a_failure_inside_leaves_as_it_is() -> None:
    async def fail() -> None:
        async with UdxEndpoint() as endpoint:
            endpoint.bind(HOST)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()


async def test_other_datagrams_go_to_the_handler() -> None:
    heard: list[bytes] = []
    arrived = trio.Event()

    def handler(data: bytes, address: SocketAddress, socket: DatagramSocket) -> None:
        assert address == other.address
        assert socket is bound
        heard.append(data)
        if data == b"last":
            arrived.set()

    async with UdxEndpoint() as endpoint, UdxEndpoint() as stranger:
        bound = endpoint.bind(HOST, on_datagram=handler)
        other = stranger.bind(HOST)
        udx_for_nobody = b"\xff\x01" + bytes(18)
        for data in (b"\x00", b"\x03" + bytes(40), udx_for_nobody, b"\xff\x01", b"last"):
            other.send([(data, bound.address)])
        with trio.fail_after(SECONDS):
            await arrived.wait()
    assert heard == [b"\x00", b"\x03" + bytes(40), b"\xff\x01", b"last"]


async def test_packets_are_refused_and_a_stream_connects_with_the_first_it_accepts() -> None:
    async with UdxEndpoint() as one, UdxEndpoint() as two:
        sockets = one.bind(HOST), two.bind(HOST)
        a = one.open_stream()
        asked: list[SocketAddress] = []

        def accepts(address: SocketAddress, socket: DatagramSocket) -> bool:
            asked.append(address)
            if len(asked) > 1 and not b.connected:
                b.connect(socket, a.stream_id, address)
            return len(asked) > 1

        b = two.open_stream(accepts=accepts)
        a.connect(sockets[0], b.stream_id, sockets[1].address)
        with trio.fail_after(SECONDS):
            await a.send_all(b"one")
            await a.send_all(b"two")
            await b.send_all(b"answer") if b.connected else None
            assert await receive(b, 6) == b"onetwo"
        assert asked[0] == sockets[0].address


async def test_many_equal_datagrams_leave_in_one_call() -> None:
    async with UdxEndpoint() as endpoint:
        received: list[bytes] = []
        done = trio.Event()

        def handler(data: bytes, address: SocketAddress, socket: DatagramSocket) -> None:
            received.append(data)
            if len(received) == len(sizes):
                done.set()

        target = endpoint.bind(HOST, on_datagram=handler)
        source = UdpSocket(HOST)
        sizes = [1200] * 60 + [700, 1300, 1300, 20, 20, 20, 1, 1200]
        datagrams = [bytes([3]) * size for size in sizes]
        source.send([(data, target.address) for data in datagrams])
        source.send([(bytes(70_000), target.address)])
        with trio.fail_after(SECONDS):
            await done.wait()
        source.close()
        source.close()
        source.send([(b"x", target.address)])
    assert received == datagrams


async def test_what_cannot_be_bound() -> None:
    first = UdpSocket(HOST)
    with pytest.raises(ConnectionFailed):
        UdpSocket(HOST, first.address[1])
    first.close()


async def test_a_socket_closed_while_read() -> None:
    socket = UdpSocket(HOST)

    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await socket.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        socket.close()


async def test_messages() -> None:
    async with pair() as (a, b):
        a.send_message(b"m")
        assert await b.receive_message() == b"m"
        with pytest.raises(LocalProtocolError):
            a.send_message(bytes(2000))
        await b.aclose()
        with pytest.raises(trio.EndOfChannel):
            await b.receive_message()


async def test_a_closed_stream_whose_peer_does_not_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """After a while the peer is told; nothing is kept for ever."""
    async with UdxEndpoint() as endpoint:
        socket = endpoint.bind(HOST)
        a = endpoint.open_stream()
        b = endpoint.open_stream()
        a.connect(socket, b.stream_id, socket.address)
        b.connect(socket, a.stream_id, socket.address)
        await a.aclose()
        assert await a.wait_closed() in (CloseReason.DESTROYED, CloseReason.TIMED_OUT)
        await b.wait_closed()
        await trio.sleep(LINGER_SECONDS + 1)
        assert endpoint.streams == {}
