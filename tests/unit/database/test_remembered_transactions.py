"""Transactions that a node remembers, their ids, and those that older versions wrote."""

from __future__ import annotations

import trio

from protocol.encoding.msgpack import pack
from tests.contract_sources import COUNTER
from vitra_node.database import Database

RECORD = {"method": "increment", "params": {}, "response": None, "operations": []}


async def test_they_are_found_by_ids_that_differ_from_their_first_character_on() -> None:
    with trio.fail_after(60):
        async with Database.create(None, contract=COUNTER) as database:
            made = [await database.call("increment") for _ in range(12)]
            listed = await database.transactions()
            # Those of one millisecond come in any order.
            assert {each.id for each in listed} == {each.id for each in made}
            assert len(listed) == len(made)
            for each in made:
                assert each.id is not None
                assert len(each.id) == 32
                assert await database.transaction(each.id) == each
            assert len({str(each.id)[0] for each in made}) > 1
            for strange in ("", "00", "00" * 16, "ab" * 2000, "no hex"):
                assert await database.transaction(strange) is None


async def test_those_of_older_versions_are_found_too() -> None:
    async with Database.load(None, bytes(31) + b"\x01") as database:
        # The time and a digest of 16 bytes.
        place = (10**12).to_bytes(8, "big") + bytes(range(16))
        await database.store.records.table("transactions").put(place, pack(RECORD))
        (found,) = await database.transactions()
        assert found.method == "increment"
        assert found.id is not None
        assert await database.transaction(found.id) == found
