"""A disk that refuses: full, over quota, failing at any write or sync."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from vitra_node.storage.care.fsck import check_directory
from vitra_node.storage.corestore import Corestore

# Appends until the file may not grow any more, then says what it knows.
FILLS_ITS_LIMIT = """
import json, resource, sys, trio
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.errors import StoreReadOnly

async def main():
    async with Corestore.open(sys.argv[1]) as store:
        core = await store.get(name="log")
        await core.append(b"first")
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
        errors = []
        try:
            while True:
                await core.append([bytes(1000)] * 20)
        except StoreReadOnly as error:
            errors.append(str(error))
        for again in (core.append(b"x"), core.truncate(0), store.records.table("t").put(b"", b"")):
            try:
                await again
            except StoreReadOnly as error:
                errors.append(str(error))
        readable = [len(await core.get(i)) for i in (0, core.length - 1)]
        print(json.dumps({"errors": errors, "length": core.length, "readable": readable}))

trio.run(main)
"""


@pytest.mark.parametrize("limit_bytes", [300_000, 1_000_000])
def test_a_file_that_may_not_grow(tmp_path: Path, limit_bytes: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILLS_ITS_LIMIT, str(tmp_path), str(limit_bytes)],
        stdout=subprocess.PIPE,
        check=True,
    )
    report = json.loads(done.stdout)
    assert len(report["errors"]) == 4
    assert all("cannot be written" in error for error in report["errors"])
    assert report["readable"] == [5, 1000]

    async def reopen() -> None:
        async with Corestore.open(tmp_path) as store:
            core = await store.get(name="log")
            # What was reported is there; the failed append may not be.
            assert core.length == report["length"]
            assert await core.append(b"more") == report["length"] + 1

    assert list(check_directory(tmp_path)) == []
    trio.run(reopen)
    assert list(check_directory(tmp_path)) == []
