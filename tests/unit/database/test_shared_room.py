"""Databases of one process that share the room for decoded blocks."""

from __future__ import annotations

import trio

from protocol.hyperbee import CacheRoom
from tests.contract_sources import COUNTER
from vitra_node.database import Database


async def test_databases_work_in_room_that_is_much_too_small() -> None:
    room = CacheRoom(max_blocks=4)
    with trio.fail_after(60):
        async with (
            Database.create(None, contract=COUNTER, room=room) as one,
            Database.create(None, contract=COUNTER, room=room) as other,
        ):
            assert one.index.room is other.index.room is room
            assert one.index.snapshot().room is room
            for number in range(1, 5):
                for database in (one, other):
                    transaction = await database.call("increment", {"amount": number})
                    await transaction.when_processed()
            for database in (one, other):
                entry = await database.index.get("/counter")
                assert entry is not None
                assert entry.value == 10
                assert (await database.verify()).verdict == "verified"
