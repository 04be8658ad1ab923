"""A database on several nodes that know nothing but its key."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.contract_sources import COUNTER, MEMBERS
from vitra_node import DHT, Database
from vitra_node.errors import NotAllowed
from vitra_node.net.errors import ConnectionFailed
from vitra_node.roles.swarming import wanted_topics

HOST = "127.0.0.1"


async def test_nothing_but_the_key_is_needed(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with (
            DHT.open([], HOST) as dht,
            Database.create(tmp_path / "executor", contract=MEMBERS) as executor,
            Database.load(tmp_path / "participant", executor.key) as participant,
            Database.load(None, executor.key) as reader,
        ):
            bootstrap = [dht.local_address]
            # The reader is there first, and has nothing to be found for.
            await reader.swarm(bootstrap)
            await (await executor.swarm(bootstrap)).flush()
            await participant.swarm(bootstrap)
            await participant.sync()
            assert participant.index.length
            oplog = await participant.create_oplog()
            await executor.call("admit", {"key": oplog.key.hex()})
            while not oplog.active:
                await participant.index.core.wait_for_length(participant.index.length + 1)
                await trio.testing.wait_all_tasks_blocked()
            transaction = await participant.call("put", {"path": "/greeting", "value": "hello"})
            await transaction.when_processed()
            await reader.index.core.wait_for_length(executor.index.length)
            entry = await reader.index.get("/greeting")
            assert entry is not None
            assert entry.value == "hello"


async def test_topics_follow_the_members(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with (
            Database.create(tmp_path / "executor", contract=MEMBERS) as executor,
            Database.load(None, executor.key) as reader,
        ):
            index = executor.index.core
            own = executor.local_oplog
            assert own is not None
            assert wanted_topics(index, executor._oplogs) == {
                index.discovery_key: (True, True),
                own.core.discovery_key: (True, False),
            }
            assert wanted_topics(reader.index.core, reader._oplogs) == {
                index.discovery_key: (False, True)
            }
            oplog = await reader.create_oplog()
            topics = wanted_topics(reader.index.core, reader._oplogs)
            assert topics[oplog.core.discovery_key] == (True, False)
            await (await executor.call("admit", {"key": oplog.key.hex()})).when_processed()
            while oplog.core.discovery_key not in wanted_topics(index, executor._oplogs):
                await executor._oplogs.wait_changed()
            topics = wanted_topics(index, executor._oplogs)
            assert topics[oplog.core.discovery_key] == (False, True)
            address = await executor.listen(HOST, 0)
            await reader.connect(*address)
            await reader.sync()
            assert wanted_topics(reader.index.core, reader._oplogs) == {
                index.discovery_key: (True, True),
                oplog.core.discovery_key: (True, False),
            }


async def test_a_database_is_in_one_swarm_at_a_time() -> None:
    with trio.fail_after(60):
        async with DHT.open([], HOST) as dht, Database.sandbox(contract=COUNTER) as database:
            await database.swarm([dht.local_address])
            with pytest.raises(NotAllowed, match="already"):
                await database.swarm([dht.local_address])
            await database.unswarm()
            assert database.network is None
            swarm = await database.swarm([dht.local_address])
            assert database.network is swarm


async def test_a_port_that_is_taken_is_said_and_nothing_goes_on() -> None:
    with trio.fail_after(60):
        async with DHT.open([], HOST) as dht, Database.sandbox(contract=COUNTER) as database:
            with pytest.raises(ConnectionFailed, match="cannot be"):
                await database.swarm([dht.local_address], port=dht.local_address[1])
            assert database.network is None
            await database.swarm([dht.local_address])
