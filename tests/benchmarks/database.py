"""A database end to end, on disk: the counter contract, its executor, and a replay of it.

There is no live original to compare with; the references are what it did on a machine of the same
kind.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import trio

from protocol.encoding.msgpack import pack
from tests.contract_sources import COUNTER
from vitra_node.api.proofs import check_proof
from vitra_node.database import Database
from vitra_node.transactions import Operation, Transaction

from .processes import Side, run_step
from .resident_memory import resident_megabytes
from .stopwatch import Stopwatch
from .subject import Row, Subject

CALLERS = 50
# The ack and the counter's new value.
_BLOCKS_PER_OPERATION = 2
_PROOFS = 20


async def execute(watch: Stopwatch, path: str, row: str, calls: int, burst: int) -> None:
    """Execute what concurrent callers publish, then as much again as ``burst`` says, at once."""
    async with Database.create(path, contract=COUNTER) as database:
        await (await database.call("increment")).when_processed()

        async def caller() -> None:
            for _ in range(calls // CALLERS):
                await (await database.call("increment")).when_processed()

        if calls:
            with watch.rate("execute-callers", calls):
                async with trio.open_nursery() as nursery:
                    for _ in range(CALLERS):
                        nursery.start_soon(caller)
        oplog = database.local_oplog
        assert oplog is not None
        blocks = [pack({"op": "INCREMENT", "amount": 1})] * burst
        with watch.rate(row, burst):
            length = database.index.length
            await oplog.core.append(blocks)
            await database.index.core.wait_for_length(length + burst * _BLOCKS_PER_OPERATION)
        entry = await database.index.get("/counter")
        assert entry is not None
        assert entry.value == 1 + calls + burst


async def restart(watch: Stopwatch, path: str, row: str) -> None:
    """Open an executor's directory and have it execute a new operation."""
    with watch.seconds(row):
        async with Database.load(path) as database:
            await (await database.call("increment")).when_processed()


async def verify(watch: Stopwatch, path: str, operations: int) -> None:
    """Replay the whole index."""
    async with Database.load(path) as database:
        with watch.rate("verify", operations):
            report = await database.verify()
        assert (report.verdict, report.operations) == ("verified", operations), report


async def verify_jobs(watch: Stopwatch, path: str, row: str, operations: int, jobs: int) -> None:
    """Replay a longer index, alone or by several processes."""
    async with Database.load(path) as database:
        with watch.rate(row, operations):
            report = await database.verify(jobs=jobs)
        assert (report.verdict, report.operations) == ("verified", operations), report


async def prove(watch: Stopwatch, path: str, operations: int) -> None:
    """Prove results all over a long index, and check the files as ``vitra proof check`` does.

    The values are those of the largest proof, and the median of the times.
    """
    proofs = []
    async with Database.load(path) as database:
        oplog = database.local_oplog
        assert oplog is not None
        for number in range(_PROOFS):
            operation = Operation(oplog.key, operations * number // _PROOFS, None)
            call = Transaction(None, "", None, None, [operation], database.index)
            proofs += await database.prove_transaction(call)
        key = database.key
    seconds = []
    for proof in proofs:
        file = Path(path) / "result.json"
        file.write_text(proof.to_json())
        begun = time.perf_counter()
        found = check_proof(file, key)
        seconds.append(time.perf_counter() - begun)
        assert found["verdict"] == "verified", found
    watch.values["result-proof-size"] = max(len(proof.to_json()) for proof in proofs) / 1024
    watch.values["result-proof-check"] = 1000 * median(seconds)


async def call(watch: Stopwatch, path: str, calls: int) -> None:
    """Call a method that only reads; then see how much memory the node has come to need."""
    async with Database.load(path) as database:
        await (await database.call("increment")).when_processed()
        with watch.rate("call-get", calls):
            for _ in range(calls):
                await database.call("get")
        watch.values["memory"] = await trio.to_thread.run_sync(resident_megabytes)


def _measure(side: Side, directory: Path, quick: bool, profile: bool) -> Mapping[str, float]:
    calls, burst, gets, short = (50, 50, 20, 20) if quick else (2000, 1000, 1000, 300)
    long = 500 if quick else 50_000
    path = directory / "database"
    values = run_step(
        side, "database-execute", profile, path=path, row="execute-burst", calls=calls, burst=burst
    )
    values |= run_step(side, "database-restart", profile, path=path, row="restart")
    # One to begin with, and one after the restart.
    operations = 1 + calls + burst + 1
    values |= run_step(side, "database-verify", profile, path=path, operations=operations)
    values |= run_step(side, "database-call", profile, path=path, calls=gets)
    path = directory / "short"
    run_step(side, "database-execute", path=path, row="not shown", calls=0, burst=short)
    values |= run_step(side, "database-restart", path=path, row="restart-short")
    path = directory / "long"
    run_step(side, "database-execute", path=path, row="not shown", calls=0, burst=long)
    for row, jobs in (("verify-long", 1), ("verify-jobs", 2)):
        step = {"path": path, "row": row, "operations": 1 + long, "jobs": jobs}
        values |= run_step(side, "database-verify-jobs", profile, **step)
    values["verify-gain"] = values["verify-jobs"] / values["verify-long"]
    values |= run_step(side, "database-prove", profile, path=path, operations=1 + long)
    return values


SUBJECT = Subject(
    "database",
    (
        Row(
            "execute-callers",
            f"operations executed, {CALLERS} callers that wait",
            "ops/s",
            bar=2500,
            reference="115 to 155",
        ),
        Row(
            "execute-burst",
            "operations executed, 1,000 at once",
            "ops/s",
            bar=2500,
            reference="115 to 155",
        ),
        Row("verify", "operations verified", "ops/s", bar=2000, reference="165 to 220"),
        Row("verify-long", "the same of 50,000", "ops/s"),
        Row("verify-jobs", "the same with --jobs 2", "ops/s"),
        Row("verify-gain", "how much faster that is", "x", bar=1.8, reference="one process"),
        Row(
            "result-proof-size",
            "proof of a result at 100,000 blocks",
            "KiB",
            bar=8,
            less_is_better=True,
            reference="none",
        ),
        Row(
            "result-proof-check",
            "checking it, start-up aside",
            "ms",
            bar=50,
            less_is_better=True,
            reference="none",
        ),
        Row("call-get", "calls of get, one by one", "calls/s", bar=3000, reference="610 to 720"),
        Row(
            "restart",
            "load to first new op, 3,000 ops",
            "s",
            bar=1,
            less_is_better=True,
            reference="14.6 to 20",
        ),
        Row(
            "restart-short",
            "load to first new op, 300 ops",
            "s",
            bar=1,
            less_is_better=True,
            reference="1.9",
        ),
        Row(
            "memory",
            "memory of a node with its workers",
            "MB",
            bar=120,
            less_is_better=True,
            reference="200 to 230",
        ),
    ),
    _measure,
    has_theirs=False,
)
