"""Audits by several processes: the same verdict as by one, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from protocol.encoding.msgpack import pack
from protocol.transparency.frauds import UncertaintyCode
from simulations.actors.cheating_executor import CHEATS, cheating_database
from tests.contract_sources import COUNTER
from tests.same_keys import SameKeys
from vitra_node.database import Database
from vitra_node.errors import CannotTellYet, UsageProblem
from vitra_node.frauds import ContractFraudProof
from vitra_node.roles.audits import audit, workers
from vitra_node.roles.audits.messages import (
    FrameError,
    decode_body_untrusted,
    decode_verdict_untrusted,
    encode_frame,
)
from vitra_node.roles.audits.workers import AuditWorker, WorkerLost
from vitra_node.roles.stored_operations import StoredOperations
from vitra_node.storage.errors import StorageError

# Enough for two segments.
OPERATIONS = 420
SECONDS = 60


async def increment(database: Database, times: int) -> None:
    assert database.local_oplog is not None
    length = database.index.length
    await database.local_oplog.core.append([pack({"op": "INCREMENT", "amount": 1})] * times)
    await database.index.core.wait_for_length(length + 2 * times)


async def test_the_same_verdict_as_by_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = count_workers(monkeypatch)
    with trio.fail_after(SECONDS):
        async with Database.create(tmp_path, contract=COUNTER) as database:
            await increment(database, OPERATIONS)
            alone = await database.verify()
            assert started == []
            report = await database.verify(jobs=3)
            assert (report.verdict, report.operations) == ("verified", OPERATIONS)
            assert (report.index_length, report.start) == (alone.index_length, 1)
            assert len(started) == 2
            # They are ended with the audit, and so are those they had started.
            assert not any(map(is_running, started))
            sampled = await database.verify(sample=0.1, seed="a")
            again = await database.verify(sample=0.1, seed="a", jobs=2)
            assert 10 < sampled.operations == again.operations < 90
            middle = alone.index_length // 2
            rest = await database.verify(start=middle)
            assert rest.start in (middle - 1, middle)
            assert rest.operations == (alone.index_length - rest.start) // 2
            assert (await database.verify(start=alone.index_length)).operations == 0
    assert sampled.sample is not None


async def test_a_violation_is_found_and_proven() -> None:
    with trio.fail_after(SECONDS):
        async with cheating_database(CHEATS["writes another value"].cheat) as database:
            assert database.local_oplog is not None
            # Three changes each, and so many that there are two segments.
            operations = [pack({"op": "PUT", "entries": {"a": n, "b": 2}}) for n in range(210)]
            await database.local_oplog.core.append(operations)
            await database.index.core.wait_for_length(4 + 4 * 210)
            with pytest.raises(ContractFraudProof) as alone:
                await database.verify()
            for sample in (None, 1.0):
                with pytest.raises(ContractFraudProof) as found:
                    await database.verify(jobs=2, sample=sample)
                assert found.value.proof.violation == alone.value.proof.violation
                assert found.value.proof.evidence is not None
                # Kept once, however it was found.
                assert found.value.id == alone.value.id
            # What is before the beginning is not looked at.
            assert (await database.verify(start=600)).verdict == "verified"


async def test_a_block_that_is_no_entry_is_found_by_every_audit() -> None:
    with trio.fail_after(SECONDS):
        async with Database.create(None, contract=COUNTER) as database:
            await increment(database, OPERATIONS)
            length = database.index.length
            # Its executor reads no more of it than it wrote.
            await database.index.core.append([b"\xff no entry", b"\xff none either"])
            for arguments in ({}, {"jobs": 2}, {"sample": 1.0}, {"start": length - 3}):
                with pytest.raises(ContractFraudProof) as found:
                    await database.verify(**arguments)  # type: ignore[arg-type]
                assert (found.value.code, found.value.seq) == ("InvalidSchema", length)
            # Behind it nothing can be read, and nobody is accused over what cannot be read.
            report = await database.verify(start=length + 1)
            assert report.verdict == "cannot tell"


async def test_what_is_no_scope() -> None:
    async with Database.create(None, contract=COUNTER) as database:
        for arguments in (
            {"jobs": 0},
            {"jobs": 65},
            {"sample": 0.0},
            {"sample": 1.5},
            {"sample": float("nan")},
            {"seed": "without a sample"},
            {"sample": 0.5, "seed": "x" * 2000},
        ):
            with pytest.raises(UsageProblem):
                await database.verify(**arguments)  # type: ignore[arg-type]
        with pytest.raises(CannotTellYet):
            await database.verify(start=100)
        assert (await database.verify(start=0, sample=0.5, jobs=64)).verdict == "verified"


@pytest.mark.parametrize(
    "arguments", [{"jobs": 2}, {"start": 700}, {"sample": 0.05, "seed": "x", "jobs": 2}]
)
async def test_what_is_missing_comes_from_peers_or_cannot_be_told(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    with trio.fail_after(SECONDS):
        async with (
            Database.create(None, contract=COUNTER, world=SameKeys()) as database,
            Database.load(tmp_path, database.key, sparse=True) as copy,
        ):
            await increment(database, OPERATIONS)
            host, port = await database.listen("127.0.0.1", 0)
            await copy.connect(host, port)
            await copy.index.core.update(wait=True)
            await copy.index.core.wait_for_length(database.index.length)
            assert not copy.index.core.has(800)
            report = await copy.verify(**arguments)
            assert report.verdict == "verified"
            assert report.operations > 0
            # A sample, or the end, needs far from all of it.
            if "jobs" not in arguments or "sample" in arguments:
                here = sum(map(copy.index.core.has, range(copy.index.length)))
                assert here < copy.index.length // 2
            # What was read is here now; take the middle away, and the peer.
            await copy.index.core.clear(400, 800)
        async with Database.load(tmp_path, sparse=True) as copy:
            alone = await copy.verify(**arguments)
    assert alone.verdict == "cannot tell", alone
    assert copy.frauds() == []


# Processes that end -------------------------------------------------------------------------------


async def test_a_lost_process_accuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first to be given a part dies with it; another takes its place."""
    deaths = iter([True])

    async def replay(worker: AuditWorker, part: Any) -> Any:
        if next(deaths, False):
            os.kill(worker.pid, signal.SIGKILL)
        return await genuine(worker, part)

    genuine = AuditWorker.replay
    started = count_workers(monkeypatch)
    monkeypatch.setattr(AuditWorker, "replay", replay)
    with trio.fail_after(SECONDS):
        async with Database.create(None, contract=COUNTER) as database:
            await increment(database, OPERATIONS)
            report = await database.verify(jobs=2)
    assert report.verdict == "cannot tell"
    assert report.reason is not None
    assert "was lost: it was killed by signal 9" in report.reason
    assert database.frauds() == []
    assert len(started) == 3


async def test_a_process_that_cannot_start_accuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_command", lambda leash: [sys.executable, "-c", "exit(3)"])
    with trio.fail_after(SECONDS):
        async with Database.create(None, contract=COUNTER) as database:
            await increment(database, OPERATIONS)
            report = await database.verify(jobs=2)
    assert report.verdict == "cannot tell"
    assert "it ended with code 3" in (report.reason or "")
    assert report.operations == 0


async def test_a_failing_store_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(worker: AuditWorker, items: list[Any]) -> Any:
        await trio.lowlevel.checkpoint()
        raise StorageError("the disk is gone")

    started = count_workers(monkeypatch)
    monkeypatch.setattr(AuditWorker, "_answer", fail)
    with trio.fail_after(SECONDS):
        async with Database.create(None, contract=COUNTER) as database:
            await increment(database, OPERATIONS)
            with pytest.raises(StorageError, match="the disk is gone"):
                await database.verify(jobs=2)
    assert not any(map(is_running, started))


async def test_a_cancelled_audit_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    started = count_workers(monkeypatch)
    with trio.fail_after(SECONDS):
        async with Database.create(None, contract=COUNTER) as database:
            await increment(database, OPERATIONS)
            with trio.CancelScope() as scope:

                async def answer(worker: AuditWorker, items: list[Any]) -> Any:
                    # It is at work: it has asked for something.
                    scope.cancel()
                    return await genuine(worker, items)

                genuine = AuditWorker._answer
                monkeypatch.setattr(AuditWorker, "_answer", answer)
                await database.verify(jobs=2)
            assert scope.cancelled_caught
            assert started
            assert not any(map(is_running, started))
            monkeypatch.undo()
            assert (await database.verify(jobs=2)).verdict == "verified"


AUDITING = """
import sys, trio
from vitra_node.database import Database
from vitra_node.roles.audits.workers import AuditWorker
genuine = AuditWorker._answer
async def answer(worker, items):
    print(worker.pid, flush=True)
    return await genuine(worker, items)
AuditWorker._answer = answer
async def main():
    async with Database.load(sys.argv[1]) as database:
        while True:
            await database.verify(jobs=2)
trio.run(main)
"""


async def test_a_killed_node_leaves_nothing(tmp_path: Path) -> None:
    """Also processes that are in the middle of a replay notice, and their contract workers."""
    with trio.fail_after(SECONDS):
        async with Database.create(tmp_path, contract=COUNTER) as database:
            await increment(database, OPERATIONS)
        command = [sys.executable, "-c", AUDITING, str(tmp_path)]
        node = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
        try:
            assert node.stdout is not None
            said = b""
            while len(set(said.split(b"\n")[:-1])) < 2:
                said += await node.stdout.receive_some()
            pids = {int(line) for line in said.split(b"\n")[:-1]}
            family = pids | {child for pid in pids for child in children_of(pid)}
            handles = [os.pidfd_open(pid) for pid in family if is_running(pid)]
            assert handles
        finally:
            node.kill()
            await node.wait()
        for handle in handles:
            # Readable once that process has ended.
            await trio.lowlevel.wait_readable(handle)
            os.close(handle)


# Messages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"\x90", b"\x91\x01", b"\x80", b"\xa1x", b"\x91" * 10_000, b"\x91\xa1x\x00"],
)
def test_bodies_that_are_no_message(body: bytes) -> None:
    with pytest.raises(FrameError):
        decode_body_untrusted(body)


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        ["verified"],
        ["verified", b"no state"],
        ["violated", b"", "{}"],
        ["cannot tell", b"", "no code", "reason", 1],
        ["cannot tell", b"", UncertaintyCode.CANNOT_FETCH_OP.value, "reason", 1],
        ["something", b""],
    ],
)
def test_rows_that_are_no_verdict(row: Any) -> None:
    with pytest.raises(FrameError):
        decode_verdict_untrusted(row)


@pytest.mark.parametrize(
    "said",
    [
        encode_frame("blocks", "a", "b"),
        encode_frame("operations", [1]),
        encode_frame("nothing known"),
        encode_frame("verdicts", [[]]),
        encode_frame("fault", "out of luck"),
        b"\xff\xff\xff\xff",
        b"\x00\x00",
        b"\x00\x00\x00\x01\xc1",
        b"",
    ],
)
async def test_a_process_that_says_what_it_should_not(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"import sys; sys.stdout.buffer.write({said!r})"
    monkeypatch.setattr(workers, "_command", lambda leash: [sys.executable, "-c", code])
    with trio.fail_after(SECONDS):
        async with Database.create(None, contract=COUNTER) as database:
            core = audit.PatientCore(database.index.core, database.index.length, 0.0)
            operations = audit.StoredOperations(database._oplogs, 0.0)
            async with workers.open_worker(core, operations, None) as worker:
                with pytest.raises(WorkerLost):
                    await worker.replay(audit.Sampled((1,)))


async def test_operations_are_given_many_at_a_time() -> None:
    """The same as one by one, whatever is asked for in whatever order."""
    with trio.fail_after(SECONDS):
        async with Database.create(None, contract=COUNTER) as database:
            await increment(database, 50)
            assert database.local_oplog is not None
            own, other = database.local_oplog.key, bytes(32)
            names = [(own, seq) for seq in (0, 1, 2, 9, 3, 4, 60, 5, 5, 6)]
            names += [(other, 0), (other, 1), (own, 7)]
            single = StoredOperations(database._oplogs, 0.0)
            expected = [await single.operation(*name) for name in names]
            assert [facts is None for facts in expected].count(True) == 3
            source = StoredOperations(database._oplogs, 0.0)
            assert await source.some(names, 10_000) == expected
            assert await source.some(names, 1) == expected[:1]
            assert expected[0] is not None
            assert await source.some(names, len(expected[0].block) + 1) == expected[:2]


def count_workers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The process ids of the workers that are started from now on."""
    started: list[int] = []
    genuine: Callable[..., None] = AuditWorker.__init__

    def start(worker: AuditWorker, *arguments: Any) -> None:
        genuine(worker, *arguments)
        started.append(worker.pid)

    monkeypatch.setattr(AuditWorker, "__init__", start)
    return started


def children_of(pid: int) -> Sequence[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def is_running(pid: int) -> bool:
    """Whether there is such a process that is not only waiting to be reaped by somebody."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
