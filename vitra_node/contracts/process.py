"""A worker process as its parent sees it: frames in, frames out, an end that is always reached."""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import trio

from .errors import ContractTimeout, WorkerFault

# The largest results of one operation are two of the largest values; JSON and base64 add a third.
MAX_FRAME_BYTES = 48 * 1024 * 1024

# Address space, which bounds the resident memory: the interpreter takes 15 MiB, the rest is the
# contract's.
WORKER_MEMORY_BYTES = 160 * 1024 * 1024

_EXIT_OUT_OF_MEMORY = 70
_READ_BYTES = 256 * 1024
# A bigger pipe saves wake-ups for batches; Linux allows up to 1 MiB without privilege.
_PIPE_BYTES = 256 * 1024
_GUEST = Path(__file__).with_name("guest.py")


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


class GuestProcess:
    """One worker process, from its start to its end.

    With ``blocking`` the parent's thread waits for the process instead of its task: for
    simulations, where virtual time must stand still while a contract runs.

    Resource handling: ``close`` kills and reaps it; the owner calls it in a ``finally``.
    Error handling: after a ``HostFault`` the process is of no use any more.
    """

    def __init__(self, memory_bytes: int, *, blocking: bool = False) -> None:
        self._blocking = blocking
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(_GUEST), duktape_module(), str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"TZ": "UTC", "LC_ALL": "C"},
            cwd="/",
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin = self._process.stdin.fileno()
        self._stdout = self._process.stdout.fileno()
        self._received = bytearray()
        for fd in (self._stdin, self._stdout):
            if not blocking:
                os.set_blocking(fd, False)
            # Refused where pipes are scarce; then the pipe stays as it is.
            try:
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            except OSError as error:
                if error.errno != errno.EPERM:
                    raise

    @property
    def pid(self) -> int:
        """Process id, for measurements."""
        return self._process.pid

    async def exchange(self, body: bytes, milliseconds: int = 0) -> bytes:
        """Send a frame and give the next one.

        The process may compute for ``milliseconds`` until it answers, or, with zero, for what is
        left of the last such allowance.

        Raises:
          ContractTimeout: it took longer and was ended.
          WorkerFault: it died or broke the frame format.
        """
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
                await trio.lowlevel.wait_writable(self._stdin)
            except BrokenPipeError:
                raise await self._death() from None

    async def _receive(self, count: int) -> bytes:
        while len(self._received) < count:
            try:
                part = os.read(self._stdout, _READ_BYTES)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._stdout)
                continue
            if not part:
                raise await self._death()
            self._received += part
        data = bytes(self._received[:count])
        del self._received[:count]
        return data

    async def _death(self) -> ContractTimeout | WorkerFault:
        """Reap the process and say what it died of."""
        code = self._process.wait()
        if code == -signal.SIGALRM or code == -signal.SIGKILL:
            return ContractTimeout("the contract ran longer than allowed and was stopped")
        if code == _EXIT_OUT_OF_MEMORY:
            return WorkerFault("the contract needs more memory than allowed")
        return WorkerFault(f"the contract's process ended with code {code}")

    def kill(self) -> None:
        """End the process now; it is reaped by ``close`` or by whoever waits for a frame."""
        self._process.kill()

    def close(self) -> None:
        """Kill and reap the process, close the pipes. May be called again.

        A killed process without descendants ends at once, so this does not wait noticeably.
        """
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait()
