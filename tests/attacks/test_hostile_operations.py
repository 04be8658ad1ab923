"""Hostile operations in a real database: executed, audited, and nothing of them is left.

A sixth of the scripts by default; ``VITRA_TEST_HOSTILE_SHARE=1`` takes all.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from protocol.encoding.msgpack import pack
from protocol.encoding.paths import ack_key, format_key
from tests.contracts.executing import executed
from tests.contracts.hostile import NAMES, SOURCE, UNDECIDED, WRITTEN
from vitra_node.contracts import worker as worker_module
from vitra_node.database import Database

SHARE = int(os.environ.get("VITRA_TEST_HOSTILE_SHARE", "6"))
ALLOWED = {"/probe", *WRITTEN}


async def changes(database: Database, seq: int) -> list[tuple[str, str, object]]:
    """What one operation changed: the entries behind its ack."""
    oplog = database.local_oplog
    assert oplog is not None
    ack = await database.index.get_key(ack_key(oplog.key, seq))
    assert ack is not None
    assert isinstance(ack.value, dict)
    count = ack.value["numChanges"]
    assert isinstance(count, int)
    first = ack.seq + 1
    history = database.index.history(start=first, end=first + count)
    return [(entry.type, entry.path, entry.value) async for entry in history]


async def test_hostile_operations_are_contained_and_judged_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fuel decides here; a busy machine must not.
    monkeypatch.setattr(worker_module, "APPLY_MILLISECONDS", 300_000)
    names = [name for name in NAMES if name not in UNDECIDED][::SHARE]
    blocks = [pack({"op": "PROBE"})]
    for name in names:
        blocks += [pack({"op": name}), pack({"op": "PROBE"})]
    async with Database.create(tmp_path / "node", contract=SOURCE) as database:
        oplog = database.local_oplog
        assert oplog is not None
        before = {entry.path async for entry in database.index.history()}
        await oplog.core.append(blocks)
        with trio.fail_after(600):
            await executed(database, len(blocks) - 1)
            report = await database.verify()
        assert (report.verdict, report.operations) == ("verified", len(blocks)), report.reason
        # Each time the next operation finds what the first one found, but for its date.
        first = await changes(database, 0)
        for number, name in enumerate(names):
            assert _undated(await changes(database, 2 * number + 2)) == _undated(first), name
            for _, path, _ in await changes(database, 2 * number + 1):
                assert path in ALLOWED or path.startswith("/.sys/inputs/"), name
        async for key, _, _ in database.index.entries(b"", b"\xff"):
            path = format_key(key)
            is_own = path in ALLOWED or path in before
            assert is_own or path.startswith(("/.sys/acks/", "/.sys/inputs/")), path
    print(f"\n{len(names)} hostile operations, each with its probe, executed and verified")


def _undated(found: list[tuple[str, str, object]]) -> object:
    """The probe's only change, without Date.now()."""
    ((kind, path, value),) = found
    assert isinstance(value, list)
    return kind, path, [*value[:17], *value[18:]]
