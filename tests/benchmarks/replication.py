"""How fast one node downloads a log from another of its kind, over TCP, both on disk."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import trio

from protocol.crypto.keys import KeyPair
from vitra_node.config import Address
from vitra_node.net.connections import Connections
from vitra_node.net.tcp import connect_tcp, serve_tcp
from vitra_node.storage.corestore import Corestore

from .processes import Side, run_step, serving
from .stopwatch import Stopwatch
from .subject import Row, Subject

# Writing goes in batches of about so many bytes, and no more than so many blocks.
_BATCH_BYTES = 1024 * 1024
_BATCH_BLOCKS = 1000


async def write(watch: Stopwatch, path: str, row: str, count: int, size: int) -> None:
    """Fill a log, say its key and port, and serve it until stdin ends."""
    async with Corestore.open(path) as store, trio.open_nursery() as nursery:
        core = await store.get(name="log")
        step = min(_BATCH_BLOCKS, max(1, _BATCH_BYTES // size))
        for start in range(0, count, step):
            span = range(start, min(start + step, count))
            await core.append([index.to_bytes(4, "big").ljust(size, b"x") for index in span])
        connections = Connections(store.cores, KeyPair.from_seed(b"\x01" * 32))
        bound = await nursery.start(serve_tcp, Address("127.0.0.1", 0), connections)
        print(json.dumps({"key": core.key.hex(), "port": bound[0].port}), flush=True)
        with watch.profiled(f"{row}, writer"):
            await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


async def read(watch: Stopwatch, path: str, row: str, count: int, key: str, port: int) -> None:
    """Connect, and download the whole log."""
    async with Corestore.open(path) as store, trio.open_nursery() as nursery:
        core = await store.get(key=bytes.fromhex(key))
        connections = Connections(store.cores, KeyPair.from_seed(b"\x02" * 32), store.wait_for_room)
        with watch.rate(row, count):
            nursery.start_soon(connect_tcp, Address("127.0.0.1", port), connections)
            await core.update()
            await core.download(0, count)
        assert core.contiguous_length == count
        assert not connections.failures
        nursery.cancel_scope.cancel()


def _measure(
    row: str, count: int, size: int, side: Side, directory: Path, quick: bool, profile: bool
) -> Mapping[str, float]:
    blocks = max(10, count // 100) if quick else count
    with serving(
        side,
        "replication-writer",
        profile,
        path=directory / "writer",
        row=row,
        count=blocks,
        size=size,
    ) as ready:
        values = run_step(
            side,
            "replication-reader",
            profile,
            path=directory / "reader",
            row=row,
            count=blocks,
            key=ready["key"],
            port=ready["port"],
        )
    return {row: values[row] * size / 1e6} if row == "replicate-large" else values


SMALL = Subject(
    "replication-small",
    (Row("replicate-small", "replication over TCP, 100 B blocks", "blocks/s", bar=2),),
    # Long enough that JavaScript, which compiles as it goes, is not measured warming up.
    partial(_measure, "replicate-small", 50_000, 100),
)
LARGE = Subject(
    "replication-large",
    (Row("replicate-large", "replication over TCP, 64 KiB blocks", "MB/s", bar=1),),
    partial(_measure, "replicate-large", 3000, 65_536),
)
