"""A JavaScript peer in a process of its own, spoken to in JSON lines (see peers/rpc.mjs).

    async with JsPeer() as peer:
        store = (await peer.call("store.open", path=str(tmp_path)))["store"]

What peers/peer.mjs offers is listed there. Bytes travel as hex.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import trio

PEERS = Path(__file__).parent / "peers"
CALL_SECONDS = 60.0
EXIT_SECONDS = 10.0
_READ_BYTES = 1 << 16


class JsPeerError(Exception):
    """A call that failed in JavaScript, or a peer that ended early; carries its stderr.

    Attributes:
      code: the ``code`` of the JavaScript error, or None.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class JsPeer:
    """One node process running ``peers/<script>``.

    Resource handling: an async context manager; on leaving, the process is asked to end (its stdin
    closes), given ``EXIT_SECONDS``, then killed. Its stderr is repeated on ours, where pytest
    shows it when the test fails.

    Error handling: a failed or late call, and any use after the process ended, raises
    ``JsPeerError`` or ``trio.TooSlowError``. Calls may run concurrently.
    """

    def __init__(
        self, script: str = "peer.mjs", *arguments: str, program: Sequence[str] = ("node",)
    ) -> None:
        """``program``: what runs the script, such as node in a network namespace."""
        self.script = script
        # Without a script the program is the peer.
        self._command = [*program, *([str(PEERS / script)] if script else []), *arguments]
        self._cwd = PEERS if script else None
        self.events: list[tuple[str, Any]] = []
        self._replies: dict[int, dict[str, Any]] = {}
        self._stderr: deque[bytes] = deque(maxlen=256)
        self._next_id = 1
        self._ended = False
        self._news = trio.Condition()
        self._writing = trio.Lock()
        self._process: trio.Process
        self._nursery: trio.Nursery
        self._nursery_manager: AbstractAsyncContextManager[trio.Nursery, bool | None]

    async def __aenter__(self) -> JsPeer:
        self._process = await trio.lowlevel.open_process(
            self._command,
            cwd=self._cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._nursery_manager = trio.open_nursery()
        self._nursery = await self._nursery_manager.__aenter__()
        self._nursery.start_soon(self._read_stdout)
        self._nursery.start_soon(self._read_stderr)
        try:
            await self.event("ready")
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with trio.CancelScope(shield=True):
            assert self._process.stdin is not None
            await self._process.stdin.aclose()
            with trio.move_on_after(EXIT_SECONDS):
                await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
                print(f"{self.script} had to be killed", file=sys.stderr)
        # The pipes end with the process; a grandchild holding them must not hold us.
        self._nursery.cancel_scope.shield = True
        self._nursery.cancel_scope.deadline = trio.current_time() + EXIT_SECONDS
        # Nothing of the body's failure is handed in: the readers never fail, so the nursery has
        # nothing to add to it, and it leaves as it is instead of inside an ExceptionGroup.
        await self._nursery_manager.__aexit__(None, None, None)
        print(self.stderr(), file=sys.stderr, end="")

    @property
    def pid(self) -> int:
        """The process id, for tests that stop or kill it."""
        return self._process.pid

    def stderr(self) -> str:
        """What the process wrote to its stderr (the end of it)."""
        return b"".join(self._stderr).decode(errors="replace")

    async def call(self, method: str, /, *, seconds: float = CALL_SECONDS, **args: Any) -> Any:
        """Call one method of the script and return its result.

        Raises:
          JsPeerError: the method threw, or the process is gone.
          trio.TooSlowError: no reply within ``seconds``.
        """
        number = self._next_id
        self._next_id += 1
        line = json.dumps({"id": number, "method": method, "args": args}).encode() + b"\n"
        with trio.fail_after(seconds):
            assert self._process.stdin is not None
            try:
                async with self._writing:
                    await self._process.stdin.send_all(line)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise self._gone() from None
            await self._wait(lambda: number in self._replies)
        reply = self._replies.pop(number)
        if "error" in reply:
            failure = reply["error"]
            raise JsPeerError(f"{method}: {failure['stack']}\n{self.stderr()}", failure["code"])
        return reply["result"]

    async def event(self, name: str, *, seconds: float = CALL_SECONDS, **match: Any) -> Any:
        """Wait for an event whose data holds all of ``match``; take it out of ``events``.

        Raises:
          JsPeerError: the process ended before.
          trio.TooSlowError: no such event within ``seconds``.
        """

        def found() -> int | None:
            for position, (event, data) in enumerate(self.events):
                if event == name and all(data.get(k) == v for k, v in match.items()):
                    return position
            return None

        with trio.fail_after(seconds):
            await self._wait(lambda: found() is not None)
        position = found()
        assert position is not None
        return self.events.pop(position)[1]

    def kill(self) -> None:
        """Kill the process at once, as a crash would."""
        self._process.kill()

    async def _wait(self, condition: Callable[[], bool]) -> None:
        async with self._news:
            while not condition():
                if self._ended:
                    raise self._gone()
                await self._news.wait()

    def _gone(self) -> JsPeerError:
        status = self._process.returncode
        return JsPeerError(f"{self.script} ended with status {status}\n{self.stderr()}")

    async def _read_stdout(self) -> None:
        assert self._process.stdout is not None
        pending: list[bytes] = []
        while chunk := await self._process.stdout.receive_some(_READ_BYTES):
            *lines, rest = bytes(chunk).split(b"\n")
            if not lines:
                pending.append(rest)
                continue
            lines[0] = b"".join(pending) + lines[0]
            pending = [rest]
            async with self._news:
                for line in lines:
                    self._take(line)
                self._news.notify_all()
        await self._process.wait()
        async with self._news:
            self._ended = True
            self._news.notify_all()

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            self._stderr.append(b"not JSON on stdout: " + line + b"\n")
            return
        if "event" in message:
            self.events.append((message["event"], message["data"]))
        else:
            self._replies[message["id"]] = message

    async def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.receive_some(_READ_BYTES):
            self._stderr.append(bytes(chunk))
