"""Memory of this process and of those it started."""

from __future__ import annotations

import os
from pathlib import Path


def resident_megabytes() -> float:
    """Resident memory, summed over the processes; what they share counts for each, in MB (10^6)."""
    return resident_bytes(*_family(os.getpid())) / 1e6


def resident_bytes(*pids: int) -> int:
    """Resident memory of some processes together."""
    return sum(map(_resident_bytes, pids))


def peak_bytes() -> int:
    """The most that was ever resident of this process, without those it started.

    Includes what it maps of files, as the data file of a store.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not say")


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    family = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            family += _family(int(child))
    return family


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
