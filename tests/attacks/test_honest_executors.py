"""An honest executor is never accused, whatever participants publish.

``VITRA_TEST_HONEST_OPERATIONS=20000`` makes the run longer.
"""

from __future__ import annotations

import os
from random import Random

import trio

from tests.contract_sources import MEMBERS
from vitra_node.database import Database
from vitra_node.errors import NotAllowed

OPERATIONS = int(os.environ.get("VITRA_TEST_HONEST_OPERATIONS", "1500"))

KINDS = ("put", "del", "fail", "nothing", "keep")
WEIGHTS = (55, 20, 10, 10, 5)
VALUES = (None, 0, 1, -2.5, "ä", [1, {"a": True}], {"deep": [[]]}, "")
ODD_PATHS = ("//.sys/x", "/.sys", "/a//b", "/", "/a\x00b", "no slash", "/" + "x" * 600)


async def test_a_long_run_of_everything_is_verified() -> None:
    rolls = Random(7)
    async with Database.create(None, contract=MEMBERS) as database:
        assert database.local_oplog is not None
        first = database.local_oplog.key
        others = [(await database.create_oplog()).key for _ in range(3)]
        published = version = 0
        while published < OPERATIONS:
            active = [oplog.key for oplog in database.oplogs if oplog.active]
            await database.set_local_oplog(rolls.choice(active))
            published += await publish_many(database, rolls, min(150, OPERATIONS - published))
            await database.set_local_oplog(first)
            if rolls.random() < 0.5:
                method = rolls.choice(("admit", "dismiss"))
                await settled(database, method, {"key": rolls.choice(others)})
                published += 1
            if rolls.random() < 0.3:
                version += 1
                await settled(database, "upgrade", {"code": f"{MEMBERS}// {version}\n"})
                published += 1
        report = await database.verify()
        assert report.verdict == "verified", report
        assert report.operations > OPERATIONS / 2
        assert database.frauds() == []
        assert database.forks == []


async def publish_many(database: Database, rolls: Random, count: int) -> int:
    """Calls side by side; gives how many were published."""
    published = 0
    limit = trio.CapacityLimiter(50)

    async def call(method: str, params: dict[str, object]) -> None:
        nonlocal published
        async with limit:
            try:
                await database.call(method, params)
            except NotAllowed:
                # The oplog was dismissed by an operation that is executed meanwhile.
                return
            published += 1

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            method = rolls.choices(KINDS, WEIGHTS)[0]
            path = f"/e/{rolls.randrange(300)}"
            if rolls.random() < 0.05:
                path = rolls.choice(ODD_PATHS)
            params: dict[str, dict[str, object]] = {
                "put": {"path": path, "value": rolls.choice(VALUES)},
                "del": {"path": path},
                "fail": {"text": f"no {rolls.random()}"},
            }
            nursery.start_soon(call, method, params.get(method, {}))
    return max(published, 1)


async def settled(database: Database, method: str, params: dict[str, object]) -> None:
    """A call whose operation is executed before the next thing happens."""
    tx = await database.call(method, params)
    with trio.fail_after(60):
        await tx.when_processed()
