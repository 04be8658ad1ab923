"""What the control API reads out of a real database: joined operations, versions, proofs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from protocol.transparency.proofs.consistency import ConsistencyProof
from protocol.transparency.proofs.inclusion import InclusionProof
from tests.contract_sources import COUNTER
from vitra_node.api.directories.local import LocalConnection, open_sandbox
from vitra_node.api.session import Session
from vitra_node.database import Database
from vitra_node.errors import CannotTellYet, NotFound

SOURCE = """\
export function set (params, emit) { emit({ op: 'SET', ...params }) }
export function drop (params, emit) { emit({ op: 'DROP', ...params }) }
export function upgrade (params, emit) { emit({ op: 'UPGRADE', code: params.code }) }
export function fail (params, emit) { emit({ op: 'FAIL' }) }
export const apply = {
  SET (tx, op) { for (const name of op.names) tx.put('/' + name, op.value) },
  DROP (tx, op) { tx.delete('/' + op.name) },
  UPGRADE (tx, op) { tx.setContractSource({ code: op.code }) },
  FAIL () { throw new Error('never') }
}
"""


async def call(connection: LocalConnection, method: str, **params: Any) -> Any:
    return await connection.call("contract.call", method=method, params=params, wait=True)


async def test_operations_are_joined_newest_first() -> None:
    async with open_sandbox(SOURCE) as connection:
        await call(connection, "set", names=["a", "b"], value=1)
        await call(connection, "fail")
        await call(connection, "drop", name="a")
        page = await connection.call("log.operations")
        assert page["next"] is None
        drop, fail, put, genesis = page["operations"]
        assert [(c["type"], c["path"]) for c in drop["changes"]] == [("del", "/a")]
        assert drop["operation"] == {"op": "DROP", "name": "a"}
        assert (fail["ack"]["success"], fail["changes"]) == (False, [])
        assert [c["path"] for c in put["changes"]] == ["/a", "/b"]
        assert (put["seq"], put["stage"]) == (0, "committed")
        assert (genesis["stage"], genesis["oplog"]) == ("genesis", None)
        assert genesis["changes"][0]["seq"] == 1


async def test_pages_meet_without_a_gap() -> None:
    async with open_sandbox(SOURCE) as connection:
        for number in range(7):
            await call(connection, "set", names=[f"n{number}"], value=number)
        whole = (await connection.call("log.operations", limit=100))["operations"]
        pages, before = [], None
        while True:
            page = await connection.call("log.operations", limit=3, before=before)
            pages += page["operations"]
            before = page["next"]
            if before is None:
                break
        assert pages == whole
        assert len(pages) == 8


async def test_what_bypassed_the_contract_stands_apart() -> None:
    async with open_sandbox(SOURCE) as connection:
        await call(connection, "set", names=["a"], value=1)
        stray = [{"type": "put", "path": "/a", "value": 9}, {"type": "del", "path": "/a"}]
        await connection.call("index.dangerous_batch", changes=stray)
        await call(connection, "set", names=["b"], value=2)
        await connection.call("index.dangerous_batch", changes=stray[:1])
        rows = (await connection.call("log.operations"))["operations"]
        assert [row["stage"] for row in rows] == [
            "bypassed",
            "committed",
            "bypassed",
            "committed",
            "genesis",
        ]
        assert [change["type"] for change in rows[2]["changes"]] == ["put", "del"]


async def test_large_values_are_left_out_of_lists() -> None:
    async with open_sandbox(SOURCE) as connection:
        await call(connection, "set", names=["big"], value="x" * 100_000)
        change = (await connection.call("log.operations"))["operations"][0]["changes"][0]
        assert change["value"] is None
        assert change["omitted"] == 100_002
        assert len((await connection.call("index.get", path="/big"))["value"]) == 100_000


async def test_the_index_as_it_was() -> None:
    async with open_sandbox(SOURCE) as connection:
        await call(connection, "set", names=["a"], value=1)
        then = (await connection.call("database.info"))["index"]["length"]
        await call(connection, "set", names=["a", "z"], value=2)
        assert (await connection.call("index.get", path="/a", version=then))["value"] == 1
        names = [e["name"] for e in await connection.call("index.list", version=then)]
        assert "z" not in names
        with pytest.raises(NotFound):
            await connection.call("index.get", path="/z", version=then)
        for nowhere in (10**6, then + 1):
            with pytest.raises(NotFound) as raised:
                await connection.call("index.get", path="/z", version=nowhere)
            assert str(nowhere) in raised.value.failed


async def test_the_versions_of_the_contract() -> None:
    newer = SOURCE + "export function more () {}\n"
    async with open_sandbox(SOURCE) as connection:
        await call(connection, "upgrade", code=newer)
        first, second = await connection.call("contract.versions")
        assert (await connection.call("contract.source", seq=first["seq"]))["source"] == SOURCE
        assert (await connection.call("contract.source", seq=second["seq"]))["source"] == newer
        assert (await connection.call("contract.source"))["source"] == newer
        for wrong in (0, second["seq"] - 1, 10**6):
            with pytest.raises(NotFound):
                await connection.call("contract.source", seq=wrong)


async def test_blocks_are_proven_to_strangers() -> None:
    async with open_sandbox(SOURCE) as connection:
        answer = await call(connection, "set", names=["a"], value=1)
        info = await connection.call("database.info")
        oplog = answer["operations"][0]["oplog"]
        for log, key, seq in (("index", info["key"], 4), (oplog, oplog, 0)):
            proof = await connection.call("log.prove", log=log, seq=seq)
            proven = InclusionProof.from_json_untrusted(json.dumps(proof)).check_untrusted()
            assert (proven.log_key.hex(), proven.index) == (key, seq)
        with pytest.raises(NotFound):
            await connection.call("log.prove", seq=info["index"]["length"])


async def test_that_a_log_only_grew_is_proven_to_strangers() -> None:
    async with open_sandbox(SOURCE) as connection:
        answer = await call(connection, "set", names=["a", "b"], value=1)
        length = (await connection.call("database.info"))["index"]["length"]
        first = await connection.call("log.consistency", start=4)
        await call(connection, "set", names=["a"], value=2)
        second = await connection.call("log.consistency", start=4)
        for proof in (first, second):
            ConsistencyProof.from_json_untrusted(json.dumps(proof)).check_untrusted()
        assert first["earlier"] == second["earlier"]
        assert first["later"]["length"] == length < second["later"]["length"]
        oplog = answer["operations"][0]["oplog"]
        assert (await connection.call("log.consistency", log=oplog, start=1))["logKey"] == oplog
        for start in (0, second["later"]["length"], 10**6):
            with pytest.raises(NotFound):
                await connection.call("log.consistency", start=start)


async def test_what_is_missing_of_the_tree_is_fetched(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with Database.create(None, contract=COUNTER) as database:
            for _ in range(20):
                await (await database.call("increment")).when_processed()
            host, port = await database.listen("127.0.0.1", 0)
            async with Database.load(tmp_path, database.key, sparse=True) as copy:
                await copy.connect(host, port)
                await copy.index.core.update(wait=True)
                assert not copy.index.core.has(16)
                connection = LocalConnection(Session(copy, tmp_path))
                proof = await connection.call("log.consistency", start=17)
    ConsistencyProof.from_json_untrusted(json.dumps(proof)).check_untrusted(database.key)


async def test_before_anything_is_here_there_is_no_telling(tmp_path: Any) -> None:

    async with Database.load(tmp_path, "ab" * 32) as database:
        connection = LocalConnection(Session(database, tmp_path))
        for method in ("log.operations", "contract.versions"):
            with pytest.raises(CannotTellYet):
                await connection.call(method)
