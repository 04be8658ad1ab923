"""compact-encoding: what is written is read back, and hostile bytes only raise ``DecodeError``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding.compact import (
    Decoder,
    encode_array,
    encode_buffer,
    encode_int,
    encode_optional_buffer,
    encode_string,
    encode_uint,
    encode_uint32_array,
    encode_uint64,
)
from protocol.errors import DecodeError, LocalProtocolError
from protocol.limits import MAX_SAFE_INTEGER

# A busy machine must not fail a test: no deadline for one example, none for making it.
LIMIT = 1000
SIGNED = MAX_SAFE_INTEGER // 2

uints = st.one_of(
    st.integers(0, MAX_SAFE_INTEGER),
    st.sampled_from([0xFC, 0xFD, 0xFFFF, 0x10000, 0xFFFFFFFF, 0x100000000, MAX_SAFE_INTEGER]),
)

# name -> (values, encoder, decoder)
Codec = tuple[st.SearchStrategy[Any], Callable[[Any], bytes], Callable[[Decoder], Any]]
CODECS: dict[str, Codec] = {
    "uint": (uints, encode_uint, Decoder.uint),
    "int": (st.integers(-SIGNED, SIGNED), encode_int, Decoder.zigzag),
    "uint64": (st.integers(0, 2**64 - 1), encode_uint64, Decoder.uint64),
    "buffer": (st.binary(max_size=LIMIT), encode_buffer, lambda d: d.buffer(LIMIT)),
    "optional buffer": (
        st.none() | st.binary(min_size=1, max_size=LIMIT),
        encode_optional_buffer,
        lambda d: d.optional_buffer(LIMIT),
    ),
    "string": (st.text(max_size=LIMIT // 4), encode_string, lambda d: d.string(LIMIT)),
    "array": (
        st.lists(uints, max_size=300),
        lambda items: encode_array(map(encode_uint, items)),
        lambda d: d.array(Decoder.uint, LIMIT),
    ),
    "uint32 array": (
        st.lists(st.binary(min_size=4, max_size=4), max_size=300).map(b"".join),
        encode_uint32_array,
        lambda d: d.uint32_array(LIMIT),
    ),
    "fixed": (st.binary(min_size=32, max_size=32), bytes, lambda d: d.fixed(32)),
}


@pytest.mark.parametrize("name", CODECS)
@given(data=st.data())
def test_round_trip(name: str, data: st.DataObject) -> None:
    """Also in the middle of other bytes, and never past the end that was given."""
    values, encode, decode = CODECS[name]
    value = data.draw(values)
    encoded = encode(value)
    before, after = data.draw(st.binary(max_size=9)), data.draw(st.binary(max_size=9))
    decoder = Decoder(before + encoded + after, len(before), len(before) + len(encoded))
    assert decode(decoder) == value
    assert decoder.remaining == 0


@pytest.mark.parametrize("name", CODECS)
@given(data=st.data())
def test_every_truncation_raises(name: str, data: st.DataObject) -> None:
    values, encode, decode = CODECS[name]
    encoded = encode(data.draw(values))
    size = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(DecodeError):
        decode(Decoder(encoded, 0, size))


@pytest.mark.parametrize("name", CODECS)
@given(message=st.binary(max_size=60))
@settings(max_examples=300)
def test_random_bytes_raise_only_decode_errors(name: str, message: bytes) -> None:
    decoder = Decoder(message)
    with suppress(DecodeError):
        CODECS[name][2](decoder)
    assert 0 <= decoder.start <= decoder.end == len(message)


@given(uints)
def test_longer_forms_than_needed_are_read(value: int) -> None:
    assert Decoder(b"\xff" + encode_uint64(value)).uint() == value


@given(st.integers(MAX_SAFE_INTEGER + 1, 2**64 - 1))
def test_integers_beyond_53_bits(value: int) -> None:
    with pytest.raises(DecodeError, match="53 bits"):
        Decoder(b"\xff" + encode_uint64(value)).uint()
    with pytest.raises(LocalProtocolError, match="53 bits"):
        encode_uint(value)
    with pytest.raises(LocalProtocolError, match="unsigned"):
        encode_uint(-value)
