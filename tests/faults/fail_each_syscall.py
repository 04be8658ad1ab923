"""Fails every write and sync of a writer in turn, then opens and checks what is left.

All of it takes some minutes: ``python -m tests.faults.fail_each_syscall``; a part of it is in
``test_failed_syscalls``. For each kind of system call it makes the first one fail, then the second,
and so on until the writer no longer makes that many. After each run the store has to open, to check
clean, and to hold what the writer reported as durable.

Not every failure is told. When a store closes, it brings its journal into the data file, so that
the next opening is quick; where that fails nothing is lost, as the journal still holds it all.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import trio

from vitra_node.storage.corestore import Corestore
from vitra_node.storage.errors import StorageError
from vitra_node.storage.fsck import check_directory

FILES = (
    *("", "/lock", "/keys", "/keys/.primary.new", "/keys/primary"),
    *("/cores.mdb", "/cores.mdb-lock", "/.cores.journal.new", "/cores.journal"),
)
CALLS = (
    *("pwrite64", "write", "fdatasync", "fsync", "ftruncate"),
    *("link", "rename", "unlink", "mkdir", "openat", "flock"),
)
ERRORS = ("EIO", "ENOSPC")

WRITER = """
import json, sys, trio
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.errors import StorageError

async def main():
    reported = {"length": 0, "fork": 0}
    try:
        async with Corestore.open(sys.argv[1], primary_key=bytes(32)) as store:
            core = await store.get(name="log")
            for number in range(6):
                reported["length"] = await core.append([b"x" * 100] * (number + 1))
            await core.append(bytes(300_000))
            await core.truncate(3)
            reported = {"length": core.length, "fork": core.fork}
            reported["length"] = await core.append(b"y")
    except StorageError as error:
        reported["error"] = str(error)
    with open(sys.argv[2], "w") as file:
        json.dump(reported, file)

trio.run(main)
"""


def run_once(call: str, error: str, count: int, directory: Path) -> tuple[bool, dict[str, object]]:
    """Let call number ``count`` fail; gives whether there was one, and what the writer said."""
    report, log, store = directory / "report", directory / "strace", directory / "store"
    done = subprocess.run(
        [
            *("strace", "-f", "-qq", "-o", str(log)),
            *(f"--trace-path={store}{file}" for file in FILES),
            *(f"--trace={call}", f"--inject={call}:error={error}:when={count}"),
            *(sys.executable, "-c", WRITER, str(directory / "store"), str(report)),
        ],
        stderr=subprocess.PIPE,
        check=False,
    )
    injected = "(INJECTED)" in log.read_text()
    assert done.returncode == 0, done.stderr.decode()
    reported: dict[str, object] = json.loads(report.read_text())
    return injected, reported


async def check(directory: Path, reported: dict[str, object]) -> None:
    async with Corestore.open(directory, primary_key=bytes(32)) as store:
        core = await store.get(name="log")
        state = (core.fork, core.length)
        assert state >= (reported["fork"], reported["length"]), (state, reported)
        assert core.contiguous_length == core.length
        await core.append(b"goes on")


def fail_each(call: str, error: str, step: int = 1) -> tuple[int, int]:
    """Let every ``step``-th call fail, one a run; how many failed, and how many were told of."""
    failed = told = 0
    for count in itertools.count(1, step):
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            injected, reported = run_once(call, error, count, directory)
            if not injected:
                break
            failed += 1
            told += "error" in reported
            trio.run(check, directory / "store", reported)
            assert list(check_directory(directory / "store")) == []
    return failed, told


def main() -> None:
    for call in CALLS:
        for error in ERRORS:
            failed, told = fail_each(call, error)
            print(f"{call} {error}: {failed} failed in turn, {told} of them noticed")


if __name__ == "__main__":
    try:
        main()
    except StorageError as error:
        sys.exit(f"the store could not be opened: {error}")
