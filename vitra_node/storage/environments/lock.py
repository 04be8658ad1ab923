"""The lock of a data directory: one process at a time, for as long as it lives.

Two processes that write one log fork it, and a fork cannot be taken back. The lock is ``flock``:
the system lets go of it when the process dies, however it dies. It is taken twice, on the file
``lock`` and on the directory itself, so that removing the file lets nobody in. What the file says
(process id and program) only helps a person; nothing is decided by it.
"""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path

from ..errors import StorageError, StoreInUse

LOCK_NAME = "lock"
_MAX_HINT_BYTES = 512


class DirectoryLock:
    """Holds the lock from construction until ``release``.

    Raises:
      StoreInUse: another holder is alive; the message names the directory and the holder.
      StorageError: the directory or its lock file cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: list[int] = []
        path = directory / LOCK_NAME
        try:
            self._hold(path, os.O_RDWR | os.O_CREAT)
            self._hold(directory, os.O_RDONLY | os.O_DIRECTORY)
        except BaseException:
            self._close()
            raise
        program = Path(sys.argv[0]).name if sys.argv else ""
        self._write_hint(f"process {os.getpid()} ({program or 'python'})\n")

    def release(self) -> None:
        """Let another process in. The file stays: removing it would gain nothing."""
        if self._held:
            self._write_hint("")
            self._close()

    def _hold(self, path: Path, flags: int) -> int:
        try:
            descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StorageError(f"{path} cannot be opened: {error.strerror}") from error
        self._held.append(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreInUse(f"{self._directory} is in use{self._hint()}") from None
        except OSError as error:
            raise StorageError(f"{path} cannot be locked: {error.strerror}") from error
        return descriptor

    def _write_hint(self, text: str) -> None:
        # A full disk is no reason not to hold the lock, or not to let go of it.
        with suppress(OSError):
            os.ftruncate(self._held[0], 0)
            os.pwrite(self._held[0], text.encode(), 0)

    def _hint(self) -> str:
        hint = os.pread(self._held[0], _MAX_HINT_BYTES, 0).decode(errors="replace").strip()
        return f" by {hint}" if hint else ""

    def _close(self) -> None:
        for descriptor in self._held:
            os.close(descriptor)
        self._held.clear()
