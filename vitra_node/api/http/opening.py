"""Opens the HTTP door of a database while its node runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ...config import Address
from ..session import Session
from .door import HttpDoor
from .gate import Gate
from .serving import bind, serving
from .token import token_of


@dataclass(frozen=True, slots=True)
class HttpDoorPlan:
    """Where to answer over HTTP, and whether callers may change anything; a ``hosting.Door``."""

    address: Address
    allow_writes: bool

    @asynccontextmanager
    async def __call__(self, session: Session) -> AsyncIterator[dict[str, Any]]:
        """Open while in the block; gives the field ``http`` of the ready line.

        Raises VitraError: the address is not on loopback or cannot be had, or the token cannot be
        kept safe.
        """
        assert session.directory is not None, "a node serves a directory"
        token = token_of(session.directory)
        listener, bound = bind(self.address)
        door = HttpDoor(session, Gate(bound, token), self.allow_writes)
        async with serving(door, listener):
            yield {"http": str(bound)}
