"""The blocks of a Hyperbee: a header, then one block for each put or deletion.

A block holds a key, a value, and an *index*: the nodes of the B-tree that the operation changed, as
numbered *levels*. A node is addressed by (seq of its block, number of its level). The root of the
tree after block n is level 0 of block n.

Wire facts: specs/06-hyperbee.md; npm ``hyperbee`` 2.27.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import BeeBlockError
from ..limits import MAX_BEE_CHILDREN, MAX_BEE_KEYS, MAX_BEE_LEVELS, MAX_BLOCK_BYTES
from .varint import (
    MAX_VARINT_BYTES,
    decode_varint_untrusted,
    encode_varint,
    split_pairs_untrusted,
    split_untrusted,
)

PROTOCOL_NAME = "hyperbee"

_WIRE_VARINT, _WIRE_64_BIT, _WIRE_BYTES, _WIRE_32_BIT = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Header:
    """Block 0.

    Attributes:
      protocol: always ``"hyperbee"`` in a Hyperbee.
      content_feed: key of a core with larger contents, or None.
      user_data: bytes of the application, or None.
    """

    protocol: str = PROTOCOL_NAME
    content_feed: bytes | None = None
    user_data: bytes | None = None


class Level:
    """One stored node of the tree; read-only but for ``names``, which readers fill in.

    Attributes:
      codes: per key, the varint of the seq whose block holds the key.
      names: per key, its bytes once some reader had to look them up, else None.
      pairs: per child, the varints of seq and level number; empty in a leaf.
    """

    __slots__ = ("codes", "names", "pairs")

    def __init__(self, codes: list[bytes], pairs: list[bytes]) -> None:
        self.codes = codes
        self.names: list[bytes | None] = [None] * len(codes)
        self.pairs = pairs


class BeeBlock:
    """One decoded block; its index is decoded level by level, when asked for.

    Attributes:
      seq: number of the block in its core.
      key: what was put or deleted.
      value: None for a deletion (and for a put of no value), else bytes, possibly empty.
      index: the index as encoded.
    """

    __slots__ = ("_levels", "index", "key", "seq", "value")

    def __init__(self, seq: int, key: bytes, value: bytes | None, index: bytes) -> None:
        self.seq = seq
        self.key = key
        self.value = value
        self.index = index
        self._levels: list[bytes | Level] | None = None

    def level_untrusted(self, number: int) -> Level:
        """The node at one level.

        Raises:
          BeeBlockError: there is no such level, or it does not decode to a node.
        """
        levels = self._levels
        if levels is None:
            levels = self._levels = _split_index_untrusted(self.index)
        if number >= len(levels):
            raise BeeBlockError(f"block {self.seq} has no level {number}")
        level = levels[number]
        if isinstance(level, bytes):
            level = levels[number] = _decode_level_untrusted(level)
        return level

    def forget_levels(self) -> None:
        """Free what was decoded; it is decoded again when asked for."""
        self._levels = None

    def is_deletion_untrusted(self) -> bool:
        """Whether the block removed its key, and did not put it without a value.

        Raises:
          BeeBlockError: a level of the index does not decode.
        """
        if self.value is not None:
            return False
        own = encode_varint(self.seq)
        if self._levels is None:
            self._levels = _split_index_untrusted(self.index)
        return not any(
            own in self.level_untrusted(number).codes for number in range(len(self._levels))
        )


# Writing ------------------------------------------------------------------------------------------


def _field(tag: int, data: bytes) -> bytes:
    return encode_varint(tag << 3 | _WIRE_BYTES) + encode_varint(len(data)) + data


def encode_header(header: Header) -> bytes:
    """Encode block 0."""
    data = _field(1, header.protocol.encode())
    if header.content_feed is not None or header.user_data is not None:
        metadata = b""
        if header.content_feed is not None:
            metadata += _field(1, header.content_feed)
        if header.user_data is not None:
            metadata += _field(2, header.user_data)
        data += _field(2, metadata)
    return data


def encode_block(key: bytes, value: bytes | None, index: bytes) -> bytes:
    """Encode one operation with its index (levels of ``Node.encode``, joined)."""
    size = encode_varint(len(index))
    if value is None:
        return b"".join((b"\x0a", size, index, b"\x12", encode_varint(len(key)), key))
    return b"".join(
        (
            b"\x0a",
            size,
            index,
            b"\x12",
            encode_varint(len(key)),
            key,
            b"\x1a",
            encode_varint(len(value)),
            value,
        )
    )


# Reading ------------------------------------------------------------------------------------------


def _fields_untrusted(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The byte fields of a message, in order; fields of other wire types are skipped."""
    position, end = 0, len(data)
    while position < end:
        head, position = decode_varint_untrusted(data, position, end)
        wire = head & 7
        if wire == _WIRE_BYTES:
            size, position = decode_varint_untrusted(data, position, end)
            stop = position + size
            if stop > end:
                raise BeeBlockError("a field is longer than its message")
            yield head >> 3, data[position:stop]
            position = stop
        elif wire == _WIRE_VARINT:
            _, position = decode_varint_untrusted(data, position, end)
        elif wire in (_WIRE_64_BIT, _WIRE_32_BIT):
            position += 8 if wire == _WIRE_64_BIT else 4
            if position > end:
                raise BeeBlockError("a field is longer than its message")
        else:
            raise BeeBlockError(f"wire type {wire} is not known")


def decode_header_untrusted(data: bytes) -> Header:
    """Decode block 0.

    Raises:
      BeeBlockError: the bytes are not a header, or not one of a Hyperbee.
    """
    protocol: bytes | None = None
    content_feed: bytes | None = None
    user_data: bytes | None = None
    for tag, field in _fields_untrusted(data):
        if tag == 1:
            protocol = field
        elif tag == 2:
            for inner, value in _fields_untrusted(field):
                if inner == 1:
                    content_feed = value
                elif inner == 2:
                    user_data = value
    if protocol != PROTOCOL_NAME.encode():
        raise BeeBlockError("block 0 is not the header of a Hyperbee")
    return Header(PROTOCOL_NAME, content_feed, user_data)


def decode_block_untrusted(data: bytes, seq: int) -> BeeBlock:
    """Decode block ``seq`` (1 or more).

    Raises:
      BeeBlockError: the bytes are not a block; what its index holds is not looked at yet.
    """
    if len(data) > MAX_BLOCK_BYTES:
        raise BeeBlockError(f"a block of {len(data)} bytes is over the limit of {MAX_BLOCK_BYTES}")
    index: bytes | None = None
    key: bytes | None = None
    value: bytes | None = None
    for tag, field in _fields_untrusted(data):
        if tag == 1:
            index = field
        elif tag == 2:
            key = field
        elif tag == 3:
            value = field
    if index is None or key is None:
        raise BeeBlockError(f"block {seq} has no index or no key")
    return BeeBlock(seq, key, value, index)


def _split_index_untrusted(index: bytes) -> list[bytes | Level]:
    levels: list[bytes | Level] = []
    for tag, field in _fields_untrusted(index):
        if tag == 1:
            if len(levels) == MAX_BEE_LEVELS:
                raise BeeBlockError(f"an index has more than {MAX_BEE_LEVELS} levels")
            levels.append(field)
    return levels


def _decode_level_untrusted(data: bytes) -> Level:
    keys = pairs = b""
    for tag, field in _fields_untrusted(data):
        if tag == 1:
            keys += field
        elif tag == 2:
            pairs += field
    if len(keys) > MAX_BEE_KEYS * MAX_VARINT_BYTES:
        raise BeeBlockError("a node has too many keys")
    if len(pairs) > MAX_BEE_CHILDREN * 2 * MAX_VARINT_BYTES:
        raise BeeBlockError("a node has too many children")
    level = Level(split_untrusted(keys), split_pairs_untrusted(pairs))
    if len(level.codes) > MAX_BEE_KEYS:
        raise BeeBlockError("a node has too many keys")
    if level.pairs and (not level.codes or len(level.pairs) != len(level.codes) + 1):
        raise BeeBlockError("an inner node does not have one child more than it has keys")
    return level
