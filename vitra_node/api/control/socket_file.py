"""The control socket as a file: where it lies, who may use it, and what a stale one means.

The socket is ``control.sock`` in the data directory, mode 0600. Whether a node serves the directory
is decided by the lock on its store, not by this file: a process that was killed leaves the file
behind, and the next node, which holds the lock, puts its own in its place by a rename.

Linux allows 107 bytes for the path of a Unix socket. A longer one is reached through a descriptor
of its directory, ``/proc/self/fd/N/control.sock``, so no one has to change into the directory.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import NetworkProblem, NotAllowed, NotFound

if TYPE_CHECKING:
    import trio

SOCKET_NAME = "control.sock"

# sizeof(sun_path) is 108 on Linux, one of it for the closing NUL.
MAX_SOCKET_PATH_BYTES = 107

# Connections that wait to be accepted; one-shot commands come and go one at a time.
_BACKLOG = 64

_PEER_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)


def bind_control_socket(directory: Path) -> socket.socket:
    """A listening socket at ``control.sock``, in place of any that was left behind.

    The caller holds the lock of the directory's store. Raises NotAllowed where others may write
    to the directory, and NetworkProblem when the socket cannot be made.
    """
    refuse_shared(directory)
    name = f".{SOCKET_NAME}.{os.getpid()}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # Linux takes the mode of the new file from the socket's own, so it is never wider.
        os.fchmod(listener.fileno(), 0o600)
        with _short_path(directory, name) as path:
            Path(path).unlink(missing_ok=True)
            listener.bind(path)
        listener.listen(_BACKLOG)
        (directory / name).replace(directory / SOCKET_NAME)
    except OSError as error:
        listener.close()
        (directory / name).unlink(missing_ok=True)
        raise NetworkProblem(
            f"The control socket {directory / SOCKET_NAME} cannot be made: {error.strerror}.",
            advice="Choose a directory on a local file system.",
        ) from error
    return listener


def connect_control_socket(directory: Path) -> socket.socket:
    """A connected socket to the node that serves the directory.

    Raises NotFound when none does, NotAllowed when it belongs to another user.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with _short_path(directory, SOCKET_NAME) as path:
            connection.connect(path)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        connection.close()
        raise NotFound(
            f"No node is running for {directory}.", advice="Start one with `vitra serve`."
        ) from error
    except PermissionError as error:
        connection.close()
        raise NotAllowed(
            f"The node of {directory} belongs to another user.",
            unchanged="Nothing was changed.",
            advice="Run the command as the user that runs the node.",
        ) from error
    except OSError as error:
        connection.close()
        raise NetworkProblem(
            f"The node of {directory} does not answer: {error.strerror}."
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def peer_user(connection: socket.socket | trio.socket.SocketType) -> int:
    """The user id of the process at the other end, as the kernel saw it when it connected."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    _pid, user, _group = _PEER_CREDENTIALS.unpack(data)
    return int(user)


def remove_control_socket(directory: Path, listener: socket.socket) -> None:
    """Take ``control.sock`` away. The caller still holds the lock, so it is the listener's own."""
    listener.close()
    (directory / SOCKET_NAME).unlink(missing_ok=True)


def refuse_shared(directory: Path) -> None:
    """Whoever may write to the directory could put a socket of theirs in our place."""
    status = directory.stat()
    if status.st_uid not in (os.geteuid(), 0):
        raise NotAllowed(
            f"{directory} belongs to another user.",
            unchanged="Nothing was changed.",
            advice="Use a directory of your own.",
        )
    if stat.S_IMODE(status.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
        raise NotAllowed(
            f"Other users may write to {directory}.",
            unchanged="Nothing was changed.",
            advice=f"Close it with `chmod 700 {directory}`.",
        )


@contextmanager
def _short_path(directory: Path, name: str) -> Iterator[str]:
    """A path to ``name`` in the directory that is short enough for a socket address."""
    path = str(directory / name)
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        yield path
        return
    if not Path("/proc/self/fd").is_dir():
        raise OSError(errno.ENAMETOOLONG, "its path is too long for a socket, and /proc is missing")
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
