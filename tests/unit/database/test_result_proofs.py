"""Results are proven by whoever has the blocks, and one transaction is verified with few of them.

``VITRA_TEST_LARGE_DATABASE=10000`` makes the database larger.
"""

from __future__ import annotations

import json
import os
from contextlib import AsyncExitStack

import pytest
import trio

from protocol.crypto.keys import KeyPair
from protocol.encoding.msgpack import pack, unpack_untrusted
from protocol.encoding.paths import ack_key
from protocol.errors import ProofError
from protocol.transparency.frauds import Verified
from protocol.transparency.proofs.extract import extract_blocks
from protocol.transparency.proofs.result_proof import ResultProof
from tests.contract_sources import MEMBERS
from tests.replication_nodes import MemoryCore
from vitra_node.database import Database
from vitra_node.errors import CannotTellYet

OPERATIONS = int(os.environ.get("VITRA_TEST_LARGE_DATABASE", "600"))

# Of a database of 10,000 operations; a smaller one needs less.
MAX_FETCHED_BLOCKS = 64
MAX_PROOF_BYTES = 8 * 1024


async def fill(database: Database, count: int) -> None:
    """Operations of about the same size, several calls at a time."""
    limit = trio.CapacityLimiter(100)

    async def put(number: int) -> None:
        async with limit:
            await database.call("put", {"path": f"/entries/{number % 500:03}", "value": number})

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(put, number)


async def test_a_participant_verifies_and_proves_its_own_with_few_blocks() -> None:
    async with AsyncExitStack() as stack:
        # The participant has its own oplog, and nothing of the index but what it asks for.
        writer = await stack.enter_async_context(Database.create(None, contract=MEMBERS))
        await fill(writer, OPERATIONS // 2)
        host, port = await writer.listen("127.0.0.1", 0)
        reader = await stack.enter_async_context(Database.load(None, writer.key, sparse=True))
        await reader.connect(host, port)
        await reader.index.core.update(wait=True)
        oplog = await reader.create_oplog()
        admission = await writer.call("admit", {"key": oplog.key})
        await admission.when_processed()
        await reader.index.core.wait_for_length(writer.index.length)
        while not oplog.active:
            await trio.testing.wait_all_tasks_blocked(0.001)
        tx = await reader.call("put", {"path": "/mine", "value": {"a": [1, 2]}})
        await tx.when_processed()
        await fill(writer, OPERATIONS // 2)
        await reader.index.core.wait_for_length(writer.index.length)

        copy = await stack.enter_async_context(Database.load(None, writer.key, sparse=True))
        await copy.connect(host, port)
        await copy.index.core.update(wait=True)
        # Whoever opens a database learns who takes part in it; what follows is for one operation.
        while oplog.key not in {each.key for each in copy.oplogs}:
            await trio.testing.wait_all_tasks_blocked(0.001)
        held = held_blocks(copy)
        with trio.fail_after(30):
            verdict = await copy.verify_transaction(tx)
        assert isinstance(verdict, Verified)
        assert held_blocks(copy) - held <= MAX_FETCHED_BLOCKS
        assert copy.index.length > OPERATIONS

        (proof,) = await copy.prove_transaction(tx)
        text = proof.to_json()
        assert len(text) <= MAX_PROOF_BYTES
        again = ResultProof.from_json_untrusted(text)
        assert again == proof
        proven = again.check_untrusted(writer.key)
        assert proven.ack.success
        assert proven.changes == ((b"mine", pack({"a": [1, 2]})),)
        assert proven.operation is not None
        assert unpack_untrusted(proven.operation) == tx.operations[0].value
        with pytest.raises(ProofError, match="another database"):
            again.check_untrusted(bytes(32))


def held_blocks(database: Database) -> int:
    core = database.index.core
    return core.length - core.storage.missing(0, core.length)


async def test_every_altered_proof_is_refused() -> None:
    async with Database.create(None, contract=MEMBERS) as database:
        transactions = [
            await database.call("put", {"path": "/a", "value": 1}),
            await database.call("fail", {"text": "no"}),
            await database.call("put", {"path": "/b", "value": 2}),
        ]
        proofs = []
        for tx in transactions:
            await tx.when_processed()
            proofs += await database.prove_transaction(tx)
        for proof in proofs:
            proof.check_untrusted(database.key)
        assert not proofs[1].check_untrusted().ack.success
        core, oplog = database.index.core, database.local_oplog
        assert oplog is not None
        first = proofs[0].index.blocks[0][0]
        wrong = [
            # A change too few, one too many, another transaction's, and a gap.
            extract_blocks(core.storage, [first]),
            extract_blocks(core.storage, [first, first + 1, first + 2]),
            extract_blocks(core.storage, [first + 2]),
            extract_blocks(core.storage, [first, first + 2]),
            extract_blocks(core.storage, []),
            extract_blocks(oplog.core.storage, [0, 1]),
        ]
        for extract in wrong:
            forged = ResultProof(database.key, oplog.key, 0, extract, proofs[0].oplog)
            with pytest.raises(ProofError):
                forged.check_untrusted(database.key)
        with pytest.raises(ProofError, match="another operation"):
            ResultProof(
                database.key, oplog.key, 0, proofs[0].index, proofs[2].oplog
            ).check_untrusted()
        document = json.loads(proofs[0].to_json())
        document["opSeq"] = 2
        with pytest.raises(ProofError, match="not the ack"):
            ResultProof.from_json_untrusted(json.dumps(document)).check_untrusted()


async def test_what_is_not_executed_cannot_be_proven() -> None:
    async with Database.create(None, contract=MEMBERS) as database:
        other = await database.create_oplog()
        await database.set_local_oplog(other.key)
        admission = await _as_first(database, other.key)
        assert admission
        tx = await database.call("put", {"path": "/a", "value": 1})
        await tx.when_processed()
        missing = ack_key(other.key, 9)
        assert await database.index.get_key(missing) is None
        from vitra_node.roles.result_proofs import prove_result

        with pytest.raises(CannotTellYet, match="not executed"):
            await prove_result(database.index, database._oplogs, other.key, 9, 0.0)


async def _as_first(database: Database, key: bytes) -> bool:
    """Admit an oplog by the first one."""
    first = next(oplog for oplog in database.oplogs if oplog.key != key)
    await database.set_local_oplog(first.key)
    tx = await database.call("admit", {"key": key})
    await tx.when_processed()
    await database.set_local_oplog(key)
    return True


def test_a_result_at_a_hundred_thousand_blocks_is_small() -> None:
    log = MemoryCore.writable((), KeyPair.from_seed(bytes([9]) * 32))
    # Blocks the size of acks and changes with their tree pages.
    log.append([b"%05d" % n * 80 for n in range(100_000)])
    extract = extract_blocks(log, [77_777, 77_778])
    text = json.dumps(extract.to_json(), separators=(",", ":"))
    assert len(text) < MAX_PROOF_BYTES
    assert extract.check_untrusted(log.key).blocks[77_777] == b"77777" * 80
