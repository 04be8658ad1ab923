"""Hostile blocks: decoders and readers end, and let nothing but ``BeeBlockError`` out."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import BeeBlockError
from protocol.hyperbee import (
    BeeBlock,
    BeeWriter,
    Bounds,
    Delete,
    DiffReader,
    HistoryReader,
    Put,
    RangeReader,
    decode_block_untrusted,
    decode_header_untrusted,
    get,
    run,
)
from protocol.hyperbee.blocks import Header, encode_block, encode_header
from protocol.hyperbee.varint import (
    decode_code,
    decode_varint_untrusted,
    encode_varint,
    split_pairs_untrusted,
    split_untrusted,
)


@given(st.integers(0, 2**56 - 1), st.binary(max_size=4))
def test_varints_come_back(value: int, rest: bytes) -> None:
    code = encode_varint(value)
    assert decode_code(code) == value
    assert decode_varint_untrusted(code + rest, 0, len(code + rest)) == (value, len(code))


@given(st.lists(st.integers(0, 2**56 - 1)))
def test_packed_lists_come_back(values: list[int]) -> None:
    codes = [encode_varint(value) for value in values]
    assert split_untrusted(b"".join(codes)) == codes
    if len(codes) % 2 == 0:
        pairs = [a + b for a, b in zip(codes[::2], codes[1::2], strict=True)]
        assert split_pairs_untrusted(b"".join(codes)) == pairs


@given(st.binary(max_size=40))
def test_packed_lists_of_any_bytes(data: bytes) -> None:
    with suppress(BeeBlockError):
        assert b"".join(encode_varint(decode_code(c)) for c in split_untrusted(data)) == data
    with suppress(BeeBlockError):
        assert b"".join(split_pairs_untrusted(data)) == data


@given(st.binary(), st.one_of(st.none(), st.binary()), st.binary())
def test_blocks_come_back(key: bytes, value: bytes | None, index: bytes) -> None:
    block = decode_block_untrusted(encode_block(key, value, index), 5)
    assert (block.seq, block.key, block.value, block.index) == (5, key, value, index)


@given(st.one_of(st.none(), st.binary()), st.one_of(st.none(), st.binary()))
def test_headers_come_back(feed: bytes | None, data: bytes | None) -> None:
    header = Header(content_feed=feed, user_data=data)
    assert decode_header_untrusted(encode_header(header)) == header


@given(st.binary(max_size=200))
def test_any_bytes_as_a_block(data: bytes) -> None:
    with suppress(BeeBlockError):
        decode_header_untrusted(data)
    with suppress(BeeBlockError):
        block = decode_block_untrusted(data, 3)
        with suppress(BeeBlockError):
            block.is_deletion_untrusted()
        for number in range(3):
            with suppress(BeeBlockError):
                block.level_untrusted(number)


def _tree(count: int) -> list[bytes]:
    blocks: list[bytes] = []
    writer = BeeWriter(0)
    for n in range(count):
        operation = Delete(b"%02d" % (n // 2)) if n % 4 == 3 else Put(b"%02d" % n, b"v")
        blocks += run(writer.batch([operation]), lambda seq: BeeBlock(seq, b"", b"", b""))
    return blocks


TREE = _tree(90)


class Damaged:
    """The tree with some bytes overwritten, and a count of the blocks that are read."""

    def __init__(self, damages: list[tuple[int, int, int]]) -> None:
        self.blocks = [bytearray(block) for block in TREE]
        for seq, position, byte in damages:
            block = self.blocks[-1 - seq % (len(TREE) - 1)]
            block[position % len(block)] = byte
        self.reads = 0

    def fetch(self, seq: int) -> BeeBlock:
        self.reads += 1
        assert self.reads < 20_000, "a reader does not come to an end"
        return decode_block_untrusted(bytes(self.blocks[seq]), seq)

    def all(self, reader: Any) -> None:
        while run(reader.next(), self.fetch) is not None:
            pass


damage = st.tuples(st.integers(0, 12), st.integers(0, 200), st.integers(0, 255))


@settings(max_examples=150)
@given(st.lists(damage, min_size=1, max_size=6), st.binary(max_size=3))
def test_damaged_trees(damages: list[tuple[int, int, int]], key: bytes) -> None:
    core = Damaged(damages)
    version = len(TREE)
    with suppress(BeeBlockError):
        run(get(version, key), core.fetch)
    for reader in (
        RangeReader(version),
        RangeReader(version, Bounds(gte=b"1", lt=b"5"), reverse=True),
        HistoryReader(version),
        DiffReader(version, version - 9),
        DiffReader(3, version, Bounds(gt=b"2")),
    ):
        with suppress(BeeBlockError):
            core.all(reader)
    writer = BeeWriter(version)
    for operation in (Put(key, b""), Delete(b"60"), Delete(b"61"), Delete(key)):
        with suppress(BeeBlockError):
            run(writer.batch([operation]), core.fetch)
