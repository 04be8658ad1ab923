"""Protobuf varints: 7 bits a byte, lowest first, the top bit set on all but the last byte.

The nodes of a tree are kept as *codes*, the encoded varints themselves: most numbers of a node that
is rewritten do not change, so copying their bytes saves decoding and encoding them again.

Wire facts: specs/06-hyperbee.md; npm ``protocol-buffers-encodings``.
"""

from __future__ import annotations

import re

from ..errors import BeeBlockError

# 8 bytes hold 56 bits; a seq has at most 53 because JavaScript wrote it.
MAX_VARINT_BYTES = 8

_ONE = re.compile(rb"[\x80-\xff]{0,7}[\x00-\x7f]")
_TWO = re.compile(rb"(?:[\x80-\xff]{0,7}[\x00-\x7f]){2}")
_PADDED = re.compile(rb"[\x80-\xff]\x00")


def _encode(value: int) -> bytes:
    code = bytearray()
    while value > 0x7F:
        code.append(value & 0x7F | 0x80)
        value >>= 7
    code.append(value)
    return bytes(code)


# Lengths of levels, and nearly all other lengths and level numbers, are below this.
SHORT_VARINTS = tuple(_encode(n) for n in range(2048))


def encode_varint(value: int) -> bytes:
    """Encode an unsigned integer."""
    return SHORT_VARINTS[value] if value < 2048 else _encode(value)


def decode_varint_untrusted(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Read one varint of ``data[start:end]``; gives its value and the position behind it.

    Raises:
      BeeBlockError: the bytes end early, or it has more than 8 bytes.
    """
    value = shift = 0
    for position in range(start, min(end, start + MAX_VARINT_BYTES)):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
        shift += 7
    raise BeeBlockError("a varint is cut off or too long")


def decode_code(code: bytes) -> int:
    """The value of one code as ``split_untrusted`` gives it."""
    if len(code) == 1:
        return code[0]
    value = shift = 0
    for byte in code:
        value |= (byte & 0x7F) << shift
        shift += 7
    return value


def decode_pair(pair: bytes) -> tuple[int, int]:
    """The two values of one code as ``split_pairs_untrusted`` gives it."""
    value = shift = 0
    for position, byte in enumerate(pair):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, decode_code(pair[position + 1 :])
        shift += 7
    raise AssertionError("a pair holds two varints")


def split_untrusted(data: bytes) -> list[bytes]:
    """Cut a packed list into the codes of its numbers.

    Raises:
      BeeBlockError: the bytes end inside a number, or a number is longer than it needs to be.
    """
    codes: list[bytes] = _ONE.findall(data)
    _check_split(codes, data)
    return codes


def split_pairs_untrusted(data: bytes) -> list[bytes]:
    """Cut a packed list into codes that hold two numbers each.

    Raises:
      BeeBlockError: as ``split_untrusted``, or the count of numbers is odd.
    """
    codes: list[bytes] = _TWO.findall(data)
    _check_split(codes, data)
    return codes


def _check_split(codes: list[bytes], data: bytes) -> None:
    # What the pattern does not match is left out, so the lengths tell. A longer form than needed
    # would be copied into blocks where other implementations write the short one.
    if sum(map(len, codes)) != len(data) or (b"\x00" in data and _PADDED.search(data)):
        raise BeeBlockError("a list of numbers is not packed varints in their shortest form")
