"""A timer of the kernel, whatever clock the event loop runs on.

Tests and simulations run trio on a virtual clock, which says nothing about how long a process
computes. So the deadline of a worker is a timerfd (Linux), not a trio deadline.
"""

from __future__ import annotations

import ctypes
import os
import time

_libc = ctypes.CDLL(None, use_errno=True)


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class Deadline:
    """A descriptor that becomes readable when its time is over.

    Resource handling: ``close`` gives the descriptor back.
    """

    def __init__(self) -> None:
        self._fd = int(_libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_CLOEXEC | os.O_NONBLOCK))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def set(self, milliseconds: int) -> None:
        """Let the time be over in so many milliseconds from now; never, when they are zero."""
        seconds, rest = divmod(milliseconds, 1000)
        spec = _TimerSpec(_TimeSpec(0, 0), _TimeSpec(seconds, rest * 1_000_000))
        if _libc.timerfd_settime(self._fd, 0, ctypes.byref(spec), None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)
