"""Installs the npm packages of the JavaScript peers before the first interop test."""

from __future__ import annotations

import fcntl
import shutil
import subprocess

import pytest

from .js_peer import PEERS

_INSTALL_SECONDS = 300


@pytest.fixture(scope="session", autouse=True)
def js_packages() -> None:
    """Run ``npm ci`` unless node_modules is there and newer than the lock file.

    The lock on package-lock.json makes parallel test runs in one checkout wait for each other.
    Interop is never skipped: without node and npm the tests fail.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.fail(f"{tool} is needed for the interop tests and is not on the PATH")
    lock_file = PEERS / "package-lock.json"
    installed = PEERS / "node_modules" / ".package-lock.json"
    with lock_file.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if installed.exists() and installed.stat().st_mtime >= lock_file.stat().st_mtime:
            return
        done = subprocess.run(
            ["npm", "ci"],
            cwd=PEERS,
            check=False,
            timeout=_INSTALL_SECONDS,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            pytest.fail(f"npm ci failed:\n{done.stdout}{done.stderr}")
