"""Fails every write and sync of a writer in turn, then opens and checks what is left.

All of it takes some minutes: ``python -m tests.faults.fail_each_syscall``; a part of it is in
``test_failed_syscalls``. For each kind of system call it makes the first one fail, then the second,
and so on until the writer no longer makes that many. After each run the store has to open, to check
clean, and to hold what the writer reported as durable.

The writer has to be told of a failure, unless ``excuse`` knows why not. Calls are counted in each
thread by itself, so one number may let several fail.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trio

from vitra_node.storage.care.fsck import check_directory
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.errors import StorageError

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
import json, os, sys, trio
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
            os.symlink("closing", sys.argv[2] + ".closing")
    except StorageError as error:
        reported["error"] = str(error)
    with open(sys.argv[2], "w") as file:
        json.dump(reported, file)

trio.run(main)
"""


@dataclass(frozen=True)
class Failure:
    """A system call that failed.

    Attributes:
      call: its name.
      file: the file it was about, without its directory.
      to_read: whether that was to be opened for reading alone.
      closing: whether all that the writer was to write had been reported durable before.
    """

    call: str
    file: str
    to_read: bool
    closing: bool

    @property
    def excuse(self) -> str | None:
        """Why nobody has to be told; None if the writer has to be."""
        if self.file == "lock" and self.call in ("ftruncate", "pwrite64"):
            return "what it names the holder for is read by people alone"
        if self.file == "cores.mdb" and self.to_read:
            return "LMDB looks whether there is a file, and goes on to open it for writing"
        if self.file == "cores.mdb" and self.closing:
            return "the journal still holds what closing would have brought into the data file"
        return None


@dataclass(frozen=True)
class Run:
    """A run of the writer with failures; ``told`` is whether it heard of one."""

    failures: tuple[Failure, ...]
    told: bool
    length: int
    fork: int


def run_once(call: str, error: str, count: int, directory: Path) -> Run | None:
    """Let call number ``count`` fail; None if there were not so many."""
    report, log, store = directory / "report", directory / "strace", directory / "store"
    done = subprocess.run(
        [
            *("strace", "-f", "-y", "-qq", "-o", str(log)),
            *(f"--trace-path={store}{file}" for file in FILES),
            *(f"--trace-path={report}.closing", f"--trace={call},symlink"),
            f"--inject={call}:error={error}:when={count}",
            *(sys.executable, "-c", WRITER, str(store), str(report)),
        ],
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    failures = tuple(failures_in(log.read_text(), call, store))
    reported = json.loads(report.read_text())
    told = "error" in reported
    return Run(failures, told, reported["length"], reported["fork"]) if failures else None


def failures_in(log: str, call: str, store: Path) -> Iterator[Failure]:
    """What strace let fail, in the order in which it did."""
    closing = False
    for line in log.splitlines():
        closing = closing or "symlink(" in line
        if "(INJECTED)" in line:
            # The last path named is the file: of a rename, the one that it was to have.
            path = re.findall(rf'{store}[^"<>]*', line)[-1]
            yield Failure(call, Path(path).name, "O_RDONLY" in line, closing)


async def check(directory: Path, run: Run) -> None:
    async with Corestore.open(directory, primary_key=bytes(32)) as store:
        core = await store.get(name="log")
        assert (core.fork, core.length) >= (run.fork, run.length), run
        assert core.contiguous_length == core.length
        await core.append(b"goes on")


def fail_each(call: str, error: str, step: int = 1) -> list[Run]:
    """Let every ``step``-th call fail, one a run; gives the runs, each of which was checked."""
    runs = []
    for count in itertools.count(1, step):
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            run = run_once(call, error, count, directory)
            if run is None:
                break
            assert run.told or all(failure.excuse for failure in run.failures), run
            trio.run(check, directory / "store", run)
            assert list(check_directory(directory / "store")) == []
            runs.append(run)
    return runs


def main() -> None:
    for call in CALLS:
        for error in ERRORS:
            runs = fail_each(call, error)
            told = sum(run.told for run in runs)
            print(f"{call} {error}: {len(runs)} runs with a failure, {told} writers told")
            for failure in {f for run in runs if not run.told for f in run.failures}:
                print(f"  untold, of {failure.file}: {failure.excuse}")


if __name__ == "__main__":
    try:
        main()
    except StorageError as error:
        sys.exit(f"the store could not be opened: {error}")
