"""Who breaks the protocol too often is refused, and forgiven in time."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
import trio
import trio.testing

from protocol.crypto.keys import KeyPair
from protocol.errors import ProofError, ReplicationError, StaleProofError
from protocol.limits import (
    BAN_AT_WEIGHT,
    BAN_HALF_LIFE_SECONDS,
    MAX_BAN_ENTRIES,
    MAX_BAN_WEIGHT,
    UNBAN_AT_WEIGHT,
)
from protocol.noise.secret_stream import SecretStream
from vitra_node.config import Address
from vitra_node.net.bans import Bans, origin
from vitra_node.net.connections import Connections
from vitra_node.net.errors import PeerFault
from vitra_node.net.tcp import connect_tcp
from vitra_node.storage.corestore import Corestore

from ...connection_pair import handshake_results

HOST = "192.0.2.7:7000"


def test_two_false_proofs_ban() -> None:
    bans = Bans()
    bans.charge(HOST, ProofError.ban_weight, 0.0)
    assert not bans.is_banned(HOST, 0.0)
    bans.charge(HOST, ProofError.ban_weight, 80.0)
    assert bans.is_banned(HOST, 80.0)
    assert bans.is_banned("192.0.2.7:9", 80.0)
    assert not bans.is_banned("192.0.2.8:7000", 80.0)


def test_ten_lesser_faults_ban() -> None:
    bans = Bans()
    for turn in range(9):
        bans.charge(HOST, ReplicationError.ban_weight, 5.0 * turn)
    assert not bans.is_banned(HOST, 45.0)
    bans.charge(HOST, ReplicationError.ban_weight, 45.0)
    assert bans.is_banned(HOST, 45.0)


def test_what_comes_late_counts_nothing() -> None:
    bans = Bans()
    bans.charge(HOST, StaleProofError.ban_weight, 0.0)
    assert bans.weight(HOST, 0.0) == 0.0


def test_a_ban_lasts_and_ends() -> None:
    bans = Bans()
    bans.charge(HOST, 2 * UNBAN_AT_WEIGHT, 0.0)
    assert bans.is_banned(HOST, BAN_HALF_LIFE_SECONDS * 0.99)
    assert not bans.is_banned(HOST, BAN_HALF_LIFE_SECONDS * 1.01)
    # What is left still counts.
    assert bans.weight(HOST, BAN_HALF_LIFE_SECONDS * 1.01) > 0.9 * UNBAN_AT_WEIGHT


def test_no_ban_lasts_long_after_the_last_fault() -> None:
    bans = Bans()
    for _ in range(1000):
        bans.charge(HOST, 100.0, 0.0)
    assert bans.weight(HOST, 0.0) == MAX_BAN_WEIGHT
    assert not bans.is_banned(HOST, 4.01 * BAN_HALF_LIFE_SECONDS)


def test_spread_out_faults_never_ban() -> None:
    bans = Bans()
    for turn in range(100):
        now = turn * BAN_HALF_LIFE_SECONDS
        bans.charge(HOST, 45.0, now)
        assert not bans.is_banned(HOST, now)


def test_what_is_remembered_is_bounded() -> None:
    bans = Bans()
    for number in range(MAX_BAN_ENTRIES + 10):
        host = ".".join(str(byte) for byte in (1 + (number << 8)).to_bytes(4, "big"))
        bans.charge(f"{host}:1", 100.0, float(number))
    assert not bans.is_banned("0.0.0.1:1", 0.0)
    assert bans.is_banned(f"{host}:1", 0.0)


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("192.0.2.7:1", "192.0.2.7:2"),
        ("[::ffff:192.0.2.7]:1", "192.0.2.7:2"),
        ("[2001:db8::1]:1", "[2001:db8::ffff:2]:2"),
        ("example.org:1", "example.org:2"),
    ],
)
def test_what_counts_as_one(address: str, same: str) -> None:
    assert origin(address) == origin(same)


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("192.0.2.7:1", "192.0.2.8:1"),
        ("[2001:db8::1]:1", "[2001:db8:0:1::1]:1"),
        ("127.0.0.1:1", "127.0.0.1:2"),
        ("[::1]:1", "[::1]:2"),
        ("a stream", "another"),
    ],
)
def test_what_counts_as_two(address: str, other: str) -> None:
    assert origin(address) != origin(other)


async def test_a_banned_address_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    async with Corestore.open(None) as store:
        connections = Connections(store.cores, KeyPair.from_seed(bytes(32)))
        connections.bans.charge(HOST, BAN_AT_WEIGHT, trio.current_time())
        ours, theirs = trio.testing.memory_stream_pair()
        refusal = await connections.run(ours, HOST, initiator=False)
        assert "banned" in str(refusal)
        assert await theirs.receive_some() == b""
        assert connections.refused_count == 1
        assert not connections.failures
        await trio.sleep(1.01 * BAN_HALF_LIFE_SECONDS)
        assert connections.refusal(HOST) is None


async def test_nobody_dials_a_banned_address() -> None:
    async with Corestore.open(None) as store:
        connections = Connections(store.cores, KeyPair.from_seed(bytes(32)))
        # Nothing listens there; that is not found out.
        connections.bans.charge("127.0.0.1:1", BAN_AT_WEIGHT, trio.current_time())
        failure = await connect_tcp(Address("127.0.0.1", 1), connections)
        assert "banned" in str(failure)


async def test_faults_are_counted_against_an_address() -> None:
    async with Corestore.open(None) as store:
        connections = Connections(store.cores, KeyPair.from_seed(bytes(32)))
        ours, theirs = trio.testing.memory_stream_pair()
        # A frame of a handshake cannot be this long.
        await theirs.send_all(b"\xff\xff\xff" + bytes(64))
        fault = await connections.run(ours, HOST, initiator=False)
        assert isinstance(fault, PeerFault)
        assert connections.fault_count == 1
        weight = connections.bans.weight(HOST, trio.current_time())
        assert weight == pytest.approx(fault.error.ban_weight, rel=0.01)


async def misbehave(secret: SecretStream, stream: trio.abc.Stream) -> None:
    """Show the keys, then send what no mux takes, and read until the end."""
    await stream.send_all(secret.data_to_send(0.0))
    with suppress(trio.BrokenResourceError):
        while not secret.is_open and (data := await stream.receive_some()):
            secret.receive_data_untrusted(data)
            await stream.send_all(secret.data_to_send(0.0))
        secret.send(b"\xff" * 9)
        await stream.send_all(secret.data_to_send(0.0))
        while await stream.receive_some():
            pass


async def test_a_fault_is_held_against_the_key_as_well() -> None:
    async with Corestore.open(None) as store:
        connections = Connections(store.cores, KeyPair.from_seed(bytes(32)))
        pair = KeyPair.from_seed(b"\x07" * 32)
        for turn in range(11):
            ours, theirs = trio.testing.memory_stream_pair()
            secret = SecretStream(
                True, pair, ephemeral_seed=os.urandom(32), stream_header=os.urandom(24)
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(misbehave, secret, theirs)
                # From a new address each time, as attackers have them.
                failure = await connections.run(ours, f"192.0.2.{turn}:7", initiator=False)
            assert (isinstance(failure, PeerFault), "banned" in str(failure)) in (
                (turn < 10, False),
                (False, turn == 10),
            )
        assert connections.is_key_banned(pair.public_key)
        assert not connections.bans.is_banned("192.0.2.0:7", trio.current_time())


async def test_a_handshake_of_the_dht_that_nobody_shows_the_keys_of_bans_nobody() -> None:
    async with Corestore.open(None) as store:
        connections = Connections(store.cores, KeyPair.from_seed(bytes(32)))
        ours, theirs = trio.testing.memory_stream_pair()
        await theirs.send_all(b"\xff\xff\xff" + bytes(64))
        handshake = handshake_results()[1]
        fault = await connections.run(ours, HOST, initiator=False, handshake=handshake)
        assert isinstance(fault, PeerFault)
        now = trio.current_time()
        assert connections.bans.weight(HOST, now) == 0.0
        assert connections.bans.weight(handshake.remote_public_key.hex(), now) == 0.0


async def test_a_banned_key_is_refused_from_everywhere() -> None:
    async with Corestore.open(None) as store:
        connections = Connections(store.cores, KeyPair.from_seed(bytes(32)))
        handshake = handshake_results()[1]
        key = handshake.remote_public_key
        connections.bans.charge(key.hex(), BAN_AT_WEIGHT, trio.current_time())
        ours, theirs = trio.testing.memory_stream_pair()
        refusal = await connections.run(ours, HOST, initiator=False, handshake=handshake)
        assert key.hex() in str(refusal)
        assert await theirs.receive_some() == b""
