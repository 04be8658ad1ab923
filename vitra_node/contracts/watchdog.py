"""A timer of the kernel that ends a process, whatever clock the event loop runs on.

Tests and simulations run trio on a virtual clock, which says nothing about how long a process
computes. So the deadline of a worker is a timerfd (Linux), not a trio deadline.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable

import trio

_libc = ctypes.CDLL(None, use_errno=True)
_CLOCK_MONOTONIC = int(time.CLOCK_MONOTONIC)


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class Watchdog:
    """One timer, set before something that must end and cleared after it."""

    def __init__(self) -> None:
        flags = os.O_CLOEXEC | os.O_NONBLOCK
        self._fd = int(_libc.timerfd_create(_CLOCK_MONOTONIC, flags))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def set(self, seconds: float) -> None:
        """Bite after this many seconds; zero clears the timer."""
        whole = int(seconds)
        spec = _TimerSpec(_TimeSpec(0, 0), _TimeSpec(whole, int((seconds - whole) * 1e9)))
        if _libc.timerfd_settime(self._fd, 0, ctypes.byref(spec), None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    async def run(self, bite: Callable[[], None]) -> None:
        """Call ``bite`` each time the timer runs out, until cancelled."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._fd)
                try:
                    os.read(self._fd, 8)
                except BlockingIOError:
                    # Cleared between the wake-up and now.
                    continue
                bite()
        finally:
            os.close(self._fd)
