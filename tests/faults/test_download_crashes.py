"""``kill -9`` at any moment of a download: the store checks clean, and goes on where it was.

``VITRA_CRASHES`` sets how many moments are tried (30 unless set).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import trio

from vitra_node.storage.care.fsck import check_directory
from vitra_node.storage.corestore import Corestore

CRASHES = int(os.environ.get("VITRA_CRASHES", "30"))
BLOCKS = 6000

# Serves a log of ``BLOCKS`` blocks until its input ends.
SERVER = """
import sys, trio
from protocol.crypto.keys import KeyPair
from vitra_node.config import Address
from vitra_node.net.connections import Connections
from vitra_node.net.tcp import serve_tcp
from vitra_node.storage.corestore import Corestore
from tests.faults.test_download_crashes import BLOCKS, block

async def main():
    async with Corestore.open(None) as store, trio.open_nursery() as nursery:
        core = await store.get(name="log")
        await core.append([block(index) for index in range(BLOCKS)])
        connections = Connections(store.cores, KeyPair.from_seed(bytes(32)))
        bound = await nursery.start(serve_tcp, Address("127.0.0.1", 0), connections)
        print(core.key.hex(), bound[0].port, flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()

trio.run(main)
"""

# Downloads from both ends of the log. A record is written after what it speaks of, and rounds are
# in order, so when it is durable the blocks are. Each line of input forks a reader.
READER = """
import os, sys, trio
from protocol.crypto.keys import KeyPair
from vitra_node.config import Address
from vitra_node.net.connections import Connections
from vitra_node.net.tcp import connect_tcp
from vitra_node.storage.corestore import Corestore

async def main(directory, key, port):
    async with Corestore.open(directory) as store, trio.open_nursery() as nursery:
        core = await store.get(key=bytes.fromhex(key))
        table = store.records.table("test")
        print("ready", os.getpid(), flush=True)
        connections = Connections(store.cores, KeyPair.from_seed(bytes(32)), store.wait_for_room)
        nursery.start_soon(connect_tcp, Address("127.0.0.1", int(port)), connections)
        await core.update()
        nursery.start_soon(core.download, 0, core.length)
        nursery.start_soon(core.download, core.length // 2, core.length)
        while True:
            stored, length = core.contiguous_length, core.length
            await table.put(b"stored", b"%d" % stored)
            print(length, stored, flush=True)
            # Activity is not remembered, so what came while the record was written is looked for.
            if core.contiguous_length == stored:
                await core.wait_for_activity()

for line in sys.stdin:
    child = os.fork()
    if not child:
        trio.run(main, line.strip(), sys.argv[1], sys.argv[2])
    os.waitpid(child, 0)
    print("\\ndead", flush=True)
"""


def block(index: int) -> bytes:
    """A block of 0 to 299 bytes."""
    return (b"%d " % index * 60)[: index % 300]


def start(stack: ExitStack, program: str, *arguments: str) -> subprocess.Popen[str]:
    return stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    )


def download_until_killed(
    reader: subprocess.Popen[str], directory: Path, lines: int
) -> tuple[int, int]:
    """Kill it after so many lines of output; gives the greatest length and number of blocks."""
    assert reader.stdin is not None
    assert reader.stdout is not None
    reader.stdin.write(f"{directory}\n")
    reader.stdin.flush()
    ready, pid = reader.stdout.readline().split()
    assert ready == "ready"
    length = stored = 0
    killed = False
    for number, line in enumerate(reader.stdout):
        words = line.split()
        if words == ["dead"]:
            break
        # The last line may have been cut by the kill.
        if len(words) == 2 and line.endswith("\n") and number <= lines:
            length, stored = int(words[0]), int(words[1])
        if not killed and (number >= lines or stored == BLOCKS):
            os.kill(int(pid), signal.SIGKILL)
            killed = True
    return length, stored


async def check(directory: Path, key: str, length: int, stored: int) -> int:
    """What was reported is there; gives how many blocks there are."""
    async with Corestore.open(directory) as store:
        core = await store.get(key=bytes.fromhex(key))
        assert core.length >= length
        assert core.contiguous_length >= stored
        noted = store.records.table("test").get(b"stored")
        assert noted is None or core.contiguous_length >= int(noted)
        here = [index for index in range(core.length) if core.has(index)]
        for index in here:
            assert core.local_block(index) == block(index)
        return len(here)


def test_killed_at_any_moment_of_a_download(tmp_path: Path) -> None:
    randomness = random.Random(20240608)
    directory, downloads, resumed = tmp_path / "store", 0, 0
    with ExitStack() as stack:
        server = start(stack, SERVER)
        assert server.stdout is not None
        key, port = server.stdout.readline().split()
        reader = start(stack, READER, key, port)
        for _ in range(CRASHES):
            length, stored = download_until_killed(reader, directory, randomness.randrange(40))
            here = trio.run(check, directory, key, length, stored)
            assert list(check_directory(directory)) == []
            resumed += 0 < here < BLOCKS
            if here == BLOCKS:
                downloads += 1
                shutil.rmtree(directory)
        for process in (reader, server):
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait() == 0
    assert resumed > CRASHES // 3
