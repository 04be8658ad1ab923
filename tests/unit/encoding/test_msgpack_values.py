"""Canonical bytes, refused values, and hostile bytes of the value codec."""

from __future__ import annotations

import enum
import math
import tracemalloc

import msgpack
import pytest

from protocol.encoding.msgpack import UNDEFINED, Date, pack, same_value, unpack_untrusted
from protocol.errors import DecodeError, LocalProtocolError
from protocol.limits import (
    MAX_BLOCK_BYTES,
    MAX_VALUE_BYTES,
    MAX_VALUE_DEPTH,
    MAX_VALUE_ITEMS,
)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, "c0"),
        (False, "c2"),
        (True, "c3"),
        (0, "00"),
        (-0.0, "00"),
        (3.0, "03"),
        (127, "7f"),
        (128, "cc80"),
        (-32, "e0"),
        (-33, "d0df"),
        (2**32, "cf0000000100000000"),
        (float(2**32), "cf0000000100000000"),
        (2**53, "cf0020000000000000"),
        (-(2.0**53), "d3ffe0000000000000"),
        (2**53 + 2, "cb4340000000000001"),
        (2**60, "cb43b0000000000000"),
        (1152921504606847000, "cb43b0000000000000"),  # as JavaScript prints 2^60
        (1.5, "cb3ff8000000000000"),
        ("é", "a2c3a9"),
        (b"\x01", "c40101"),
        (bytearray(b"\x01"), "c40101"),
        (memoryview(b"\x01"), "c40101"),
        ([], "90"),
        ((1, "a"), "9201a161"),
        ({}, "80"),
        ({"b": 1, "a": 2}, "82a16201a16102"),
        ({"u": UNDEFINED, "b": 1}, "81a16201"),
        ([UNDEFINED], "91c0"),
        (UNDEFINED, "c0"),
        (Date(1655000000000), "d6ff62a54bc0"),
        (Date(1655000000123), "d7ff1d53530062a54bc0"),
        (Date(-1), "c70cff3b8b87c0ffffffffffffffff"),
    ],
)
def test_canonical_bytes(value: object, encoded: str) -> None:
    assert pack(value).hex() == encoded


def test_subclasses_pack_as_their_base() -> None:
    class Name(str):
        pass

    class Number(enum.IntEnum):
        ONE = 1

    class Share(float):
        pass

    assert pack([Name("a"), Number.ONE, Share(0.5)]) == pack(["a", 1, 0.5])
    assert pack({Name("a"): 1}) == pack({"a": 1})


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        {1: 2},
        {b"a": 2},
        "\ud800",
        {"\udfff": 1},
        2**53 + 1,
        -(2**53) - 1,
        2**1024,
        object(),
        {1, 2},
        b"x" * (MAX_VALUE_BYTES + 1),
    ],
)
def test_values_that_are_refused(value: object) -> None:
    with pytest.raises(LocalProtocolError):
        pack(value)


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_depth_is_bounded_both_ways() -> None:
    deepest = nested(MAX_VALUE_DEPTH)
    assert unpack_untrusted(pack(deepest)) == deepest
    with pytest.raises(LocalProtocolError):
        pack(nested(MAX_VALUE_DEPTH + 1))
    with pytest.raises(DecodeError):
        unpack_untrusted(b"\x91" * MAX_VALUE_DEPTH + b"\x90")
    with pytest.raises(DecodeError):
        unpack_untrusted(b"\x91" * 100_000)


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(LocalProtocolError):
        pack(loop)


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        ("cc40", 64),
        ("cf0000000000000001", 1),
        ("ca3fc00000", 1.5),
        ("cb4008000000000000", 3),
        ("cb8000000000000000", 0),
        ("cf0020000000000001", float(2**53)),
        ("d3000000000000007b", 123),
        ("de0001a16101", {"a": 1}),
        ("df00000001a16101", {"a": 1}),
        ("dc000101", [1]),
        ("82a16101a16102", {"a": 2}),
        ("820101a13102", {"1": 2}),
        ("d40000", UNDEFINED),
        ("d400ff", UNDEFINED),
        ("c7080000000000000000" + "00", UNDEFINED),
        ("c70cff0000000000000000" + "00000000", Date(0)),
    ],
)
def test_forms_that_are_read_but_not_written(encoded: str, value: object) -> None:
    decoded = unpack_untrusted(bytes.fromhex(encoded))
    assert decoded == value
    assert type(decoded) is type(value)


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "c1",
        "a1",
        "a1ff",
        "a3eda080",  # a lone surrogate
        "0000",
        "92c0",
        "81c001",
        "81c301",
        "81c4016101",
        "819001",
        "d40100",
        "d501" + "0000",
        "c703ff000000",
        "d7ffffffffff00000000",
        "c70cff000000007fffffffffffffff",
        "ddffffffff",
        "dfffffffff",
        "c6ffffffff",
    ],
)
def test_bytes_that_are_refused(encoded: str) -> None:
    with pytest.raises(DecodeError):
        unpack_untrusted(bytes.fromhex(encoded))


def test_too_long_a_block_is_refused_before_it_is_read() -> None:
    with pytest.raises(DecodeError):
        unpack_untrusted(
            b"\xc6" + (MAX_BLOCK_BYTES - 4).to_bytes(4, "big") + bytes(MAX_BLOCK_BYTES)
        )


@pytest.mark.parametrize(
    "bomb",
    [
        b"\xdd\x00\x7f\xff\x00" * 90 + bytes(1024 * 1024),
        b"\xdd\x00\x10\x00\x00" * 90 + bytes(1024 * 1024),
        b"\xdc\xff\xff" * 90,
        b"\xdf\x00\x40\x00\x00" * 90 + bytes(1024 * 1024),
        b"\x91" * 50 + b"\xdd\x00\x7f\xff\x00" * 40 + bytes(1024 * 1024),
    ],
)
def test_false_counts_allocate_nothing(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            unpack_untrusted(bomb)
        assert tracemalloc.get_traced_memory()[1] < 40 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_the_number_of_items_is_bounded_both_ways() -> None:
    most = [0] * MAX_VALUE_ITEMS
    assert unpack_untrusted(pack(most)) == most
    with pytest.raises(LocalProtocolError):
        pack([*most, 0])
    with pytest.raises(DecodeError):
        unpack_untrusted(
            b"\xdd" + (MAX_VALUE_ITEMS + 1).to_bytes(4, "big") + bytes(MAX_VALUE_ITEMS + 1)
        )
    with pytest.raises(DecodeError):
        unpack_untrusted(b"\x9f" + (b"\xdd" + (2**15).to_bytes(4, "big") + bytes(2**15)) * 15)


def test_large_honest_arrays_pass_the_structure_check() -> None:
    value = [list(range(200)), ["x" * 300, b"\xdd" * 70_000, 1.5, None, {"k": [2**40, -5]}]] * 40
    assert unpack_untrusted(pack(value)) == value
    foreign = msgpack.packb(
        [[b"\xdc\xdd" * 40_000, -200, -70_000, 70_000, "é" * 40, msgpack.Timestamp(1)]] * 20
    )
    assert (
        unpack_untrusted(foreign)
        == [[b"\xdc\xdd" * 40_000, -200, -70_000, 70_000, "é" * 40, Date(1000)]] * 20
    )


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (False, 0, False),
        (False, None, False),
        (True, True, True),
        (0, -0.0, True),
        (math.nan, math.nan, True),
        (math.nan, 1, False),
        ("a", b"a", False),
        (None, UNDEFINED, True),
        (UNDEFINED, 0, False),
        ([1, [2]], [1.0, [2]], True),
        ([1], [1, 2], False),
        ([None], [UNDEFINED], True),
        ([1], {"0": 1}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": UNDEFINED}, {}, True),
        ({"a": None}, {}, False),
        ({"a": None}, {"a": UNDEFINED}, False),
        ({"a": {"b": [True]}}, {"a": {"b": [1]}}, False),
        (Date(1), Date(1), True),
        (Date(1), Date(2), False),
        (Date(1), 1, False),
    ],
)
def test_same_value(a: object, b: object, same: bool) -> None:
    assert same_value(a, b) is same  # type: ignore[arg-type]  # objects stand for values
    assert same_value(b, a) is same  # type: ignore[arg-type]  # objects stand for values


def test_undefined_shows_itself() -> None:
    assert not UNDEFINED
    assert repr(UNDEFINED) == "UNDEFINED"
