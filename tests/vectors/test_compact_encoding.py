"""compact-encoding against the bytes of npm ``compact-encoding``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

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

from .load import load_vectors

VECTORS: dict[str, list[dict[str, Any]]] = load_vectors("hypercore")["compact_encoding"]
LIMIT = 1024


def _words(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def _hex(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


# section -> (vector value to Python value, encoder, decoder)
Codec = tuple[Callable[[Any], Any], Callable[[Any], bytes], Callable[[Decoder], Any]]
CODECS: dict[str, Codec] = {
    "uint": (int, encode_uint, Decoder.uint),
    "uint64": (int, encode_uint64, Decoder.uint64),
    "int": (int, encode_int, Decoder.zigzag),
    "string": (str, encode_string, lambda d: d.string(LIMIT)),
    "buffer": (_hex, encode_buffer, lambda d: d.buffer(LIMIT)),
    "optional_buffer": (_hex, encode_optional_buffer, lambda d: d.optional_buffer(LIMIT)),
    "array_uint": (
        list,
        lambda items: encode_array(map(encode_uint, items)),
        lambda d: d.array(Decoder.uint),
    ),
    "uint32array": (_words, encode_uint32_array, lambda d: d.uint32_array(LIMIT)),
    # One byte; no message of the stack has one outside of flags, so it needs no function.
    "bool": (int, encode_uint, Decoder.uint),
}
CASES = [(section, vector) for section, vectors in VECTORS.items() for vector in vectors]


def test_every_section_is_covered() -> None:
    assert set(VECTORS) == set(CODECS)


@pytest.mark.parametrize(("section", "vector"), CASES)
def test_encodes_as_js(section: str, vector: dict[str, Any]) -> None:
    to_python, encode, _ = CODECS[section]
    assert encode(to_python(vector["value"])).hex() == vector["hex"]


@pytest.mark.parametrize(("section", "vector"), CASES)
def test_decodes_what_js_wrote(section: str, vector: dict[str, Any]) -> None:
    to_python, _, decode = CODECS[section]
    decoder = Decoder(bytes.fromhex(vector["hex"]))
    value = to_python(vector["value"])
    # Empty and absent share one encoding, which reads as absent.
    expected = None if section == "optional_buffer" and not value else value
    assert decode(decoder) == expected
    assert decoder.remaining == 0
