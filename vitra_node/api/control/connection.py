"""One way to ask, whoever answers: a running node, or the database opened in this process.

Both go through the same table of methods, so a command is written once. A ``NodeConnection`` talks
over blocking sockets: its coroutines never wait for an event loop, and ``run_without_loop`` drives
them, so a one-shot command through a node pays for no event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

from ...progress import Step
from ..client import ControlClient
from .frames import Json

T = TypeVar("T")


class Connection(Protocol):
    """Something that answers the methods of ``methods.py``, always with JSON values."""

    @property
    def to_node(self) -> bool:
        """Whether a running node answers, which stays when this process ends."""
        ...

    async def call(self, method: str, /, **params: Json) -> Any:
        """Ask once; raises VitraError."""
        ...

    async def call_long(self, method: str, /, **params: Json) -> Any:
        """``call`` something that takes long; whoever watches the connection sees how far it is."""
        ...

    def stream(
        self, method: str, /, **params: Json
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Events for as long as the block lasts; raises VitraError, also while iterating."""
        ...


class NodeConnection:
    """Asks the node behind a control client; ``show`` is told how far long calls are."""

    to_node = True

    def __init__(self, client: ControlClient, show: Callable[[Step], None] | None = None) -> None:
        self._client = client
        self._show = show

    async def call(self, method: str, /, **params: Json) -> Any:
        """See ``Connection.call``."""
        return self._client.call(method, **params)

    async def call_long(self, method: str, /, **params: Json) -> Any:
        """See ``Connection.call_long``."""
        if self._show is None:
            return self._client.call(method, **params)
        return self._client.call_watched(method, self._show, **params)

    @asynccontextmanager
    async def stream(self, method: str, /, **params: Json) -> AsyncIterator[AsyncIterator[Any]]:
        """See ``Connection.stream``."""
        with self._client.stream(method, **params) as events:
            yield _without_waiting(events)


def run_without_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing but the blocking calls inside it."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    coroutine.close()
    raise RuntimeError("a command waited for an event loop while it talked to a node")


async def _without_waiting(events: Iterator[Any]) -> AsyncIterator[Any]:
    for event in events:
        yield event
