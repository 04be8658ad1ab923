"""Who breaks the protocol too often is refused, and forgiven in time."""

from __future__ import annotations

import pytest
import trio

from protocol.crypto.keys import KeyPair
from protocol.errors import ProofError, ReplicationError, StaleProofError
from protocol.limits import (
    BAN_AT_WEIGHT,
    BAN_HALF_LIFE_SECONDS,
    MAX_BAN_ENTRIES,
    MAX_BAN_WEIGHT,
    UNBAN_AT_WEIGHT,
)
from vitra_node.config import Address
from vitra_node.net.bans import Bans, origin
from vitra_node.net.connections import Connections
from vitra_node.net.errors import PeerFault
from vitra_node.net.tcp import connect_tcp
from vitra_node.storage.corestore import Corestore

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
