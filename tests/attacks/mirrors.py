"""Stores that replicate with each other, and whoever passes on what another wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from vitra_node.storage.corestore import Corestore


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
