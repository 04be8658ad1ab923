"""``Corestore``: many logs in one data directory."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import Manifest

from .hypercore import Hypercore


class Corestore:
    """Many logs in one LMDB environment, held by one process, or all in memory."""

    @classmethod
    def open(
        cls, path: str | Path | None, *, primary_key: bytes | None = None
    ) -> AbstractAsyncContextManager[Corestore]:
        """Open (and if need be create) the store in a directory; ``None`` for memory."""
        raise NotImplementedError

    async def get(
        self,
        *,
        name: str | None = None,
        key: bytes | None = None,
        key_pair: KeyPair | None = None,
        compat: bool = False,
        manifest: Manifest | None = None,
    ) -> Hypercore:
        """The log of a name, key, key pair or manifest; the same object each time."""
        raise NotImplementedError

    def namespace(self, name: str) -> Corestore:
        """A view of this store whose names derive other keys."""
        raise NotImplementedError

    def discovery_keys(self) -> list[bytes]:
        """Discovery keys of all stored cores."""
        raise NotImplementedError

    async def replicate(self, stream: trio.abc.Stream, *, initiator: bool) -> None:
        """Replicate every shared log over the stream until it closes."""
        raise NotImplementedError
