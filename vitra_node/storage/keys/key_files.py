"""Secret keys on disk: one file each below ``keys/``, for their owner's eyes only.

A file holds 32 bytes as 64 hex digits and a newline, or sealed under a passphrase. It is made
complete under another name and then linked into place, so a crash never leaves half a key, and an
existing key is never replaced; sealing and unsealing rename over it, and keep the key.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from ..errors import KeyFileError, StorageError
from .sealing import SealedSecret, seal

KEYS_DIRECTORY = "keys"
PRIMARY_KEY_NAME = "primary"
KEY_BYTES = 32

Passphrase = Callable[[], str]
"""Gives the passphrase of a sealed key; only called when there is one."""

_SEALED = "vitra-sealed-key"
_MAX_FILE_BYTES = 1024

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


def read_key(path: Path, passphrase: Passphrase | None = None) -> bytes | None:
    """The 32 bytes in a key file, or None when there is no such file.

    Raises:
      KeyFileError: not a plain file of ours, readable for others, damaged, or sealed and there is
        no passphrase.
      WrongPassphrase: the passphrase does not open it.
    """
    text = _read_private(path)
    if text is None:
        return None
    sealed = _sealed_in(path, text)
    if sealed is not None:
        if passphrase is None:
            raise KeyFileError(f"{path} is sealed, and no passphrase was given")
        key = sealed.open_untrusted(passphrase())
    else:
        key = _unhex(path, text.removesuffix("\n"))
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"{path} is damaged: it holds {len(key)} bytes, not {KEY_BYTES}")
    return key


def is_sealed(path: Path) -> bool:
    """Whether a key file needs a passphrase. Raises like ``read_key``."""
    text = _read_private(path)
    return text is not None and _sealed_in(path, text) is not None


def rewrite_key(path: Path, key: bytes, passphrase: str | None) -> None:
    """Write the same key again, under a passphrase or in the clear; durable on return.

    A crash leaves the old file or the new one.

    Raises:
      KeyFileError: the passphrase is empty, or the file cannot be written.
    """
    text = key.hex() + "\n"
    if passphrase is not None:
        sealed = seal(key, passphrase)
        text = (
            f"{_SEALED} {sealed.ops} {sealed.memory_bytes} {sealed.salt.hex()} {sealed.box.hex()}\n"
        )
    temporary = path.with_name(f".{path.name}.new")
    try:
        _write_private(temporary, text)
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error


def _sealed_in(path: Path, text: str) -> SealedSecret | None:
    if not text.startswith(_SEALED):
        return None
    fields = text.split()
    if len(fields) != 5 or not (fields[1].isdigit() and fields[2].isdigit()):
        raise KeyFileError(f"{path} is damaged: it does not hold a sealed key")
    salt, box = _unhex(path, fields[3]), _unhex(path, fields[4])
    return SealedSecret(salt, int(fields[1]), int(fields[2]), box)


def _unhex(path: Path, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise KeyFileError(f"{path} is damaged: not {2 * KEY_BYTES} hex digits") from error


def _read_private(path: Path) -> str | None:
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
        data = os.read(descriptor, _MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > _MAX_FILE_BYTES or not data.isascii():
        raise KeyFileError(f"{path} is damaged: not {2 * KEY_BYTES} hex digits")
    return data.decode("ascii")


def create_key(path: Path, key: bytes) -> None:
    """Write a key that is durable on return, with mode 0600.

    Raises:
      KeyFileError: the file exists already, or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        _write_private(temporary, key.hex() + "\n")
        os.link(temporary, path)
        temporary.unlink()
        sync_directory(path.parent)
    except FileExistsError as error:
        raise KeyFileError(f"{path} exists already") from error
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # what a crash left; the caller holds the directory
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


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
