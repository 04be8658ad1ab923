"""Databases that the original made, replicated to us and verified by our own monitor."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from protocol.crypto.keys import KeyPair
from vitra_node.config import Address
from vitra_node.database import Database
from vitra_node.net.connections import Connections
from vitra_node.net.direct import DirectPeers
from vitra_node.nursery import open_owned_nursery
from vitra_node.roles.monitor import Validated
from vitra_node.storage.corestore import Corestore

VECTORS = Path(__file__).parents[2] / "specs" / "vectors" / "original.json"


@asynccontextmanager
async def served(original: dict[str, Any]) -> AsyncIterator[Address]:
    """The logs of an original database, rebuilt with its keys and offered to peers."""
    async with Corestore.open(None) as store, open_owned_nursery() as nursery:
        secrets = original["testOnlySecretKeysByPubkey"]
        for key, tree, blocks in (
            (original["indexPubkey"], original["indexTree"], original["index"]),
            (original["oplogPubkey"], original["oplogTree"], original["oplog"]),
        ):
            pair = KeyPair.from_seed(bytes.fromhex(secrets[key])[:32])
            core = await store.get(key_pair=pair, compat=True)
            assert core.key.hex() == key
            await core.append([bytes.fromhex(block["hex"]) for block in blocks])
            assert core.head.hash().hex() == tree["rootHash"]
        peers = DirectPeers(Connections(store.cores, KeyPair.from_seed(bytes(32))), nursery)
        yield await peers.listen(Address("127.0.0.1", 0))


@pytest.mark.parametrize(("name", "operations"), [("counter", 3)])
async def test_an_original_database_is_verified(name: str, operations: int) -> None:
    original = json.loads(VECTORS.read_text())[name]
    with trio.fail_after(60):
        async with (
            served(original) as address,
            Database.load(None, original["indexPubkey"]) as database,
        ):
            await database.connect(address.host, address.port)
            await database.sync()
            report = await database.verify()
            assert (report.verdict, report.operations) == ("verified", operations), report.reason
            async with database.monitor() as monitor:
                async for event in monitor:
                    assert isinstance(event, Validated)
                    if event.operations == operations:
                        break
            assert (await database.call("get")).response == 3
