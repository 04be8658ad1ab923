"""compact-encoding: the primitive encodings of every message in the Hypercore stack.

Wire facts: npm ``compact-encoding`` 3.5; specs/01-encoding.md. Encoders are functions that return
``bytes``; decoding goes through a ``Decoder``, which never reads past the end it was given, because
several messages mark optional fields only by "are there bytes left".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import TypeVar

from ..errors import DecodeError, LocalProtocolError
from ..limits import MAX_ARRAY_ITEMS, MAX_SAFE_INTEGER

T = TypeVar("T")

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")

_ONE_BYTE = tuple(bytes((n,)) for n in range(0xFD))


def encode_uint(value: int) -> bytes:
    """Encode 0 <= value <= 2^53 - 1 in 1, 3, 5 or 9 bytes.

    Raises:
      LocalProtocolError: the value is negative or too large.
    """
    if 0 <= value <= 0xFC:
        return _ONE_BYTE[value]
    if value < 0 or value > MAX_SAFE_INTEGER:
        raise LocalProtocolError(f"{value} is not an unsigned integer of at most 53 bits")
    if value <= 0xFFFF:
        return b"\xfd" + _U16.pack(value)
    if value <= 0xFFFFFFFF:
        return b"\xfe" + _U32.pack(value)
    return b"\xff" + _U64.pack(value)


def encode_int(value: int) -> bytes:
    """Encode a signed integer as a zig-zag ``uint``."""
    return encode_uint(-2 * value - 1 if value < 0 else 2 * value)


def encode_uint64(value: int) -> bytes:
    """Encode as 8 bytes, little endian: the form used inside hashes and signables."""
    return _U64.pack(value)


def encode_buffer(value: bytes) -> bytes:
    """Encode bytes behind their length."""
    return encode_uint(len(value)) + value


def encode_optional_buffer(value: bytes | None) -> bytes:
    """Like ``encode_buffer``; ``None`` and empty bytes have the same encoding."""
    return encode_buffer(value) if value else b"\x00"


def encode_string(value: str) -> bytes:
    """Encode text as UTF-8 behind its length in bytes."""
    return encode_buffer(value.encode())


def encode_array(items: Iterable[bytes]) -> bytes:
    """Encode already encoded items behind their count."""
    parts = list(items)
    return encode_uint(len(parts)) + b"".join(parts)


def encode_uint32_array(words: bytes) -> bytes:
    """Encode 32-bit words, given as their little-endian bytes, behind the count of words.

    Raises:
      LocalProtocolError: the bytes are not a whole number of words.
    """
    if len(words) % 4:
        raise LocalProtocolError("a uint32 array holds whole words")
    return encode_uint(len(words) // 4) + words


class Decoder:
    """Reads primitives from ``data[start:end]`` in order.

    Every method raises ``DecodeError`` when the bytes end too early or break a bound, and reads
    nothing past ``end``.
    """

    __slots__ = ("data", "end", "start")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.start = start
        self.end = len(data) if end is None else end

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return self.end - self.start

    def uint(self) -> int:
        """Read a variable-length unsigned integer; longer forms than needed are accepted."""
        start = self.start
        if start >= self.end:
            raise DecodeError("the message ends where an integer was expected")
        first = self.data[start]
        if first <= 0xFC:
            self.start = start + 1
            return first
        if first == 0xFD:
            return self._fixed_uint(_U16, 2, start + 1)
        if first == 0xFE:
            return self._fixed_uint(_U32, 4, start + 1)
        value = self._fixed_uint(_U64, 8, start + 1)
        if value > MAX_SAFE_INTEGER:
            raise DecodeError("an integer has more than 53 bits")
        return value

    def _fixed_uint(self, layout: struct.Struct, size: int, start: int) -> int:
        if start + size > self.end:
            raise DecodeError("the message ends inside an integer")
        value: int = layout.unpack_from(self.data, start)[0]
        self.start = start + size
        return value

    def zigzag(self) -> int:
        """Read a zig-zag signed integer."""
        value = self.uint()
        return -((value + 1) >> 1) if value & 1 else value >> 1

    def uint64(self) -> int:
        """Read 8 bytes, little endian."""
        return self._fixed_uint(_U64, 8, self.start)

    def fixed(self, size: int) -> bytes:
        """Read exactly ``size`` bytes."""
        start = self.start
        stop = start + size
        if stop > self.end:
            raise DecodeError(f"the message ends inside a field of {size} bytes")
        self.start = stop
        return bytes(self.data[start:stop])

    def buffer(self, limit: int) -> bytes:
        """Read bytes behind their length, at most ``limit`` of them."""
        size = self.uint()
        if size > limit:
            raise DecodeError(f"a field of {size} bytes is over its limit of {limit}")
        return self.fixed(size)

    def optional_buffer(self, limit: int) -> bytes | None:
        """Read bytes behind their length; length 0 means ``None``."""
        return self.buffer(limit) or None

    def string(self, limit: int) -> str:
        """Read UTF-8 text of at most ``limit`` bytes."""
        try:
            return self.buffer(limit).decode()
        except UnicodeDecodeError as error:
            raise DecodeError("a text is not UTF-8") from error

    def array(self, item: Callable[[Decoder], T], limit: int = MAX_ARRAY_ITEMS) -> list[T]:
        """Read a count and that many items, at most ``limit``."""
        return [item(self) for _ in range(self.count(limit))]

    def count(self, limit: int) -> int:
        """Read the count of an array, at most ``limit`` and at most one per byte left."""
        count = self.uint()
        if count > limit:
            raise DecodeError(f"an array of {count} items is over its limit of {limit}")
        if count > self.remaining:
            raise DecodeError("an array claims more items than there are bytes")
        return count

    def uint32_array(self, limit_words: int) -> bytes:
        """Read an array of 32-bit words; gives their little-endian bytes."""
        words = self.uint()
        if words > limit_words:
            raise DecodeError(f"an array of {words} words is over its limit of {limit_words}")
        return self.fixed(words * 4)

    def raw(self) -> bytes:
        """Read everything that is left."""
        start, self.start = self.start, self.end
        return bytes(self.data[start : self.end])
