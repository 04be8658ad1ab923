"""Whoever signs two histories with one key: of an oplog to frame the executor, or of an index."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import default_manifest, manifest_key
from protocol.encoding.msgpack import pack
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.log.hypercore import Hypercore
from vitra_node.world import REAL_WORLD, World


@dataclass
class TwoFacedWriter:
    """Signs whatever it likes with one key, and keeps a store for each face that it shows."""

    pair: KeyPair = field(default_factory=lambda: KeyPair.from_seed(b"\x77" * 32))

    @property
    def key(self) -> bytes:
        """The key of its log, in all its histories."""
        return manifest_key(default_manifest(self.pair.public_key))

    @asynccontextmanager
    async def history(self, operations: Sequence[Mapping[str, Any]]) -> AsyncIterator[Corestore]:
        """A store in which its oplog holds these operations."""
        blocks = [pack(dict(operation)) for operation in operations]
        async with self.face(blocks) as store:
            yield store

    @asynccontextmanager
    async def face(
        self, blocks: Sequence[bytes], *, cut_at: int | None = None, world: World = REAL_WORLD
    ) -> AsyncIterator[Corestore]:
        """A store in which its log holds these blocks.

        ``cut_at``: what is behind so many blocks was written after a truncation, so the fork number
        is 1. One block more was there before it.
        """
        async with Corestore.open(None, world=world) as store:
            log = await store.get(key_pair=self.pair)
            assert log.key == self.key
            if cut_at is not None:
                await log.append([*blocks[:cut_at], b"taken back"])
                await log.truncate(cut_at)
            rest = blocks[cut_at or 0 :]
            if rest:
                await log.append(rest)
            yield store

    async def log_of(self, store: Corestore) -> Hypercore:
        """Its log in one of its stores."""
        return await store.get(key=self.key)
