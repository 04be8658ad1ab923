"""The walls around a contract's process hold, each by itself and all together."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.contract_sources import COUNTER
from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import STEPS, running
from vitra_node.api.diagnosis import CHECKS
from vitra_node.api.session import Session
from vitra_node.contracts import confinement, process
from vitra_node.contracts.confinement import LANDLOCK_FILES, LANDLOCK_NETWORK, SECCOMP, WALLS
from vitra_node.database import Database

LOAD = f"""\
import ctypes, os, signal, socket, sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("confinement", {confinement.__file__!r})
confinement = module_from_spec(spec)
spec.loader.exec_module(confinement)
"""

# What a contract that has broken out of the engine would try; each must be over before it is done.
ATTEMPTS = {
    "open a file": "open('/etc/passwd')",
    "make a file": "os.open('/tmp', os.O_TMPFILE | os.O_RDWR)",
    "list a directory": "os.listdir('/')",
    "connect": "socket.socket()",
    "make a pair of sockets": "socket.socketpair()",
    "fork": "os.fork()",
    "run a program": "os.execv('/bin/true', ['true'])",
    "send a signal": "os.kill(os.getppid(), 0)",
    "raise its limits": "__import__('resource').getrlimit(0)",
    "trace": "ctypes.CDLL(None).ptrace(0, 0, 0, 0)",
    "load a filter of its own": "ctypes.CDLL(None).prctl(22, 2, 0, 0, 0)",
}


def run(script: str, *, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    """A process of its own, because walls are for good."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", LOAD + script],
        capture_output=True,
        stdin=stdin,
        text=True,
        timeout=60,
        check=False,
    )


def landlock_walls() -> set[str]:
    """What Landlock should refuse on this kernel, by its version."""
    version = confinement.landlock_version()
    since = {LANDLOCK_FILES: 1, LANDLOCK_NETWORK: 4, confinement.LANDLOCK_SIGNALS: 6}
    return {name for name, first in since.items() if version >= first}


@pytest.mark.parametrize("what", ATTEMPTS)
def test_a_confined_process_that_reaches_out_dies(what: str) -> None:
    confine = "confinement.confine(512 << 20, 3)\n"
    # What must be loaded is, before; and the process does go on without the attempt.
    before = "import resource\nlibc = ctypes.CDLL(None)\n"
    fine = run(f"{before}{confine}os.write(1, b'in')\nos._exit(0)\n")
    assert (fine.returncode, fine.stdout) == (0, "in"), fine.stderr
    done = run(f"{before}{confine}os.write(1, b'in')\n{ATTEMPTS[what]}\nos.write(1, b'out')\n")
    assert (done.returncode, done.stdout) == (-signal.SIGSYS, "in"), done.stderr


def test_landlock_alone_refuses_files(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("secret")
    script = f"""
print(",".join(confinement.refuse_access()))
for attempt in (
    lambda: open({str(file)!r}).read(),
    lambda: open({str(file)!r}, "w"),
    lambda: open({str(tmp_path / "new")!r}, "w"),
    lambda: os.listdir({str(tmp_path)!r}),
    lambda: os.unlink({str(file)!r}),
    lambda: os.mkdir({str(tmp_path / "below")!r}),
    lambda: os.execv("/bin/true", ["true"]),
):
    try:
        attempt()
    except PermissionError:
        print("refused")
    else:
        print("done")
"""
    done = run(script)
    walls, *outcomes = done.stdout.splitlines()
    assert set(filter(None, walls.split(","))) == landlock_walls()
    if LANDLOCK_FILES in walls:
        assert outcomes == ["refused"] * 7, done.stderr
        assert file.read_text() == "secret"
        assert list(tmp_path.iterdir()) == [file]


def test_landlock_alone_refuses_tcp_and_signals() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"""
print(",".join(confinement.refuse_access()))
for attempt in (
    lambda: socket.create_connection(("127.0.0.1", {port})),
    lambda: socket.create_server(("127.0.0.1", 0)),
    lambda: os.kill(os.getppid(), 0),
):
    try:
        attempt()
    except PermissionError:
        print("refused")
    else:
        print("done")
"""
        done = run(script)
    walls, *outcomes = done.stdout.splitlines()
    standing = walls.split(",")
    tcp = "refused" if LANDLOCK_NETWORK in standing else "done"
    signals = "refused" if confinement.LANDLOCK_SIGNALS in standing else "done"
    assert outcomes == [tcp, tcp, signals], done.stderr


async def test_a_worker_says_which_walls_stand() -> None:
    async with running(STEPS) as worker:
        assert worker.walls is None
        await worker.call("nothing", None, MemoryHost())
        assert worker.walls == landlock_walls() | {SECCOMP}


def contracts_check(database: Database) -> tuple[str, str, str]:
    [check] = [check for check in CHECKS if check.name == "contracts"]
    found = check.probe(cast(Session, SimpleNamespace(database=database)))
    return found.state, found.text, found.advice


async def test_doctor_shows_the_walls() -> None:
    async with Database.sandbox(contract=COUNTER) as database:
        assert contracts_check(database)[0] == "off"
        await database.call("get")
        assert database.contract_walls == landlock_walls() | {SECCOMP}
        assert contracts_check(database)[0] == "ok"


def be_on_an_older_kernel(
    missing: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Have workers use the real guest, but without some of the walls."""
    source = Path(confinement.__file__).read_text()
    older = tmp_path / "confinement.py"
    older.write_text(
        f"{source}\n\n_newer = confine\n\n\ndef confine(memory_bytes, descriptors):\n"
        f"    walls = _newer(memory_bytes, descriptors)\n"
        f"    return [wall for wall in walls if wall not in {sorted(missing)!r}]\n"
    )
    command: Any = process._command

    def with_older(memory_bytes: int) -> list[str]:
        return [
            str(older) if part.endswith("confinement.py") else part
            for part in command(memory_bytes)
        ]

    monkeypatch.setattr(process, "_command", with_older)


@pytest.mark.parametrize(
    ("missing", "state"),
    [
        ({LANDLOCK_NETWORK}, "ok"),
        ({LANDLOCK_FILES, LANDLOCK_NETWORK}, "ok"),
        (set(WALLS), "problem"),
    ],
)
async def test_what_is_missing_is_logged_once_and_shown(
    missing: set[str],
    state: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    be_on_an_older_kernel(missing, monkeypatch, tmp_path)
    caplog.set_level(logging.WARNING, "vitra.contract")
    async with Database.sandbox(contract=COUNTER) as database:
        for _ in range(2):
            await (await database.call("increment")).when_processed()
            await database.call("get")
        found, text, advice = contracts_check(database)
    assert found == state
    assert advice
    [line] = [record.message for record in caplog.records if record.name == "vitra.contract"]
    for name in missing:
        assert f"{name} (Linux {WALLS[name]})" in line
        assert f"{name} (Linux {WALLS[name]})" in text
