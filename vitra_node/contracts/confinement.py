"""What a worker process gives up before it sees a contract. Loaded by path, on its own.

Walls behind each other: resource limits; Landlock, which refuses every file, TCP connection and
signal to others; and a filter of system calls (seccomp) that leaves reading and writing open
descriptors, memory, and the end. A process that calls anything else is killed with SIGSYS, before
Landlock could refuse it: that is for what the filter might miss. Kernels that lack one leave the
others, and ``confine`` says which stand.

The numbers are those of Linux' ``landlock.h``, ``seccomp.h`` and the table of system calls.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct

SECCOMP = "seccomp"
LANDLOCK_FILES = "landlock-files"
LANDLOCK_NETWORK = "landlock-network"
LANDLOCK_SIGNALS = "landlock-signals"
# Each with the first version of Linux that has it.
WALLS = {
    SECCOMP: "3.5",
    LANDLOCK_FILES: "5.13",
    LANDLOCK_NETWORK: "6.7",
    LANDLOCK_SIGNALS: "6.12",
}

# Numbers of x86-64, the only machine that the engine's package is built for.
_ALLOWED_CALLS = {
    "read": 0,
    "write": 1,
    "mmap": 9,
    "mprotect": 10,
    "munmap": 11,
    "brk": 12,
    "rt_sigaction": 13,
    "rt_sigprocmask": 14,
    "rt_sigreturn": 15,
    "mremap": 25,
    "madvise": 28,
    "getitimer": 36,
    "setitimer": 38,
    "exit": 60,
    "futex": 202,
    "clock_gettime": 228,
    "exit_group": 231,
    "getrandom": 318,
}
_ARCHITECTURE_X86_64 = 0xC000003E

_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_RESTRICT_SELF = 446
_CREATE_RULESET_VERSION = 1
# All rights to files that each version knows: they are refused when no rule gives them.
_RIGHTS_TO_FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_FIRST_WITH_NETWORK = 4
_FIRST_WITH_SCOPES = 6
# To bind and to connect TCP sockets.
_RIGHTS_TO_NETWORK = 0b11
# Abstract Unix sockets and processes outside.
_SCOPES = 0b11

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_KILL_PROCESS = 0x80000000
_ALLOW = 0x7FFF0000

# Classic BPF: load a word of the call's record, jump if equal, return.
_LOAD = 0x20
_JUMP_IF_EQUAL = 0x15
_RETURN = 0x06
_OFFSET_OF_NUMBER = 0
_OFFSET_OF_ARCHITECTURE = 4


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def confine(memory_bytes: int, descriptors: int) -> list[str]:
    """Let this process have so much address space, and descriptors below a number, for good.

    Gives the walls that stand besides, those of ``WALLS`` that this kernel has.
    """
    # First, because it needs a descriptor for a moment.
    walls = refuse_access()
    for name, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, descriptors),
    ):
        resource.setrlimit(name, (value, value))
    return walls + filter_calls()


def missing_walls(walls: frozenset[str]) -> list[str]:
    """For people: the walls that do not stand, each with the first version of Linux that has it."""
    return [f"{name} (Linux {since})" for name, since in WALLS.items() if name not in walls]


def landlock_version() -> int:
    """Version of Landlock that this kernel has and uses; 0 where it does not."""
    version: int = _libc().syscall(
        _LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION
    )
    return max(version, 0)


def refuse_access() -> list[str]:
    """Have Landlock refuse everything it can to this process; gives the walls that stand."""
    version = landlock_version()
    if version == 0:
        return []
    files = max(rights for since, rights in _RIGHTS_TO_FILES.items() if since <= version)
    network = _RIGHTS_TO_NETWORK if version >= _FIRST_WITH_NETWORK else 0
    scopes = _SCOPES if version >= _FIRST_WITH_SCOPES else 0
    # Older kernels know shorter records, and take a longer one when the rest is zero.
    rules = struct.pack("=QQQ", files, network, scopes)
    libc = _libc()
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    if ruleset < 0:
        return []
    try:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) != 0:
            return []
    finally:
        os.close(ruleset)
    walls = [LANDLOCK_FILES]
    if network:
        walls.append(LANDLOCK_NETWORK)
    if scopes:
        walls.append(LANDLOCK_SIGNALS)
    return walls


def filter_calls() -> list[str]:
    """Have the kernel end this process at any system call but a few; gives the walls that stand."""
    libc = _libc()
    program = _program()
    filter_ = _Program(len(program) // 8, program)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    done = libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(filter_), 0, 0)
    return [SECCOMP] if done == 0 else []


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    libc.syscall.restype = ctypes.c_long
    return libc


def _program() -> bytes:
    calls = sorted(_ALLOWED_CALLS.values())
    steps = [
        (_LOAD, 0, 0, _OFFSET_OF_ARCHITECTURE),
        (_JUMP_IF_EQUAL, 1, 0, _ARCHITECTURE_X86_64),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _OFFSET_OF_NUMBER),
    ]
    for index, call in enumerate(calls):
        steps.append((_JUMP_IF_EQUAL, len(calls) - index, 0, call))
    steps += [(_RETURN, 0, 0, _KILL_PROCESS), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
