"""``kill -9`` at any moment: what was reported is there afterwards, and all of it verifies.

``VITRA_CRASHES`` sets how many moments are tried (30 unless set).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import trio

from protocol.hypercore.merkle.quorum import verify_head
from vitra_node.storage.care.fsck import check_directory
from vitra_node.storage.corestore import Corestore

CRASHES = int(os.environ.get("VITRA_CRASHES", "30"))

# Several tasks append to two logs, single blocks and batches, and truncate one; after each durable
# step a line says so. A record goes with every append to the first log.
# Each line of input forks a writer, so that a crash costs no start of an interpreter.
WRITER = """
import os, random, sys, trio
from vitra_node.storage.corestore import Corestore

async def main(directory, seed):
    random.seed(seed)
    async with Corestore.open(directory) as store:
        log, cut = await store.get(name="log"), await store.get(name="cut")
        table = store.records.table("test")
        print("ready", os.getpid(), flush=True)

        async def append(core):
            while True:
                blocks = [b"%064d" % random.getrandbits(64)] * random.choice([1, 1, 1, 7, 40])
                also = [table.record(b"count", b"%d" % core.length)] if core is log else []
                length = await core.append(blocks, also=also)
                print("log" if core is log else "cut", length, core.fork, flush=True)

        async def truncate():
            while True:
                await cut.wait_for_length(random.randrange(1, 60))
                await cut.truncate(random.randrange(cut.length))
                print("fork", cut.fork, flush=True)

        async with trio.open_nursery() as nursery:
            for core in (log, log, log, cut):
                nursery.start_soon(append, core)
            nursery.start_soon(truncate)

for line in sys.stdin:
    child = os.fork()
    if not child:
        trio.run(main, sys.argv[1], int(line))
    os.waitpid(child, 0)
    print("\\ndead", flush=True)
"""


class Writer:
    """A process that writes, and is killed, again and again."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.length = 0
        self.fork = 0

    def run_until_killed(self, seed: int, lines: int) -> None:
        """Kill it after so many lines of output; what it reported by then has to be there."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{seed}\n")
        self.process.stdin.flush()
        ready, pid = self.process.stdout.readline().split()
        assert ready == "ready"
        for number, line in enumerate(self.process.stdout):
            if number == lines:
                os.kill(int(pid), signal.SIGKILL)
            if line == "dead\n":
                return
            self.hear(line)

    def hear(self, line: str) -> None:
        match line.split():
            case ["log", length, "0"]:
                self.length = max(self.length, int(length))
            case ["fork", fork]:
                self.fork = max(self.fork, int(fork))


async def check(directory: Path, length: int, fork: int) -> None:
    async with Corestore.open(directory) as store:
        log, cut = await store.get(name="log"), await store.get(name="cut")
        assert log.length >= length
        assert cut.fork >= fork
        for core in (log, cut):
            assert core.contiguous_length == core.length
            if core.length:
                assert core.manifest is not None
                assert verify_head(core.key, core.manifest, core.head)
        if log.length:
            # The record was committed with an append that began at this length or later.
            count = store.records.table("test").get(b"count")
            assert count is not None
            assert int(count) < log.length


def test_killed_at_any_moment(tmp_path: Path) -> None:
    randomness = random.Random(20240607)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        writer = Writer(process)
        for _ in range(CRASHES):
            writer.run_until_killed(randomness.getrandbits(30), randomness.randrange(60))
            trio.run(check, tmp_path, writer.length, writer.fork)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0
    assert writer.length > CRASHES
    assert list(check_directory(tmp_path)) == []


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    program = """
import sys, trio
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.errors import StoreInUse

async def main():
    try:
        async with Corestore.open(sys.argv[1]):
            print("opened")
    except StoreInUse as error:
        print("in use", sys.argv[1] in str(error))

trio.run(main)
"""

    async def attempt() -> bytes:
        done = await trio.run_process(
            [sys.executable, "-c", program, str(tmp_path)], capture_stdout=True
        )
        return bytes(done.stdout)

    async def run() -> None:
        async with Corestore.open(tmp_path) as store:
            core = await store.get(name="log")
            assert await attempt() == b"in use True\n"
            await core.append(b"still ours")
        assert await attempt() == b"opened\n"

    trio.run(run)
