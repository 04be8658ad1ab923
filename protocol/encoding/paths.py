"""Paths of the index and the keys they stand for: one canonical codec, used by reader and writer.

A path is ``/`` followed by segments joined by ``/``; its key is the same segments in UTF-8 joined
by one NUL byte, without a leading separator. Because no segment may be empty or hold a NUL, a path
has exactly one key and a key one path: ``//.sys/x``, ``/.sys\\0x`` and ``/a/`` are no paths.

Everything at or below ``/.sys`` belongs to the protocol. Contracts write through
``parse_write_path``, which refuses it. See specs/01b-values-and-paths.md.
"""

from __future__ import annotations

from typing import Final

from ..errors import PathError
from ..limits import MAX_KEY_BYTES

SEPARATOR: Final = b"\x00"
SYSTEM: Final = b".sys"
SYSTEM_PREFIX: Final = SYSTEM + SEPARATOR

CONTRACT_SOURCE: Final = b".sys\x00contract\x00source"
INPUTS_PREFIX: Final = b".sys\x00inputs\x00"
ACKS_PREFIX: Final = b".sys\x00acks\x00"
GENESIS_ACK: Final = ACKS_PREFIX + b"genesis"
ROLLBACK_PREFIX: Final = b".sys\x00rollback\x00"

PUBLIC_KEY_BYTES: Final = 32
# The original pads the number of an operation so that acks sort in their order.
ACK_SEQ_DIGITS: Final = 15
MAX_ACK_SEQ: Final = 10**ACK_SEQ_DIGITS - 1


def parse_path(path: str) -> bytes:
    """Give the key of a canonical path.

    Raises:
      PathError: the path does not start with ``/``, has an empty segment (so also a trailing
        slash), a NUL or a lone surrogate, or its key is longer than ``MAX_KEY_BYTES``.
    """
    if not path.startswith("/"):
        raise PathError("a path starts with /")
    if "\x00" in path:
        raise PathError("a path has no NUL in it")
    try:
        key = path[1:].encode().replace(b"/", SEPARATOR)
    except UnicodeEncodeError:
        raise PathError("a path has no half characters (lone surrogates) in it") from None
    if len(key) > MAX_KEY_BYTES:
        raise PathError(f"a path has at most {MAX_KEY_BYTES} bytes")
    if not is_canonical_key(key):
        raise PathError("a path has no empty segments")
    return key


def parse_write_path(path: str) -> bytes:
    """Give the key of a path that a contract may write.

    Raises:
      PathError: the path is not canonical, or lies at or below ``/.sys``.
    """
    key = parse_path(path)
    if is_system_key(key):
        raise PathError("everything at or below /.sys is written by the protocol only")
    return key


def list_prefix(path: str) -> bytes:
    """Give the prefix shared by the keys of everything below a path.

    ``/`` is the root, whose prefix is empty; one trailing slash is allowed.

    Raises:
      PathError: the path is neither the root nor canonical.
    """
    if path == "/":
        return b""
    return parse_path(path.removesuffix("/")) + SEPARATOR


def is_canonical_key(key: bytes) -> bool:
    """Whether segments joined by NUL are all non-empty; says nothing of their UTF-8."""
    return bool(key) and b"\x00\x00" not in key and key[0] != 0 and key[-1] != 0


def is_system_key(key: bytes) -> bool:
    """Whether the key lies at or below ``/.sys``."""
    return key == SYSTEM or key.startswith(SYSTEM_PREFIX)


def format_key(key: bytes) -> str:
    """Give the path of a key, for people and for entries handed to programs.

    Never fails: bytes that are not UTF-8 come out as ``\\xNN``. For the key of a canonical path it
    is the inverse of ``parse_path``.
    """
    return "/" + key.replace(SEPARATOR, b"/").decode(errors="backslashreplace")


def input_key(public_key: bytes) -> bytes:
    """Give the key of a participant's record.

    Raises:
      PathError: the public key does not have 32 bytes.
    """
    return INPUTS_PREFIX + _hex(public_key)


def rollback_key(public_key: bytes) -> bytes:
    """Give the key of a participant's vote for an earlier contract source.

    Raises:
      PathError: the public key does not have 32 bytes.
    """
    return ROLLBACK_PREFIX + _hex(public_key)


def ack_key(public_key: bytes, seq: int) -> bytes:
    """Give the key of the ack of operation ``seq`` of an oplog.

    Raises:
      PathError: the public key does not have 32 bytes, or seq not 1 to 15 digits.
    """
    if not 0 <= seq <= MAX_ACK_SEQ:
        raise PathError(f"the number of an operation has at most {ACK_SEQ_DIGITS} digits")
    return b"%s%s\x00%015d" % (ACKS_PREFIX, _hex(public_key), seq)


def _hex(public_key: bytes) -> bytes:
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise PathError(f"a public key has {PUBLIC_KEY_BYTES} bytes")
    return public_key.hex().encode()
