"""Installs npm packages that tests need, once for each lock file."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

_INSTALL_SECONDS = 300


def install_packages(directory: Path) -> None:
    """Run ``npm ci`` unless node_modules is there and newer than the lock file.

    The lock on package-lock.json makes parallel test runs in one checkout wait for each other.
    Nothing is ever skipped: without node and npm the tests fail.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.fail(f"{tool} is needed for these tests and is not on the PATH")
    lock_file = directory / "package-lock.json"
    installed = directory / "node_modules" / ".package-lock.json"
    with lock_file.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if installed.exists() and installed.stat().st_mtime >= lock_file.stat().st_mtime:
            return
        done = subprocess.run(
            ["npm", "ci"],
            cwd=directory,
            check=False,
            timeout=_INSTALL_SECONDS,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            pytest.fail(f"npm ci failed:\n{done.stdout}{done.stderr}")
