"""The encoding of Hyperbee blocks: what is tolerated, and what is refused."""

from __future__ import annotations

import pytest

from protocol.errors import BeeBlockError
from protocol.hyperbee import BeeBlock, Header, decode_block_untrusted, decode_header_untrusted
from protocol.hyperbee.blocks import encode_block, encode_header
from protocol.hyperbee.varint import decode_code, decode_pair, encode_varint
from protocol.limits import MAX_BEE_KEYS, MAX_BEE_LEVELS, MAX_BLOCK_BYTES


def field(tag: int, data: bytes) -> bytes:
    return encode_varint(tag << 3 | 2) + encode_varint(len(data)) + data


def level(keys: bytes, children: bytes = b"") -> bytes:
    return field(1, field(1, keys) + field(2, children))


def block(index: bytes, seq: int = 9, value: bytes | None = None) -> BeeBlock:
    return decode_block_untrusted(encode_block(b"k", value, index), seq)


def test_absent_and_empty_values_differ() -> None:
    for value in (None, b"", b"v" * 200):
        decoded = decode_block_untrusted(encode_block(b"key", value, b""), 1)
        assert (decoded.key, decoded.value, decoded.index) == (b"key", value, b"")


def test_unknown_fields_and_any_order_are_tolerated() -> None:
    data = (
        field(2, b"key")
        + b"\x20\x05"  # field 4, a varint
        + b"\x29" + bytes(8)  # field 5, 64 bits
        + b"\x35" + bytes(4)  # field 6, 32 bits
        + field(7, b"more")
        + field(3, b"first")
        + field(3, b"last counts")
        + field(1, level(b"\x01"))
    )  # fmt: skip
    decoded = decode_block_untrusted(data, 1)
    assert (decoded.key, decoded.value) == (b"key", b"last counts")
    assert decoded.level_untrusted(0).codes == [b"\x01"]


def test_parts_of_a_packed_list_are_joined() -> None:
    split = field(1, field(1, b"\x01") + field(1, b"\x02"))
    assert block(split).level_untrusted(0).codes == [b"\x01", b"\x02"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        field(1, b""),  # no key
        field(2, b"key"),  # no index
        b"\x0a\x05abc",
        b"\x0a",
        b"\x80" * 9,
        b"\x0b\x00",  # a group
        b"\x29" + bytes(7),
        b"\x35" + bytes(3),
        field(1, b"") + field(2, b"k") + b"\x18",
    ],
)
def test_broken_blocks(data: bytes) -> None:
    with pytest.raises(BeeBlockError):
        decode_block_untrusted(data, 1)


def test_too_large_a_block() -> None:
    data = field(1, b"") + field(2, b"k") + field(3, bytes(MAX_BLOCK_BYTES))
    with pytest.raises(BeeBlockError, match="over the limit"):
        decode_block_untrusted(data, 1)


@pytest.mark.parametrize(
    "index",
    [
        level(b"\x80"),  # cut off
        level(b"\x81\x00"),  # longer than needed
        level(b"\xff" * 8 + b"\x01"),  # 9 bytes
        level(b"\x01" * (MAX_BEE_KEYS + 1)),
        level(b"\x01", b"\x01\x00\x01"),  # half a child
        level(b"\x01", b"\x01\x00"),  # one child for one key
        level(b"", b"\x01\x00"),  # an inner node without keys
        level(b"\x01" * 8, b"\x01\x00" * 10),
        level(b"\x01" * 100),
        level(b"\x01", b"\x01" * 1000),
        field(1, b"\x0a\x05\x01"),
    ],
)
def test_broken_levels(index: bytes) -> None:
    with pytest.raises(BeeBlockError):
        block(index).level_untrusted(0)


def test_missing_levels_and_too_many() -> None:
    with pytest.raises(BeeBlockError, match="no level 1"):
        block(level(b"\x01")).level_untrusted(1)
    with pytest.raises(BeeBlockError, match="more than"):
        block(field(1, b"") * (MAX_BEE_LEVELS + 1)).level_untrusted(0)


def test_a_level_is_decoded_once() -> None:
    decoded = block(level(b"\x01\x02", b"\x03\x00\x04\x01\x05\x80\x01"))
    node = decoded.level_untrusted(0)
    assert decoded.level_untrusted(0) is node
    assert [decode_code(code) for code in node.codes] == [1, 2]
    assert [decode_pair(pair) for pair in node.pairs] == [(3, 0), (4, 1), (5, 128)]


@pytest.mark.parametrize(
    ("index", "value", "deletion"),
    [
        (level(b"\x01"), None, True),
        (level(b"\x01") + level(b"\x09"), None, False),
        (level(b"\x01"), b"", False),
        (b"", None, True),
    ],
)
def test_deletions(index: bytes, value: bytes | None, deletion: bool) -> None:
    assert block(index, value=value).is_deletion_untrusted() is deletion


def test_headers() -> None:
    for header in (Header(), Header(user_data=b""), Header(content_feed=b"c", user_data=b"u")):
        assert decode_header_untrusted(encode_header(header)) == header
    assert decode_header_untrusted(field(2, b"") + encode_header(Header())) == Header()
    for data in (b"", field(1, b"hyperdrive"), encode_header(Header())[:-1], field(1, b"\xff")):
        with pytest.raises(BeeBlockError):
            decode_header_untrusted(data)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 2047, 2048, 16383, 16384, 2**32, 2**53])
def test_varints(value: int) -> None:
    code = encode_varint(value)
    assert decode_code(code) == value
    assert decode_pair(code + encode_varint(5)) == (value, 5)
    assert decode_pair(encode_varint(5) + code) == (5, value)
