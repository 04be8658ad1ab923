"""A worker process as its parent sees it: frames in, frames out, an end that is always reached."""

from __future__ import annotations

import fcntl
import importlib.machinery
import importlib.util
import math
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import trio

from .deadline import Deadline
from .errors import ContractTimeout, WorkerFault

# The largest results of one operation are two of the largest values; JSON and base64 add a third.
MAX_FRAME_BYTES = 48 * 1024 * 1024

# Address space, which bounds the resident memory: the interpreter takes 15 MiB, the rest is the
# contract's.
WORKER_MEMORY_BYTES = 160 * 1024 * 1024

# All that a worker finds in its environment.
ENVIRONMENT = {"TZ": "UTC", "LC_ALL": "C"}

_EXIT_OUT_OF_MEMORY = 70
# How many times longer than its processor time a process may take by the wall clock, however busy
# the machine is. Only one that is stopped, or that waits for something else than its parent, meets
# this limit.
WALL_CLOCK_FACTOR = 20
_READ_BYTES = 256 * 1024
# A bigger pipe saves wake-ups for batches; Linux allows up to 1 MiB without privilege.
_PIPE_BYTES = 256 * 1024
_PACKAGE = Path(__file__).parent


@cache
def duktape_module() -> str:
    """Path of the compiled module with Duktape, found without importing the package around it."""
    package = importlib.util.find_spec("dukpy")
    assert package is not None, "dukpy is a dependency"
    for place in package.submodule_search_locations or ():
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            path = Path(place, "_dukpy" + suffix)
            if path.exists():
                return str(path)
    raise WorkerFault("the installed dukpy has no Duktape in it")


def _command(memory_bytes: int) -> list[str]:
    guest = str(_PACKAGE / "guest.py")
    confinement = str(_PACKAGE / "confinement.py")
    options = ["-I", "-S", "-B"]
    return [
        sys.executable,
        *options,
        guest,
        duktape_module(),
        confinement,
        str(memory_bytes),
    ]


class GuestProcess:
    """One worker process, from its start to its end.

    With ``blocking`` the parent's thread waits for the process instead of its task: for
    simulations, where virtual time must stand still while a contract runs.

    Resource handling: ``close`` kills and reaps it; the owner calls it in a ``finally``.
    Error handling: after any exception the process is of no use any more.
    """

    def __init__(self, memory_bytes: int, *, blocking: bool = False) -> None:
        self._blocking = blocking
        self._process = subprocess.Popen(
            _command(memory_bytes),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            cwd="/",
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin = self._process.stdin.fileno()
        self._stdout = self._process.stdout.fileno()
        self._received = bytearray()
        self._milliseconds = 0
        # When its time is over by the wall clock, and when the timer goes off next: at most as
        # late. So it is set once in many exchanges.
        self._due = 0.0
        self._armed = 0.0
        self._deadline = Deadline()
        # One descriptor that is readable when the process answered or is over its time.
        self._events = select.epoll()
        self._events.register(self._deadline.fileno(), select.EPOLLIN)
        self._events.register(self._stdout, select.EPOLLIN)
        for fd in (self._stdin, self._stdout):
            os.set_blocking(fd, False)
            # Refused where pipes are scarce; then the pipe stays as it is.
            with suppress(PermissionError):
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    @property
    def pid(self) -> int:
        """Process id, for measurements."""
        return self._process.pid

    async def exchange(self, body: bytes, milliseconds: int = 0) -> bytes:
        """Send a frame and give the next one.

        The process may compute for ``milliseconds`` of processor time until it answers, or, with
        zero, for what is left of the last such allowance. It keeps to that by itself; the parent's
        own timer is for a process that does not run, and lasts ``WALL_CLOCK_FACTOR`` times as long.

        Raises:
          ContractTimeout: it took longer and was ended.
          WorkerFault: it died or broke the frame format.
        """
        self._milliseconds = milliseconds or self._milliseconds
        self._due = time.monotonic() + self._milliseconds * WALL_CLOCK_FACTOR / 1000
        header = len(body).to_bytes(4, "big") + milliseconds.to_bytes(4, "big")
        await self._send(header + body)
        length = int.from_bytes(await self._receive(4), "big")
        if length > MAX_FRAME_BYTES:
            raise WorkerFault(f"the worker sent {length} bytes at once")
        return await self._receive(length)

    async def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._stdin, view) :]
            except BlockingIOError:
                await self._wait_writable()
            except BrokenPipeError:
                raise self._death() from None

    async def _receive(self, count: int) -> bytes:
        while len(self._received) < count:
            try:
                part = os.read(self._stdout, _READ_BYTES)
            except BlockingIOError:
                await self._wait()
                continue
            if not part:
                raise self._death()
            self._received += part
        data = bytes(self._received[:count])
        del self._received[:count]
        return data

    async def _wait(self) -> None:
        """Wait until the process may have answered; end it when its time is over."""
        now = time.monotonic()
        if now >= self._due:
            self._process.kill()
            raise self._death()
        if not now < self._armed <= self._due:
            self._armed = self._due
            self._deadline.set(math.ceil((self._due - now) * 1000))
        if self._blocking:
            self._events.poll()
        else:
            await trio.lowlevel.wait_readable(self._events.fileno())

    async def _wait_writable(self) -> None:
        """A process that has not read its request waits for nothing else, so this ends."""
        if self._blocking:
            select.select([], [self._stdin], [])
        else:
            await trio.lowlevel.wait_writable(self._stdin)

    def _death(self) -> ContractTimeout | WorkerFault:
        """Reap the process and say what it died of."""
        code = self._process.wait()
        if code in (-signal.SIGPROF, -signal.SIGKILL):
            return ContractTimeout("the contract ran longer than allowed and was stopped")
        if code == _EXIT_OUT_OF_MEMORY:
            return WorkerFault("the contract needs more memory than allowed")
        if code == -signal.SIGSYS:
            return WorkerFault("the contract's process tried to leave its bounds and was killed")
        return WorkerFault(f"the contract's process ended with code {code}")

    def close(self) -> None:
        """Kill and reap the process, give back its descriptors.

        A killed process without descendants ends at once, so this does not wait noticeably.
        """
        self._process.kill()
        self._events.close()
        self._deadline.close()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait()
