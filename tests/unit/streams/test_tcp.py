"""Listening, connecting, and remembering what went wrong."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from protocol.crypto.keys import KeyPair
from vitra_node.config import Address
from vitra_node.errors import UsageProblem
from vitra_node.key_text import format_z32
from vitra_node.net import connections as connections_module
from vitra_node.net.addresses import PeerAddress, parse_peer_address
from vitra_node.net.connections import Connections
from vitra_node.net.errors import ConnectionFailed, PeerFault
from vitra_node.net.tcp import connect_tcp, serve_tcp
from vitra_node.storage.corestore import Corestore

ANY_PORT = Address("127.0.0.1", 0)
KEY = bytes(range(32))


def connections_of(store: Corestore, seed: int = 1) -> Connections:
    return Connections(store.cores, KeyPair.from_seed(bytes([seed]) * 32), store.wait_for_room)


async def test_two_nodes_meet_over_tcp() -> None:
    with trio.fail_after(20):
        async with (
            Corestore.open(None) as ours,
            Corestore.open(None) as theirs,
            trio.open_nursery() as nursery,
        ):
            core = await ours.get(name="log")
            await core.append([b"a", b"b"])
            serving, calling = connections_of(ours, 1), connections_of(theirs, 2)
            (address,) = await nursery.start(serve_tcp, ANY_PORT, serving)
            nursery.start_soon(connect_tcp, address, calling)
            copy = await theirs.get(key=core.key)
            assert await copy.get(1) == b"b"
            (near,), (far,) = serving.live, calling.live
            assert (near.initiator, far.initiator) == (False, True)
            assert far.address == str(address)
            assert near.session is not None
            assert far.session is not None
            assert near.session.remote_public_key == KeyPair.from_seed(b"\x02" * 32).public_key
            assert far.session.remote_public_key == KeyPair.from_seed(b"\x01" * 32).public_key
            assert near.session.bytes_written > 0
            far.close()
            while serving.live or calling.live:
                await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()


async def test_nobody_listens() -> None:
    async with Corestore.open(None) as store:
        connections = connections_of(store)
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        await listener.aclose()
        failure = await connect_tcp(Address("127.0.0.1", port), connections)
        assert isinstance(failure, ConnectionFailed)
        assert "cannot be reached" in str(failure)
        (recorded,) = connections.failures
        assert recorded.error is failure
        assert recorded.address == f"127.0.0.1:{port}"


async def test_a_name_that_does_not_resolve() -> None:
    async with Corestore.open(None) as store:
        failure = await connect_tcp(Address("no.such.host.invalid", 1), connections_of(store))
        assert "cannot be reached" in str(failure)


async def test_a_port_that_is_taken() -> None:
    async with Corestore.open(None) as store:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            taken = Address("127.0.0.1", listener.socket.getsockname()[1])
            with pytest.raises(ConnectionFailed, match="cannot be listened on"):
                await serve_tcp(taken, connections_of(store))


async def test_a_faulty_peer_is_recorded_and_the_node_goes_on() -> None:
    with trio.fail_after(20):
        async with Corestore.open(None) as store, trio.open_nursery() as nursery:
            connections = connections_of(store)
            (address,) = await nursery.start(serve_tcp, ANY_PORT, connections)
            for _ in range(3):
                stream = await trio.open_tcp_stream(address.host, address.port)
                await stream.send_all(b"\xff" * 100)
                assert await stream.receive_some() == b""
                await stream.aclose()
            while connections.live or len(connections.failures) < 3:
                await trio.testing.wait_all_tasks_blocked(0.01)
            errors = [failure.error for failure in connections.failures]
            assert [type(error) for error in errors] == [PeerFault] * 3
            # Frames would keep whole sessions in memory.
            assert not any(error.__traceback__ or error.__context__ for error in errors)
            assert not any(error.error.__traceback__ for error in errors)
            nursery.cancel_scope.cancel()


async def test_one_connection_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "MAX_CONNECTIONS", 2)
    with trio.fail_after(20):
        async with Corestore.open(None) as store, trio.open_nursery() as nursery:
            connections = connections_of(store)
            (address,) = await nursery.start(serve_tcp, ANY_PORT, connections)
            streams = [await trio.open_tcp_stream(address.host, address.port) for _ in range(2)]
            while len(connections.live) < 2:
                await trio.testing.wait_all_tasks_blocked(0.01)
            third = await trio.open_tcp_stream(address.host, address.port)
            assert await third.receive_some() == b""
            assert len(connections.live) == 2
            for stream in (*streams, third):
                await stream.aclose()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("key", [KEY.hex(), format_z32(KEY)])
def test_addresses_with_a_key(key: str) -> None:
    parsed = parse_peer_address(f" vitra://{key}@[::1]:7000/ ")
    assert parsed == PeerAddress(Address("::1", 7000), KEY)
    assert parse_peer_address(str(parsed)) == parsed


def test_addresses_without_a_key() -> None:
    parsed = parse_peer_address("example.org:7000")
    assert parsed == PeerAddress(Address("example.org", 7000), None)
    assert str(parsed) == "example.org:7000"


@pytest.mark.parametrize(
    "text",
    ["", "vitra://example.org:7000", f"vitra://{KEY.hex()}@", "vitra://zz@h:1", "host", "h:99999"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageProblem):
        parse_peer_address(text)
