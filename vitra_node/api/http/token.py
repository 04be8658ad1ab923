"""The token of a directory's HTTP port: a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from ...errors import NotFound, StoreDamaged
from ..control.socket_file import refuse_shared

TOKEN_NAME = "http-token"
_TOKEN_BYTES = 32
_MAX_FILE_BYTES = 1024


def token_of(directory: Path) -> str:
    """The token that the directory keeps; made when there is none.

    Raises StoreDamaged when others may read the file, NotAllowed where they may replace it.
    """
    path = directory / TOKEN_NAME
    refuse_shared(directory)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return read_token(directory)
    with os.fdopen(descriptor, "w") as file:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        file.write(token + "\n")
    return token


def read_token(directory: Path) -> str:
    """The token that the directory keeps.

    Raises NotFound when it keeps none, StoreDamaged when others may read it or it is empty.
    """
    path = directory / TOKEN_NAME
    try:
        with path.open() as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            token = file.read(_MAX_FILE_BYTES).strip()
    except FileNotFoundError as error:
        raise NotFound(
            f"There is no token in {directory}.", advice="Start a node with `vitra serve --http`."
        ) from error
    if mode & 0o077:
        raise StoreDamaged(
            f"Other users may read {path}.",
            unchanged="The token was not used.",
            advice="Delete the file; the next start makes a new one.",
        )
    if len(token) < _TOKEN_BYTES:
        raise StoreDamaged(
            f"{path} holds no token.", advice="Delete it; the next start makes a new one."
        )
    return token
