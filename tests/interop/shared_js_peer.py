"""One JavaScript process for many tests, since starting one takes longer than most of them.

    @pytest.fixture(scope="module")
    def process() -> Iterator[SharedProcess]:
        with SharedProcess() as process:
            yield process

    async def test_something(process: SharedProcess) -> None:
        async with process.peer() as peer:
            store = (await peer.call("store.open", path=...))["store"]

Every test has a trio run of its own, so the pipes are opened anew for each; when a test ends, the
process closes whatever the test opened.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace, TracebackType
from typing import Any

import trio

from .js_peer import EXIT_SECONDS, PEERS, JsPeer, JsPeerError


class SharedProcess:
    """A node process running ``peers/<script>``; a context manager, which ends it."""

    def __init__(self, script: str = "peer.mjs") -> None:
        self.script = script
        # What was read of a line whose end a test did not wait for.
        self.unread = b""

    def __enter__(self) -> SharedProcess:
        self._stderr = tempfile.TemporaryFile()
        self.popen = subprocess.Popen(
            ["node", str(PEERS / self.script)],
            cwd=PEERS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.popen.stdin.close()
        try:
            self.popen.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.popen.stdout.close()
        print(self.stderr(), file=sys.stderr, end="")
        self._stderr.close()

    def stderr(self) -> str:
        """What the process wrote to its stderr."""
        end = os.lseek(self._stderr.fileno(), 0, os.SEEK_END)
        return os.pread(self._stderr.fileno(), end, 0).decode(errors="replace")

    @asynccontextmanager
    async def peer(self) -> AsyncIterator[JsPeer]:
        """The process as a peer, for one test at a time."""
        peer = _Attached(self)
        async with peer.stdin, peer.stdout, trio.open_nursery() as nursery:
            nursery.start_soon(peer.read)
            yield peer
            # A failed test leaves it as it is; what it opened does not disturb the next one.
            await peer.call("reset")
            nursery.cancel_scope.cancel()


class _Attached(JsPeer):
    """The pipes of a shared process during one trio run."""

    def __init__(self, shared: SharedProcess) -> None:
        super().__init__(shared.script)
        self._shared = shared
        popen = shared.popen
        assert popen.stdin is not None
        assert popen.stdout is not None
        self.stdin = trio.lowlevel.FdStream(os.dup(popen.stdin.fileno()))
        self.stdout = trio.lowlevel.FdStream(os.dup(popen.stdout.fileno()))
        self._process: Any = SimpleNamespace(stdin=self.stdin, returncode=None)

    def stderr(self) -> str:
        return self._shared.stderr()

    async def __aenter__(self) -> JsPeer:
        raise JsPeerError("a shared process is entered by SharedProcess.peer")

    async def read(self) -> None:
        """Take what the process says, until cancelled or it ends."""
        shared = self._shared
        while chunk := await self.stdout.receive_some(1 << 16):
            *lines, shared.unread = (shared.unread + bytes(chunk)).split(b"\n")
            async with self._news:
                for line in lines:
                    self._take(line)
                self._news.notify_all()
        async with self._news:
            self._ended = True
            self._news.notify_all()
