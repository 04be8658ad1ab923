"""npm ``corestore`` 6: the same names give the same logs here, and both sides replicate them.

``specs/vectors/corestore6.json`` holds what this live process answers. To write it anew:
``python -m tests.interop.test_corestore6_js``.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from vitra_node.storage.corestore import Corestore

from ..vectors.load import VECTORS, load_vectors
from ..vectors.test_corestore6 import in_namespace
from .js_peer import PEERS, JsPeer
from .shared_js_peer import SharedProcess
from .test_replication_js import assert_same, our_node

PRIMARY_KEY = bytes(range(0x60, 0x80))
NAMESPACES = ([], ["ns-a"], ["ns-a", "b"], [""])
NAMES = ("a", "my-core", "æ", "a/b")
# Of corestore 6 only; its default comes first.
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"compat": False},
    {"compat": False, "manifestVersion": 1},
)


async def asked(peer: JsPeer, directory: Path) -> dict[str, Any]:
    """The vectors, as the live process gives them."""
    logs = []
    for number, options in enumerate(OPTIONS):
        path = str(directory / str(number))
        root = (
            await peer.call(
                "store.open", path=path, version=6, primaryKey=PRIMARY_KEY.hex(), **options
            )
        )["store"]
        for names in NAMESPACES:
            store = root
            for name in names:
                store = (await peer.call("store.namespace", store=store, name=name))["store"]
            for name in NAMES:
                core = await peer.call("core.open", store=store, name=name)
                logs.append(
                    {
                        "options": options,
                        "namespaces": names,
                        "name": name,
                        "public_key": core["publicKey"],
                        "key": core["key"],
                        "discovery_key": core["discoveryKey"],
                    }
                )
    version = json.loads((PEERS / "package.json").read_text())["dependencies"]["corestore6"]
    return {"made_by": version, "primary_key": PRIMARY_KEY.hex(), "logs": logs}


@pytest.fixture(scope="module")
def process() -> Iterator[SharedProcess]:
    with SharedProcess() as process:
        yield process


async def test_the_vectors_are_what_it_derives(process: SharedProcess, tmp_path: Path) -> None:
    async with process.peer() as peer:
        assert await asked(peer, tmp_path) == load_vectors("corestore6")


async def test_its_names_are_ours_and_replicate_both_ways(
    process: SharedProcess, tmp_path: Path
) -> None:
    async with process.peer() as peer, Corestore.open(None, primary_key=PRIMARY_KEY) as same:
        store = (
            await peer.call(
                "store.open", path=str(tmp_path), version=6, primaryKey=PRIMARY_KEY.hex()
            )
        )["store"]
        theirs = await peer.call("core.open", store=store, name="theirs")
        assert theirs["key"] == (await same.get(name="theirs", compat=True)).key.hex()
        await peer.call("core.append", core=theirs["core"], blocks=["aa", "bb", "cc"])
        async with our_node() as node:
            # What we write has a key pair of the same store, under a name that it does not open.
            names = in_namespace(node.store, ["ours"])
            ours = await names.get(key_pair=in_namespace(same, ["ours"]).create_key_pair("log"))
            await ours.append([b"a", b"b"])
            await peer.call("net.connect", port=node.port, store=store)
            copy = await node.store.get(key=bytes.fromhex(theirs["key"]))
            await copy.update()
            await copy.download()
            assert [await copy.get(i) for i in range(3)] == [b"\xaa", b"\xbb", b"\xcc"]
            await assert_same(copy, peer, theirs["core"])
            their_copy = (await peer.call("core.open", store=store, key=ours.key.hex()))["core"]
            await peer.call("core.update", core=their_copy)
            assert await peer.call("core.blocks", core=their_copy) == [b"a".hex(), b"b".hex()]


async def _write_vectors() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with JsPeer() as peer:
            made = await asked(peer, Path(directory))
    (VECTORS / "corestore6.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    trio.run(_write_vectors)
