"""An operation that changes the rules ends its group, whatever stands behind it."""

from __future__ import annotations

import pytest
import trio

from protocol.encoding.msgpack import pack
from protocol.encoding.paths import ack_key
from tests.contracts.executing import executed
from vitra_node.database import Database

CONTRACT = """
import { index } from 'contract'
export const apply = {
  async SOURCE (tx) {
    tx.setContractSource({ code: (await index.get('/.sys/contract/source')).value })
  },
  LEAVE (tx, op, ack) { tx.removeOplog({ pubkey: ack.origin }) },
  PUT (tx, op) { tx.put('/x', op.value) }
}
"""
UNREADABLE = b"\xc1"


@pytest.mark.parametrize("behind", [UNREADABLE, pack({"op": "PUT", "value": 1})])
async def test_what_follows_a_new_source_is_executed_in_a_group_of_its_own(behind: bytes) -> None:
    async with Database.create(None, contract=CONTRACT) as database:
        oplog = database.local_oplog
        assert oplog is not None
        await oplog.core.append([pack({"op": "SOURCE"}), behind, pack({"op": "PUT", "value": 2})])
        with trio.fail_after(60):
            await executed(database, 2)
            report = await database.verify()
        assert (report.verdict, report.operations) == ("verified", 3)


@pytest.mark.parametrize("behind", [UNREADABLE, pack({"op": "PUT", "value": 1})])
async def test_nothing_of_an_oplog_that_left_is_executed(behind: bytes) -> None:
    async with Database.create(None, contract=CONTRACT) as database:
        oplog = database.local_oplog
        assert oplog is not None
        await oplog.core.append([pack({"op": "LEAVE"}), behind])
        with trio.fail_after(60):
            await executed(database, 0)
            report = await database.verify()
        assert (report.verdict, report.operations) == ("verified", 1)
        assert await database.index.get_key(ack_key(oplog.key, 1)) is None
