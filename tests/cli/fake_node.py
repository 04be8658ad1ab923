"""A control server around a fake database, in a thread, for tests of commands and clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from vitra_node.api.control.server import ControlServer
from vitra_node.api.session import RunningNode, Session
from vitra_node.config import Address

from .fake_database import FakeDatabase


@dataclass
class FakeNode:
    """The parts of a node that runs in a thread."""

    directory: Path
    database: FakeDatabase
    ready: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        trio.run(self._run)

    async def _run(self) -> None:
        try:
            async with ControlServer.open() as server, trio.open_nursery() as tasks:
                self.stop, self.token = trio.Event(), trio.lowlevel.current_trio_token()
                node = RunningNode(tasks, self.stop, Address("127.0.0.1", 7000), time.time())
                session = Session(self.database.as_database(), self.directory, node)
                async with server.answering(session, self.directory):
                    self.ready.set()
                    await self.stop.wait()
                tasks.cancel_scope.cancel()
        finally:
            self.stopped.set()
            self.ready.set()


@contextmanager
def running_fake_node(directory: Path) -> Iterator[FakeNode]:
    """A node for the directory while in the block."""
    node = FakeNode(directory, FakeDatabase())
    thread = threading.Thread(target=node.run)
    thread.start()
    assert node.ready.wait(10)
    try:
        yield node
    finally:
        if not node.stopped.is_set():
            node.token.run_sync_soon(node.stop.set)
        thread.join(10)
        assert not thread.is_alive()
