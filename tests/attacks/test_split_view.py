"""Writers with two histories, and readers that find out: on real stores, sessions and directories.

``VITRA_TEST_SPLITS=100`` for the full number of runs.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from protocol.crypto.keys import KeyPair
from protocol.transparency.proofs.log_frauds import (
    BlockRewriteFraudProof,
    LogForkFraudProof,
    LogFraudProof,
    read_log_fraud_proof_untrusted,
)
from tests.cli.processes import ok, vitra
from tests.contract_sources import COUNTER, MEMBERS
from vitra_node import log_frauds
from vitra_node.database import Database
from vitra_node.roles.monitor import ForkFound, Validated
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.errors import LogViolated
from vitra_node.storage.log.hypercore import Hypercore

from .mirrors import connected
from .strangers import check_elsewhere

RUNS = int(os.environ.get("VITRA_TEST_SPLITS", "12"))
WRITER = KeyPair.from_seed(b"\x66" * 32)


def blocks(count: int, split: int, word: bytes) -> list[bytes]:
    return [b"%s %d" % (b"same" if i < split else word, i) for i in range(count)]


async def proven(core: Hypercore) -> LogFraudProof:
    assert core.heads is not None
    while core.heads.proof is None:
        await core.wait_for_activity()
    proof = read_log_fraud_proof_untrusted(core.heads.proof.to_json())
    proof.check_untrusted(core.key)
    return proof


@pytest.mark.parametrize("run", range(RUNS))
async def test_two_monitors_that_know_each_other_convict_a_writer_with_two_faces(run: int) -> None:
    rng = random.Random(run)
    split, a, b = rng.randrange(10), rng.randrange(11, 60), rng.randrange(11, 60)
    with trio.fail_after(30):
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(Corestore.open(None)) for _ in range(4)]
            faces, monitors = stores[:2], stores[2:]
            cores = []
            for face, monitor, word, count in zip(
                faces, monitors, (b"one", b"other"), (a, b), strict=True
            ):
                shown = await face.get(key_pair=WRITER)
                await shown.append(blocks(count, split, word))
                core = await monitor.get(key=shown.key, allow_truncation=False)
                await stack.enter_async_context(connected(face, monitor))
                await core.wait_for_length(count)
                if rng.random() < 0.7:
                    await core.download()
                cores.append(core)
            async with connected(*monitors):
                for core in cores:
                    assert isinstance(await proven(core), BlockRewriteFraudProof)
            assert [core.length for core in cores] == [a, b]
            # Nothing more is accepted from either face.
            await (await faces[0].get(key_pair=WRITER)).append(b"more")
            await trio.testing.wait_all_tasks_blocked()
            assert cores[0].length == a


@pytest.mark.parametrize("run", range(RUNS))
async def test_a_log_cut_and_grown_again_while_a_peer_syncs_is_convicted_by_that_peer(
    run: int,
) -> None:
    rng = random.Random(run)
    count = rng.randrange(2, 80)
    kept, more = rng.randrange(1, count), rng.randrange(1, 80)
    with trio.fail_after(30):
        async with Corestore.open(None) as writer, Corestore.open(None) as reader:
            log = await writer.get(key_pair=WRITER)
            await log.append(blocks(count, count, b""))
            core = await reader.get(key=log.key, allow_truncation=False)
            async with connected(writer, reader):
                with core.tail(0):
                    await core.wait_for_length(1)
                    for _ in range(rng.randrange(6)):
                        await trio.lowlevel.checkpoint()
                    before = core.head
                    await log.truncate(kept)
                    await log.append(blocks(more, 0, b"new"))
                    proof = await proven(core)
            assert isinstance(proof, LogForkFraudProof)
            assert proof.truncation.head.fork == 1
            assert core.head == before


@pytest.mark.parametrize("run", range(RUNS))
async def test_a_writer_that_comes_back_with_another_history_is_convicted(run: int) -> None:
    """The same fork number, so that nothing but the trees tells."""
    rng = random.Random(run)
    count, other = rng.randrange(2, 60), rng.randrange(2, 60)
    split = rng.randrange(min(count, other))
    with trio.fail_after(30):
        async with Corestore.open(None) as reader:
            core = None
            for word, length in ((b"one", count), (b"other", other)):
                async with Corestore.open(None) as writer:
                    log = await writer.get(key_pair=WRITER)
                    await log.append(blocks(length, split, word))
                    core = core or await reader.get(key=log.key, allow_truncation=False)
                    async with connected(writer, reader):
                        if word == b"one":
                            await core.wait_for_length(count)
                            await core.download()
                        else:
                            assert isinstance(await proven(core), BlockRewriteFraudProof)
            assert core is not None
            assert core.length == count


async def test_an_executor_whose_key_was_used_elsewhere_stops_and_says_so(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with Database.create(tmp_path / "one", contract=COUNTER) as executor:
            key = executor.key
        shutil.copytree(tmp_path / "one", tmp_path / "other")
        async with (
            Database.load(tmp_path / "one") as one,
            Database.load(tmp_path / "other") as other,
        ):
            for executor, amount in ((one, 1), (other, 2)):
                await (await executor.call("increment", {"amount": amount})).when_processed()
            await one.connect(*await other.listen("127.0.0.1", 0))
            for executor in (one, other):
                assert (await forked(executor, key)).whose == "executor"
                with pytest.raises(LogViolated):
                    await executor.call("increment")
                assert executor.index.length == 6
                assert "signed elsewhere" in (executor.executor_fault or "")


# Whole databases ----------------------------------------------------------------------------------


async def forked(database: Database, key: bytes) -> log_frauds.LogForkFraudProof:
    """Wait until the database knows that one of its logs has two histories."""
    while True:
        for fork in database.forks:
            if fork.proof.log_key == key:
                return fork
        logs = [database.index.core, *(oplog.core for oplog in database.oplogs)]
        await next((log for log in logs if log.key == key), logs[0]).wait_for_activity()


async def test_an_executor_with_two_faces(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with Database.create(tmp_path / "one", contract=COUNTER) as executor:
            key = executor.key
        shutil.copytree(tmp_path / "one", tmp_path / "other")
        async with (
            Database.load(tmp_path / "one") as one,
            Database.load(tmp_path / "other") as other,
            Database.load(tmp_path / "first", key) as first,
            Database.load(tmp_path / "second", key) as second,
        ):
            for executor, monitor, amount in ((one, first, 1), (other, second, 2)):
                await (await executor.call("increment", {"amount": amount})).when_processed()
                await monitor.connect(*await executor.listen("127.0.0.1", 0))
                await monitor.index.core.wait_for_length(6)
                assert (await monitor.verify()).operations == 1
            async with first.monitor() as events:
                await second.connect(*await first.listen("127.0.0.1", 0))
                for monitor in (first, second):
                    fork = await forked(monitor, key)
                    assert isinstance(fork, log_frauds.BlockRewriteFraudProof)
                    assert fork.whose == "executor"
                    with pytest.raises(log_frauds.LogForkFraudProof) as caught:
                        await monitor.verify()
                    assert caught.value.exit_code == 21
                    assert caught.value.file is not None
                    read_log_fraud_proof_untrusted(caught.value.file.read_text()).check_untrusted()
                    assert fork.id in [kept.id for kept in monitor.frauds()]
                    assert monitor.fraud(fork.id).to_json() == fork.to_json()
                told = [event async for event in events]
            last = told[-1]
            assert isinstance(last, ForkFound)
            assert last.is_of_index
        # It is known after a restart, without any peer.
        async with Database.load(tmp_path / "first") as again:
            with pytest.raises(log_frauds.LogForkFraudProof):
                await again.verify()
            assert again.index.length == 6
        await trio.to_thread.run_sync(read_as_a_user, tmp_path / "first", tmp_path / "fresh", key)


def read_as_a_user(directory: Path, fresh: Path, key: bytes) -> None:
    """Exit code 21, the proof among the others, and somebody else who checks it."""
    told = vitra(directory, "verify", "--json")
    assert told.code == 21, told.err
    report = json.loads(told.out)
    assert report["verdict"] == "violated"
    assert (report["kind"], report["whose"]) == ("BlockRewriteFraudProof", "executor")
    assert report["log"] == key.hex()
    assert "two histories" in vitra(directory, "verify").out
    watched = vitra(directory, "monitor", "--json")
    assert watched.code == 21, watched.err
    last = json.loads(watched.out.splitlines()[-1])
    assert (last["event"], last["kind"]) == ("violation", "BlockRewriteFraudProof")
    [kept] = [each for each in ok(directory, "fraud", "ls") if report["reason"] == each["reason"]]
    fresh.mkdir()
    proof = fresh / "proof.json"
    ok(directory, "fraud", "export", kept["id"], "-o", str(proof))
    checked = vitra(fresh, "proof", "check", str(proof), "--key", key.hex(), "--json")
    assert checked.code == 21, checked.err
    assert json.loads(checked.out)["verdict"] == "violated"
    # Somebody else's log is not accused by it.
    other = vitra(fresh, "proof", "check", str(proof), "--key", bytes(32).hex())
    assert other.code == 4


async def test_a_participant_that_forks_its_oplog_is_the_only_one_accused(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with AsyncExitStack() as stack:
            executor = await stack.enter_async_context(
                Database.create(tmp_path / "executor", contract=MEMBERS)
            )
            address = await executor.listen("127.0.0.1", 0)
            async with Database.load(tmp_path / "one", executor.key) as participant:
                await participant.connect(*address)
                await participant.sync()
                oplog = await participant.create_oplog()
                await (await executor.call("admit", {"key": oplog.key.hex()})).when_processed()
                while not oplog.active:
                    await participant.index.core.wait_for_length(participant.index.length + 1)
                    await trio.testing.wait_all_tasks_blocked()
                await participant.sync(full=True)
            shutil.copytree(tmp_path / "one", tmp_path / "other")
            one = await stack.enter_async_context(Database.load(tmp_path / "one"))
            other = await stack.enter_async_context(Database.load(tmp_path / "other"))
            monitor = await stack.enter_async_context(
                Database.load(tmp_path / "monitor", executor.key)
            )
            # The monitor has the history that the executor never sees.
            await other.call("put", {"path": "/a", "value": "shown to the monitor"})
            await monitor.connect(*await other.listen("127.0.0.1", 0))
            await monitor.sync(full=True)
            await one.connect(*address)
            transaction = await one.call("put", {"path": "/a", "value": "shown to the executor"})
            await transaction.when_processed()
            async with monitor.monitor() as events:
                await monitor.connect(*address)
                for database in (monitor, executor):
                    fork = await forked(database, oplog.key)
                    assert fork.whose == "participant"
                    assert isinstance(fork, log_frauds.BlockRewriteFraudProof)
                async for event in events:
                    assert isinstance(event, Validated | ForkFound) or event.code == "OplogForked"
                    if not isinstance(event, Validated | ForkFound):
                        break
            assert [fork.proof.log_key for fork in monitor.forks] == [oplog.key]
            assert [fork.proof.log_key for fork in executor.forks] == [oplog.key]
            for database in (monitor, executor):
                with pytest.raises(log_frauds.LogForkFraudProof, match=oplog.key.hex()):
                    await database.verify()
            # Others work on as before, and nobody takes what the forger publishes.
            await (await executor.call("put", {"path": "/b", "value": 1})).when_processed()
            assert (await executor.index.get("/a")).value == "shown to the executor"  # type: ignore[union-attr]
        await trio.to_thread.run_sync(
            read_as_a_stranger, tmp_path / "monitor", tmp_path / "fresh", oplog.key
        )


def read_as_a_stranger(directory: Path, fresh: Path, oplog: bytes) -> None:
    """What the monitor exports names the participant to somebody without database and network."""
    told = vitra(directory, "verify", "--json")
    assert told.code == 21, told.err
    report = json.loads(told.out)
    assert (report["whose"], report["log"]) == ("participant", oplog.hex())
    [kept] = ok(directory, "fraud", "ls")
    assert kept["kind"] == "BlockRewriteFraudProof"
    assert ok(directory, "fraud", "show", kept["id"])["proof"]["logKey"] == oplog.hex()
    fresh.mkdir()
    proof = fresh / "proof.json"
    ok(directory, "fraud", "export", kept["id"], "-o", str(proof))
    answer = check_elsewhere(proof, 21, "--key", oplog.hex())
    assert (answer["verdict"], answer["kind"]) == ("violated", "BlockRewriteFraudProof")
    assert check_elsewhere(proof, 4, "--key", bytes(32).hex())["verdict"] == "rejected"
