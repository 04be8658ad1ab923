"""compact-encoding: bounds are checked before anything of that size is touched."""

from __future__ import annotations

import pytest

from protocol.encoding.compact import Decoder, encode_string, encode_uint, encode_uint32_array
from protocol.errors import DecodeError, LocalProtocolError
from protocol.limits import MAX_ARRAY_ITEMS


def test_a_buffer_over_its_limit() -> None:
    assert Decoder(b"\x03abc").buffer(3) == b"abc"
    with pytest.raises(DecodeError, match="limit of 2"):
        Decoder(b"\x03abc").buffer(2)


def test_a_length_that_promises_more_than_there_is() -> None:
    bomb = encode_uint(2**50)
    for read in (
        lambda d: d.buffer(2**53),
        lambda d: d.string(2**53),
        lambda d: d.uint32_array(2**53),
        lambda d: d.array(Decoder.uint, 2**53),
    ):
        with pytest.raises(DecodeError):
            read(Decoder(bomb + b"some bytes"))


def test_arrays_over_the_limit() -> None:
    with pytest.raises(DecodeError, match=f"limit of {MAX_ARRAY_ITEMS}"):
        Decoder(encode_uint(MAX_ARRAY_ITEMS + 1)).array(Decoder.uint)
    with pytest.raises(DecodeError, match="limit of 1"):
        Decoder(b"\x02\x01\x01").array(Decoder.uint, 1)
    with pytest.raises(DecodeError, match="limit of 1"):
        Decoder(b"\x02" + bytes(8)).uint32_array(1)


def test_text_that_is_not_utf8() -> None:
    with pytest.raises(DecodeError, match="UTF-8"):
        Decoder(b"\x02\xff\xfe").string(10)
    assert Decoder(encode_string("æøå")).string(6) == "æøå"


def test_words_must_be_whole() -> None:
    with pytest.raises(LocalProtocolError, match="whole words"):
        encode_uint32_array(b"abc")


def test_what_is_left() -> None:
    decoder = Decoder(b"\x01abcdef", 0, 5)
    assert decoder.uint() == 1
    assert decoder.remaining == 4
    assert decoder.raw() == b"abcd"
    assert decoder.raw() == b""
    with pytest.raises(DecodeError, match="integer was expected"):
        decoder.uint()
