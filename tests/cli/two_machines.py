"""Two machines joined by a cable, in network namespaces; run by test_two_machines.py.

    unshare --map-root-user --mount --net python -m tests.cli.two_machines PAGE DIRECTORY

Plays what a page marks with ``<!-- two machines -->``: Alice's commands run on the machine with the
address 192.0.2.1, Bob's on that with 192.0.2.2, each with a directory of their own. Everything
vanishes with the process, and nothing can leave it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .transcript import Transcript

ADDRESSES = {"alice": "192.0.2.1", "bob": "192.0.2.2"}


def sh(command: str) -> None:
    """Run a command; raises with what it said."""
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")


def build() -> None:
    """Make the machines."""
    # Names of namespaces are files there; this mount is nobody else's.
    sh("mount -t tmpfs none /run")
    for name in ADDRESSES:
        sh(f"ip netns add {name}")
        sh(f"ip -n {name} link set lo up")
    sh("ip -n alice link add eth0 type veth peer name eth0 netns bob")
    for name, address in ADDRESSES.items():
        sh(f"ip -n {name} address add {address}/24 dev eth0")
        sh(f"ip -n {name} link set eth0 up")


def main(page: str, directory: str) -> None:
    """Play the page; prints how many commands there were."""
    build()
    # Nothing can leave these machines, so commands may look for peers unasked, as a user's do.
    user = ["env", "-u", "VITRA_NO_SWARM"]
    entering = {name: [*user, "ip", "netns", "exec", name] for name in ADDRESSES}
    with Transcript(
        Path(page).read_text(), Path(directory), entering, "two machines"
    ) as transcript:
        transcript.play()
    print(transcript.commands)


if __name__ == "__main__":
    main(*sys.argv[1:])
