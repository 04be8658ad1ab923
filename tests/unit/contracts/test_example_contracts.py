"""The contracts that ship with the package do what they say, in a real database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

import vitra_node
from tests.contract_sources import COUNTER
from vitra_node.contracts.errors import ContractCallError, ContractTimeout
from vitra_node.database import Database
from vitra_node.transactions import Result

EXAMPLES = Path(vitra_node.__file__).parent / "contracts" / "examples"


def example(name: str) -> str:
    return (EXAMPLES / f"{name}.js").read_text()


async def call(database: Database, method: str, **params: Any) -> Result:
    transaction = await database.call(method, params)
    [result] = await transaction.results()
    return result


async def answer(database: Database, method: str, **params: Any) -> Any:
    return (await database.call(method, params)).response


def test_the_counter_is_the_one_of_the_documentation() -> None:
    assert COUNTER.strip() in example("counter")


async def test_kv_store() -> None:
    with trio.fail_after(60):
        async with Database.sandbox(contract=example("kv-store")) as database:
            await call(database, "put", path="/a", value={"x": 1})
            await call(database, "put", path="/users/ann", value="ann@example.org")
            entry = await answer(database, "get", path="/a")
            assert entry["value"] == {"x": 1}
            listed = await answer(database, "list")
            assert [(e["name"], e["container"]) for e in listed] == [
                (".sys", True),
                ("a", False),
                ("users", True),
            ]
            await call(database, "del", path="/a")
            assert await answer(database, "get", path="/a") is None
            with pytest.raises(ContractCallError, match="text"):
                await database.call("put", {"path": 1, "value": 1})
            for path in ("/.sys/contract/source", "//.sys/x", "/x//y", "/x\0y"):
                assert (await call(database, "put", path=path, value=1)).ack["success"] is False
            report = await database.verify()
            assert (report.verdict, report.operations) == ("verified", 7)


async def test_membership_voting() -> None:
    with trio.fail_after(60):
        async with Database.sandbox(contract=example("membership-voting")) as database:
            first = database.local_oplog
            assert first is not None
            others = [await database.create_oplog() for _ in range(2)]
            keys = [oplog.key.hex() for oplog in others]

            # Alone, one vote is more than half. Of two, one is not.
            await call(database, "vote", action="add", pubkey=keys[0])
            assert set(await answer(database, "members")) == {first.key.hex(), keys[0]}
            await call(database, "vote", action="add", pubkey=keys[1])
            again = await call(database, "vote", action="add", pubkey=keys[1])
            assert again.ack["success"] is True
            assert await answer(database, "votes") == [
                {"action": "add", "pubkey": keys[1], "voters": [first.key.hex()]}
            ]
            assert len(await answer(database, "members")) == 2
            await database.set_local_oplog(others[0].key)
            await call(database, "vote", action="add", pubkey=keys[1])
            assert len(await answer(database, "members")) == 3
            assert await answer(database, "votes") == []

            # Two of three remove the third; adding a member again is refused.
            refused = await call(database, "vote", action="add", pubkey=keys[1])
            assert "already" in refused.ack["error"]
            await call(database, "vote", action="remove", pubkey=first.key.hex())
            await database.set_local_oplog(others[1].key)
            await call(database, "vote", action="remove", pubkey=first.key.hex())
            assert set(await answer(database, "members")) == set(keys)
            report = await database.verify()
            assert (report.verdict, report.operations) == ("verified", 7)


async def test_a_call_without_end_is_stopped_and_the_next_one_works() -> None:
    source = """
    export function spin () { while (true) {} }
    export function well () { return 'well' }
    export const apply = { SPIN () { while (true) {} } }
    export function emitSpin (_, emit) { emit({ op: 'SPIN' }) }
    """
    async with Database.sandbox(contract=source) as database:
        with trio.fail_after(60):
            with pytest.raises(ContractTimeout, match="longer than allowed"):
                await database.call("spin")
        with trio.fail_after(60):
            assert await answer(database, "well") == "well"
        # In an operation the fuel ends, which is the same on every machine.
        with trio.fail_after(60):
            result = await call(database, "emitSpin")
            assert "fuel" in result.ack["error"]
            report = await database.verify()
            assert (report.verdict, report.operations) == ("verified", 1)
