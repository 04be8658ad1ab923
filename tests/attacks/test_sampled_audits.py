"""One altered operation among a thousand: how often a sample sees it.

Whether a sample sees it is only a matter of which operations it takes, so each operation is
replayed once, and all trials are decided from that; some are done in full to show that it is so.
``VITRA_TEST_TRIALS=200`` does all of them in full.
"""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from protocol.encoding.msgpack import pack
from protocol.transparency.audits.sampling import chance_to_see, sampled_blocks
from protocol.transparency.frauds import Verified, Violated
from simulations.actors.cheating_executor import Batch, CheatingExecutor, cheating_database
from tests.same_keys import SameKeys
from vitra_node.database import Database
from vitra_node.errors import ContractViolated
from vitra_node.ledger.contract_runner import ContractRunner
from vitra_node.ledger.index_view import IndexView
from vitra_node.progress import Counter
from vitra_node.roles.auditor import Auditor
from vitra_node.roles.audits.parts import Sampled, replay_part
from vitra_node.roles.audits.patient_core import PatientCore
from vitra_node.roles.stored_operations import StoredOperations

OPERATIONS = 1000
ALTERED = 617
TRIALS = 200
PROBABILITY = 0.1
IN_FULL = int(os.environ.get("VITRA_TEST_TRIALS", "3"))
SECONDS = 60 + 5 * IN_FULL


def alter(executor: CheatingExecutor, batch: Batch) -> Sequence[Batch]:
    """Write another value, once; nobody reads it."""
    if executor.operations != ALTERED:
        return [batch]
    key, _ = batch[2]
    return [[*batch[:2], (key, pack("another"))]]


@asynccontextmanager
async def with_one_altered() -> AsyncIterator[Database]:
    async with cheating_database(alter, SameKeys()) as database:
        assert database.local_oplog is not None
        blocks = [pack({"op": "PUT", "entries": {"a": number}}) for number in range(OPERATIONS)]
        await database.local_oplog.core.append(blocks)
        # Genesis, then the ack and two changes for each.
        await database.index.core.wait_for_length(4 + 3 * OPERATIONS)
        yield database


async def bad_blocks(database: Database) -> set[int]:
    """The acks of the operations that do not stand when they are replayed alone."""
    core = PatientCore(database.index.core, database.index.length, 0.0)
    bad = set()
    async with ContractRunner.open() as runner:
        operations = StoredOperations(database._oplogs, 0.0)
        auditor = Auditor(IndexView(core), operations, runner)
        for seq in range(1, core.length):
            part = Sampled((seq,))
            for verdict in await replay_part(part, auditor, core, core.length, Counter()):
                assert isinstance(verdict, Verified | Violated), verdict
                if isinstance(verdict, Violated):
                    bad.add(seq)
    return bad


async def test_a_sample_sees_one_altered_operation_as_often_as_is_stated() -> None:
    with trio.fail_after(SECONDS):
        async with with_one_altered() as database:
            bad = await bad_blocks(database)
            assert bad == {4 + 3 * (ALTERED - 1)}
            length, key = database.index.length, database.key
            sees = [
                not bad.isdisjoint(sampled_blocks(key, f"{n}".encode(), PROBABILITY, 1, length))
                for n in range(TRIALS)
            ]
            # Within two standard deviations of the binomial; the seeds are fixed.
            stated = TRIALS * chance_to_see(PROBABILITY, 1)
            assert abs(sum(sees) - stated) < 2 * math.sqrt(stated * (1 - PROBABILITY))
            one_of_each = [sees.index(True), sees.index(False)]
            for number in [*one_of_each, *range(IN_FULL - len(one_of_each))]:
                assert await sees_it(database, f"{number}") is sees[number]


async def sees_it(database: Database, seed: str) -> bool:
    try:
        report = await database.verify(sample=PROBABILITY, seed=seed)
    except ContractViolated:
        return True
    assert report.verdict == "verified"
    return False
