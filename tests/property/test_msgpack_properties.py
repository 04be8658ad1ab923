"""What holds for every value and for any bytes."""

from __future__ import annotations

import json
from typing import Any

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding.msgpack import (
    UNDEFINED,
    Date,
    Undefined,
    pack,
    same_value,
    unpack_untrusted,
)
from protocol.errors import DecodeError, LocalProtocolError

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
scalars = st.one_of(st.none(), st.booleans(), numbers, text, st.binary(max_size=8))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
dated_values = st.recursive(
    scalars | st.builds(Date, st.integers(-(10**15), 10**15)) | st.just(UNDEFINED),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


@given(dated_values)
def test_packing_again_gives_the_same_bytes(value: Any) -> None:
    data = pack(value)
    back = unpack_untrusted(data)
    assert pack(back) == data
    assert same_value(value, back)


@given(values)
def test_a_detour_over_json_text_changes_no_byte(value: Any) -> None:
    """Values pass through the contract's engine as JSON."""
    tagged = json.loads(json.dumps(without_bytes(value)))
    assert pack(tagged) == pack(without_bytes(value))


def without_bytes(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [without_bytes(item) for item in value]
    if isinstance(value, dict):
        return {key: without_bytes(item) for key, item in value.items()}
    return value


@given(values)
def test_the_bytes_are_standard_messagepack(value: Any) -> None:
    assert same_value(msgpack.unpackb(pack(value), strict_map_key=False), value)


@given(values, values)
def test_equal_bytes_mean_the_same_value(a: Any, b: Any) -> None:
    if pack(a) == pack(b):
        assert same_value(a, b)
    if not same_value(a, b):
        assert pack(a) != pack(b)


@given(numbers, numbers)
def test_equal_numbers_have_equal_bytes(a: float, b: float) -> None:
    assert (pack(a) == pack(b)) is (a == b)


@settings(max_examples=400)
@given(st.binary(max_size=64))
def test_any_bytes_give_a_value_or_a_decode_error(data: bytes) -> None:
    check_decoding(data)


@settings(max_examples=400)
@given(values, st.data())
def test_damaged_values_give_a_value_or_a_decode_error(value: Any, data: st.DataObject) -> None:
    packed = bytearray(pack(value))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    check_decoding(bytes(packed))
    check_decoding(bytes(packed[: data.draw(st.integers(0, len(packed)))]))


def check_decoding(data: bytes) -> None:
    try:
        value = unpack_untrusted(data)
    except DecodeError:
        return
    assert same_value(value, value)
    try:
        again = pack(value)
    except LocalProtocolError:
        assert has_no_packed_form(value)
        return
    assert same_value(unpack_untrusted(again), value)


def has_no_packed_form(value: Any) -> bool:
    """NaN and infinities, which only the original wrote."""
    if isinstance(value, list):
        return any(map(has_no_packed_form, value))
    if isinstance(value, dict):
        return any(map(has_no_packed_form, value.values()))
    assert not isinstance(value, Undefined) or value is UNDEFINED
    return isinstance(value, float) and not abs(value) < float("inf")
