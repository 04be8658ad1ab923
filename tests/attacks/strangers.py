"""Somebody who has a proof file and nothing else: no database, no network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def check_elsewhere(file: Path, code: int, *flags: str) -> dict[str, str]:
    """``vitra proof check`` in a process of its own that cannot open any socket; its answer."""
    command = [sys.executable, "-c", WITHOUT_NETWORK, "proof", "check", str(file), "--json", *flags]
    done = subprocess.run(command, capture_output=True, text=True, cwd=file.parent, check=False)
    assert done.returncode == code, done.stderr + done.stdout
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


# Contract workers are spoken to over pipes and socket pairs; nothing needs an address.
WITHOUT_NETWORK = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
        raise RuntimeError(f"a proof is checked without the network: {event}")
sys.addaudithook(refuse)
from vitra_node.cli.main import run
sys.exit(run(sys.argv[1:]))
"""
