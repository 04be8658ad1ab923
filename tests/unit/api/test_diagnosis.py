"""``vitra doctor`` names the step that fails, from the socket to the blocks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from protocol.dht.handshake.noise_payload import Firewall
from tests.contract_sources import COUNTER
from tests.private_network import smallest_network
from vitra_node import Database
from vitra_node.api.diagnosis import CHECKS, diagnose
from vitra_node.api.session import Session
from vitra_node.net.errors import ConnectionFailed

SECONDS = 60
HOST = "127.0.0.1"
# Nobody answers there.
NOWHERE = (HOST, 9)


@asynccontextmanager
async def network() -> AsyncIterator[list[tuple[str, int]]]:
    """The smallest one, for a limited time."""
    with trio.fail_after(SECONDS):
        async with smallest_network() as bootstrap:
            yield bootstrap


def found(database: Database) -> dict[str, dict[str, Any]]:
    """The findings by name."""
    return {each["name"]: each for each in diagnose(Session(database, None))}


def problems(database: Database) -> list[str]:
    """The names of what is wrong, in order."""
    return [name for name, each in found(database).items() if each["state"] == "problem"]


async def until_problems(database: Database, *names: str) -> dict[str, dict[str, Any]]:
    """Wait until exactly these are wrong."""
    swarm = database.network
    assert swarm is not None
    while problems(database) != list(names):
        await swarm.wait_changed()
    return found(database)


async def test_a_node_that_knows_no_way_to_others() -> None:
    async with Database.load(None, bytes(32)) as reader:
        said = found(reader)
        assert problems(reader) == ["reachable", "connected", "blocks"]
        assert said["blocks"]["text"] == "Nothing is here, and nobody is connected."
        assert {said[name]["state"] for name in ("socket", "bootstrap", "nat", "found")} == {"off"}


async def test_a_bootstrap_node_that_does_not_answer() -> None:
    with trio.fail_after(SECONDS):
        async with Database.load(None, bytes(32)) as reader:
            swarm = await reader.swarm([NOWHERE])
            host, port = swarm.dht.local_address
            assert found(reader)["socket"]["text"] == f"UDP {host}:{port} is open."
            await swarm.dht.wait_bootstrapped()
            said = found(reader)["bootstrap"]
            assert said["state"] == "problem"
            assert said["text"] == "No node of the network has answered."
            assert "--bootstrap" in said["advice"]


async def test_a_network_that_is_gone() -> None:
    with trio.fail_after(SECONDS):
        async with Database.load(None, bytes(32)) as reader:
            async with smallest_network() as bootstrap:
                swarm = await reader.swarm(bootstrap)
                await swarm.dht.wait_bootstrapped()
                assert found(reader)["bootstrap"]["text"] == "The network answers; nodes known: 1."
            with pytest.raises(ConnectionFailed):
                await swarm.dht.immutable_put(b"who keeps this?")
            said = found(reader)["bootstrap"]
            assert said["state"] == "problem"
            assert said["text"].endswith("that were known do not answer any more.")


async def test_logs_that_nobody_keeps_are_not_announced() -> None:
    with trio.fail_after(SECONDS):
        async with Database.sandbox(contract=COUNTER) as executor:
            swarm = await executor.swarm([NOWHERE])
            while not any(topic.failure for topic in swarm.topics if topic.server):
                await swarm.wait_changed()
            said = found(executor)["announced"]
            assert said["state"] == "problem"
            assert "2 of 2 logs are not announced: no node of the network answered" in said["text"]


async def test_nobody_who_has_the_database() -> None:
    async with network() as bootstrap, Database.load(None, bytes(32)) as reader:
        swarm = await reader.swarm(bootstrap)
        await swarm.flush()
        said = await until_problems(reader, "found", "connected", "blocks")
        assert said["found"]["text"] == "The network names nobody who has this database."
        assert "executor" in said["found"]["advice"]


async def test_a_handshake_that_is_refused() -> None:
    async with (
        network() as bootstrap,
        Database.sandbox(contract=COUNTER) as executor,
        Database.load(None, executor.key) as reader,
    ):
        serving = await executor.swarm(bootstrap)
        await serving.flush()
        await executor.index.core.wait_for_length(1)
        asking = await reader.swarm(bootstrap)
        serving.ban(asking.key_pair.public_key)
        said = await until_problems(reader, "connected", "blocks")
        while "The last one failed: " not in said["connected"]["text"]:
            await asking.wait_changed()
            said = found(reader)
        # Who is refused is not told so: for it the peer is silent.
        assert "the peer does not answer" in said["connected"]["text"]


async def test_connected_with_a_peer_of_another_database() -> None:
    async with (
        network() as bootstrap,
        Database.sandbox(contract=COUNTER) as other,
        Database.load(None, bytes(32)) as reader,
    ):
        serving = await other.swarm(bootstrap)
        await serving.flush()
        asking = await reader.swarm(bootstrap)
        asking.join_peer(serving.key_pair.public_key)
        while not reader.connections.open:
            await asking.wait_changed()
        said = found(reader)["blocks"]
        assert said["state"] == "problem"
        assert said["text"] == "None of the connected peers (1) has this database."


async def test_connected_with_a_peer_that_waits_for_the_blocks_as_well() -> None:
    with trio.fail_after(SECONDS):
        async with Database.load(None, bytes(32)) as one, Database.load(None, bytes(32)) as other:
            await one.connect(*await other.listen(HOST, 0))
            while not one.index.core.replication.peer_count:
                await trio.testing.wait_all_tasks_blocked(0.01)
            said = found(one)["blocks"]
            assert "no connected peer has any of it" in said["text"]


async def test_nothing_is_wrong_when_all_is_here() -> None:
    async with (
        network() as bootstrap,
        Database.sandbox(contract=COUNTER) as executor,
        Database.load(None, executor.key) as reader,
    ):
        await (await executor.swarm(bootstrap)).flush()
        asking = await reader.swarm(bootstrap)
        await reader.sync()
        # It is found by others from now on, too.
        await until_problems(reader)
        assert problems(executor) == []
        assert asking.connections


@pytest.mark.parametrize(
    ("nat", "word"),
    [
        (Firewall.OPEN, "directly"),
        (Firewall.CONSISTENT, "punch through it"),
        (Firewall.RANDOM, "another port"),
        (Firewall.UNKNOWN, "not been found out"),
    ],
)
def test_the_kind_of_nat(nat: Firewall, word: str) -> None:
    swarm = SimpleNamespace(dht=SimpleNamespace(nat=nat))
    session = SimpleNamespace(database=SimpleNamespace(network=swarm))
    (check,) = (check for check in CHECKS if check.name == "nat")
    said = check.probe(cast("Session", session))
    assert said.state == "ok"
    assert word in said.text
