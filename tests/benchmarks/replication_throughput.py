"""How fast one node of ours downloads a log from another, over TCP on one machine.

    python -m tests.benchmarks.replication_throughput --blocks 50000 --size 100
    python -m tests.benchmarks.replication_throughput --blocks 4000 --size 65536 --profile reader

Both ends are processes of their own. ``--disk`` keeps both logs in LMDB in a temporary directory.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trio

from protocol.crypto.keys import KeyPair
from vitra_node.config import Address
from vitra_node.net.connections import Connections
from vitra_node.net.tcp import connect_tcp, serve_tcp
from vitra_node.storage.corestore import Corestore

_BATCH = 1000


async def write(count: int, size: int, path: Path | None) -> None:
    """Fill a log, print its key and port, serve it until stdin closes."""
    async with Corestore.open(path) as store, trio.open_nursery() as nursery:
        core = await store.get(name="log")
        for start in range(0, count, _BATCH):
            span = range(start, min(start + _BATCH, count))
            await core.append([index.to_bytes(4, "big").ljust(size, b"x") for index in span])
        connections = Connections(store.cores, KeyPair.from_seed(b"\x01" * 32))
        bound = await nursery.start(serve_tcp, Address("127.0.0.1", 0), connections)
        print(json.dumps({"key": core.key.hex(), "port": bound[0].port}), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


async def read(count: int, key: bytes, port: int, path: Path | None) -> float:
    """Download the log; gives the seconds it took, from connecting on."""
    async with Corestore.open(path) as store, trio.open_nursery() as nursery:
        core = await store.get(key=key)
        connections = Connections(store.cores, KeyPair.from_seed(b"\x02" * 32))
        begun = time.perf_counter()
        nursery.start_soon(connect_tcp, Address("127.0.0.1", port), connections)
        await core.update()
        await core.download(0, count)
        seconds = time.perf_counter() - begun
        assert core.contiguous_length == count
        assert not connections.failures
        nursery.cancel_scope.cancel()
    return seconds


def measure(count: int, size: int, profile: str | None, on_disk: bool) -> dict[str, float]:
    """One run; gives blocks and megabytes a second."""
    with tempfile.TemporaryDirectory() as directory:
        where = Path(directory)
        arguments = ["--blocks", str(count), "--size", str(size), "--role", "writer"]
        if on_disk:
            arguments += ["--path", str(where / "writer")]
        if profile == "writer":
            arguments += ["--profile", "writer"]
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.replication_throughput", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert writer.stdin is not None
        assert writer.stdout is not None
        ready = json.loads(writer.stdout.readline())
        key = bytes.fromhex(ready["key"])
        profiler = cProfile.Profile() if profile == "reader" else None
        if profiler is not None:
            profiler.enable()
        path = where / "reader" if on_disk else None
        cpu = time.process_time()
        seconds = trio.run(read, count, key, ready["port"], path)
        cpu = time.process_time() - cpu
        if profiler is not None:
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
        writer.stdin.close()
        writer.wait()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(seconds, 3),
        "blocks_per_second": round(count / seconds),
        "megabytes_per_second": round(count * size / seconds / 1e6, 1),
        "reader_cpu_seconds": round(cpu, 2),
        "writer_cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=50000)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--disk", action="store_true")
    parser.add_argument("--profile", choices=["reader", "writer"])
    parser.add_argument("--role", choices=["writer"])
    parser.add_argument("--path", type=Path)
    options = parser.parse_args()
    if options.role is None:
        result = measure(options.blocks, options.size, options.profile, options.disk)
        print(json.dumps(result))
        return
    profiler = cProfile.Profile()
    if options.profile:
        profiler.enable()
    trio.run(write, options.blocks, options.size, options.path)
    if options.profile:
        profiler.disable()
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
