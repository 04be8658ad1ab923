"""A live JavaScript peer replicates the index of a served database and reads it."""

from __future__ import annotations

from pathlib import Path

import msgpack
import trio

from tests.contract_sources import COUNTER
from vitra_node.database import Database

from .js_peer import JsPeer


async def test_a_javascript_peer_reads_the_index(tmp_path: Path) -> None:
    async with Database.create(tmp_path / "ours", contract=COUNTER) as database:
        for amount in (1, 2, 4):
            transaction = await database.call("increment", {"amount": amount})
        with trio.fail_after(30):
            await transaction.when_processed()
        _, port = await database.listen("127.0.0.1", 0)
        async with JsPeer() as peer:
            opened = await peer.call("store.open", path=str(tmp_path / "theirs"))
            core = await peer.call("core.open", store=opened["store"], key=database.key.hex())
            await peer.call("net.connect", port=port, store=opened["store"])
            length = database.index.length
            await peer.call("core.wait", core=core["core"], length=length)
            theirs = await peer.call("core.download", core=core["core"], end=length)
            assert theirs["treeHash"] == database.index.core.head.hash().hex()
            bee = (await peer.call("bee.open", core=core["core"]))["bee"]
            entry = await peer.call("bee.get", bee=bee, key=b"counter".hex())
            assert msgpack.unpackb(bytes.fromhex(entry["value"])) == 7

            # Live: what is executed now arrives as well.
            transaction = await database.call("increment", {"amount": 10})
            await transaction.when_processed()
            await peer.call("core.wait", core=core["core"], length=database.index.length)
            entry = await peer.call("bee.get", bee=bee, key=b"counter".hex())
            assert msgpack.unpackb(bytes.fromhex(entry["value"])) == 17
            assert (await transaction.stage()) == "replicated"
