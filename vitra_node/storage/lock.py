"""The lock of a data directory: one process at a time, for as long as it lives.

Two processes that write one log fork it, and a fork cannot be taken back. The lock is ``flock`` on
the file ``lock``: the system lets go of it when the process dies, however it dies. What the file
says (process id and program) only helps a person; nothing is decided by it.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from .errors import StorageError, StoreInUse

LOCK_NAME = "lock"
_MAX_HINT_BYTES = 512


class DirectoryLock:
    """Holds the lock from construction until ``release``.

    Raises:
      StoreInUse: another holder is alive; the message names the directory and the holder.
      StorageError: the lock file cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK_NAME
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        while True:
            try:
                descriptor = os.open(path, flags, 0o600)
            except OSError as error:
                raise StorageError(f"{path} cannot be opened: {error.strerror}") from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_still_at(path, descriptor):
                    break
            except BlockingIOError:
                hint = os.pread(descriptor, _MAX_HINT_BYTES, 0).decode(errors="replace").strip()
                os.close(descriptor)
                holder = f" by {hint}" if hint else ""
                raise StoreInUse(f"{directory} is in use{holder}") from None
            except OSError as error:
                os.close(descriptor)
                raise StorageError(f"{path} cannot be locked: {error.strerror}") from error
            # Somebody replaced the file between our open and our lock: that lock is worth nothing.
            os.close(descriptor)
        self._descriptor: int | None = descriptor
        program = Path(sys.argv[0]).name if sys.argv else ""
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} ({program or 'python'})\n".encode(), 0)

    def release(self) -> None:
        """Let another process in. The file stays: removing it would open a race."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def _is_still_at(path: Path, descriptor: int) -> bool:
    try:
        there = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    ours = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
