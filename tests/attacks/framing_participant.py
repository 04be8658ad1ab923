"""A participant who tries to have the executor accused: one key, and a history for everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio
import trio.testing

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import default_manifest, manifest_key
from protocol.encoding.msgpack import pack
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.log.hypercore import Hypercore

Operations = Sequence[dict[str, Any]]


def put(value: object) -> dict[str, Any]:
    """An operation of the contract ``MEMBERS``."""
    return {"op": "PUT", "path": "/a", "value": value}


@dataclass
class FramingParticipant:
    """Signs whatever it likes with one key."""

    pair: KeyPair = field(default_factory=lambda: KeyPair.from_seed(b"\x77" * 32))

    @property
    def key(self) -> bytes:
        """The key of its oplog, in all its histories."""
        return manifest_key(default_manifest(self.pair.public_key))

    @asynccontextmanager
    async def history(self, operations: Operations) -> AsyncIterator[Corestore]:
        """A store in which its oplog holds these operations."""
        async with Corestore.open(None) as store:
            log = await store.get(key_pair=self.pair)
            assert log.key == self.key
            if operations:
                await log.append([pack(operation) for operation in operations])
            yield store

    async def log_of(self, store: Corestore) -> Hypercore:
        """Its oplog in one of its stores."""
        return await store.get(key=self.key)


@asynccontextmanager
async def connected(one: Corestore, other: Corestore) -> AsyncIterator[None]:
    """Replicate all that both know while in the block."""
    left, right = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: one.replicate(left, initiator=True))
        nursery.start_soon(lambda: other.replicate(right, initiator=False))
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def mirror_of(source: Corestore, *keys: bytes) -> AsyncIterator[Corestore]:
    """A store with whole copies of these logs and nothing else: whoever passes them on."""
    async with Corestore.open(None) as mirror:
        async with connected(source, mirror):
            for key in keys:
                core = await mirror.get(key=key, allow_truncation=False)
                await core.wait_for_length((await source.get(key=key)).length)
                await core.download(0, core.length)
        yield mirror
