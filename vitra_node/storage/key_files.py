"""Secret keys on disk: one file each below ``keys/``, for their owner's eyes only.

A file holds 32 bytes as 64 hex digits and a newline. It is made complete under another name and
then linked into place, so a crash never leaves half a key, and an existing key is never replaced.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import KeyFileError, StorageError

KEYS_DIRECTORY = "keys"
PRIMARY_KEY_NAME = "primary"
KEY_BYTES = 32

_WIDER_THAN_OWNER = 0o077
_WRITABLE_BY_OTHERS = 0o022


def open_keys_directory(data_directory: Path) -> Path:
    """The directory ``keys``, created with mode 0700 when it is not there.

    Raises:
      KeyFileError: it is not a directory of ours, or others may write to it.
    """
    path = data_directory / KEYS_DIRECTORY
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise KeyFileError(f"{path} cannot be used: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode):
        raise KeyFileError(f"{path} is not a directory")
    if status.st_uid != os.geteuid() or status.st_mode & _WRITABLE_BY_OTHERS:
        raise KeyFileError(f"others may write to {path}; run: chmod 700 {path}")
    return path


def read_key(path: Path) -> bytes | None:
    """The 32 bytes in a key file, or None when there is no such file.

    Raises:
      KeyFileError: not a plain file of ours, readable for others, or damaged.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise KeyFileError(f"{path} is not a file of this user")
        if status.st_mode & _WIDER_THAN_OWNER:
            mode = stat.S_IMODE(status.st_mode)
            raise KeyFileError(f"{path} has mode {mode:04o}, others may read it: chmod 600 {path}")
        text = os.read(descriptor, 2 * KEY_BYTES + 2)
    finally:
        os.close(descriptor)
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError as error:
        raise KeyFileError(f"{path} is damaged: not {2 * KEY_BYTES} hex digits") from error
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"{path} is damaged: it holds {len(key)} bytes, not {KEY_BYTES}")
    return key


def create_key(path: Path, key: bytes) -> None:
    """Write a key that is durable on return, with mode 0600.

    Raises:
      KeyFileError: the file exists already, or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)  # what a crash left; the caller holds the directory
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(temporary, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
        temporary.unlink()
        sync_directory(path.parent)
    except FileExistsError as error:
        raise KeyFileError(f"{path} exists already") from error
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error


def sync_directory(path: Path) -> None:
    """Make names created in a directory durable.

    Raises:
      StorageError: the disk refused.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(f"{path} cannot be synced: {error.strerror}") from error
