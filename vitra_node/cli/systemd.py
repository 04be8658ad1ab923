"""A node as a systemd service: telling it when we are ready, and a unit to begin with."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_UNIT = """\
[Unit]
Description=Vitra node for {names}
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart={command}
Environment=VITRA_LOG=info
Restart=on-failure
RestartSec=5
UMask=0077
# It writes to its own directories only, and needs no privilege.
ReadWritePaths={paths}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def tell_systemd(state: str) -> None:
    """Send ``READY=1`` or ``STOPPING=1`` where systemd started us and waits for it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect("\0" + address[1:] if address.startswith("@") else address)
        notify.send(state.encode())


def unit_text(directories: Sequence[Path], arguments: Sequence[str]) -> str:
    """A unit that serves the directories with these further arguments of ``vitra serve``."""
    program = shutil.which("vitra") or f"{sys.executable} -m vitra_node.cli"
    given = [*arguments, *map(str, directories)]
    words = [program, "serve", *map(_quoted, given)]
    return _UNIT.format(
        names=", ".join(each.name for each in directories).replace("%", "%%"),
        command=" ".join(words),
        paths=" ".join(_quoted(str(each)) for each in directories),
    )


def _quoted(text: str) -> str:
    """One word of a unit file: percent signs are specifiers there, and spaces part words."""
    text = text.replace("%", "%%")
    if any(character.isspace() or character in "\"'\\" for character in text):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return text
