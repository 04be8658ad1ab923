"""One process with a contract loaded, as the worker's two kinds of work use it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import trio

from .engine import CompiledContract, Host
from .errors import WorkerFault
from .messages import answer_read
from .process import WORKER_MEMORY_BYTES, GuestProcess
from .runtime import prelude_script
from .wire import Message, decode_message, encode_code

# The script and the contract's top level are small; this is for a machine that starts to swap.
LOAD_MILLISECONDS = 10_000

# Of answers that the process for calls remembers from call to call; they are a few times larger
# there, and it has to leave room for the calls.
MAX_REMEMBERED_BYTES = 512 * 1024
# What an answer of no length takes there: its path, and a place in a table.
_REMEMBERED_ANSWER_BYTES = 256


class Realm:
    """One process with the contract loaded, restarted when it was lost."""

    def __init__(self, compiled: CompiledContract, blocking: bool) -> None:
        self._compiled = compiled
        self._blocking = blocking
        self._process: GuestProcess | None = None
        self.starts = 0
        # What confined the last process, None before the first.
        self.walls: frozenset[str] | None = None
        self._turn = trio.Lock()
        # The state of the database that the process remembers answers about, None if it must not.
        self._version: Hashable | None = None
        self._remembered_bytes = 0

    @property
    def pid(self) -> int | None:
        """Process id while there is one."""
        return None if self._process is None else self._process.pid

    @asynccontextmanager
    async def conversation(self) -> AsyncIterator[GuestProcess]:
        """Sole use of the loaded process. Whatever leaves the block early ends the process."""
        # Mostly nobody else talks to it, and then waiting for a turn would be a tenth of a call.
        try:
            self._turn.acquire_nowait()
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            if self._process is None:
                self.starts += 1
                self._process = GuestProcess(WORKER_MEMORY_BYTES, blocking=self._blocking)
                await self._load(self._process)
            yield self._process
        except BaseException:
            self.close()
            raise
        finally:
            self._turn.release()

    def must_forget(self, version: Hashable | None) -> bool:
        """Whether the process must forget what the host answered before this state of it."""
        if version is None or version != self._version:
            self._version = version
        elif self._remembered_bytes < MAX_REMEMBERED_BYTES:
            return False
        self._remembered_bytes = 0
        return True

    async def exchange(self, process: GuestProcess, body: bytes, milliseconds: int = 0) -> Message:
        """One frame each way."""
        message = decode_message(await process.exchange(body, milliseconds))
        if message["t"] == "memory":
            raise WorkerFault("the contract needs more memory than allowed")
        if message["t"] == "broken":
            raise WorkerFault(f"the contract's process failed: {message['e']}")
        return message

    async def converse(
        self, process: GuestProcess, body: bytes, milliseconds: int, host: Host
    ) -> Message:
        """Send a request and answer its reads until it is done."""
        message = await self.exchange(process, body, milliseconds)
        while message["t"] in ("get", "list", "oplogs", "writer", "oplog"):
            # The process waits for us now, however long the host takes.
            answer = await answer_read(message, host)
            self._remembered_bytes += len(answer) + _REMEMBERED_ANSWER_BYTES
            message = await self.exchange(process, answer)
        return message

    def close(self) -> None:
        """End the process; the next conversation starts another."""
        self._version = None
        if self._process is not None:
            self._process.close()
            self._process = None

    async def _load(self, process: GuestProcess) -> None:
        confined = await self.exchange(process, prelude_script(), LOAD_MILLISECONDS)
        self.walls = frozenset(confined["walls"])
        await self.exchange(process, b"{}")
        body = encode_code(self._compiled.code)
        await self.exchange(process, body, LOAD_MILLISECONDS)
