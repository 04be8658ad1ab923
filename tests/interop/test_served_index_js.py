"""A live JavaScript peer replicates the index of a running ``vitra serve`` and reads it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import trio

from tests.contract_sources import COUNTER

from .js_peer import JsPeer

VITRA = str(Path(sys.executable).with_name("vitra"))


async def vitra(directory: Path, *words: str) -> Any:
    """Run one command in a process of its own; gives its JSON."""
    done = await trio.run_process(
        [VITRA, "--dir", str(directory), "--json", *words], capture_stdout=True
    )
    return json.loads(done.stdout)


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[dict[str, Any]]:
    """A node for the directory; gives the line it prints when it is ready."""
    node = await trio.lowlevel.open_process(
        [VITRA, "--dir", str(directory), "serve", "--no-swarm", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
    )
    try:
        assert node.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            line += bytes(await node.stdout.receive_some())
        yield json.loads(line)
    finally:
        node.terminate()
        with trio.CancelScope(shield=True):
            await node.wait()


async def test_a_javascript_peer_reads_a_served_database(tmp_path: Path) -> None:
    contract = tmp_path / "counter.js"
    contract.write_text(COUNTER)
    ours = tmp_path / "ours"
    with trio.fail_after(90):
        await vitra(ours, "init", str(contract))
        async with serving(ours) as ready, JsPeer() as peer:
            await vitra(ours, "call", "increment", "--arg", "amount=7", "--wait")
            store = (await peer.call("store.open", path=str(tmp_path / "theirs")))["store"]
            core = (await peer.call("core.open", store=store, key=ready["key"]))["core"]
            port = int(ready["listen"].rpartition(":")[2])
            await peer.call("net.connect", port=port, store=store)
            length = (await vitra(ours, "info"))["index"]["length"]
            await peer.call("core.wait", core=core, length=length)
            # Each block is verified by JavaScript's own rules before it is stored.
            theirs = await peer.call("core.download", core=core, end=length)
            assert theirs["contiguousLength"] == length
            bee = (await peer.call("bee.open", core=core))["bee"]
            entry = await peer.call("bee.get", bee=bee, key=b"counter".hex())
            assert msgpack.unpackb(bytes.fromhex(entry["value"])) == 7
