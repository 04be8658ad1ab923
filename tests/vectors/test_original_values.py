"""Blocks that the original wrote, decoded value for value; specs/vectors/original.json."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from protocol.encoding.msgpack import UNDEFINED, Date, pack, same_value, unpack_untrusted
from protocol.encoding.paths import format_key, parse_path
from protocol.errors import LocalProtocolError
from protocol.hyperbee.blocks import decode_block_untrusted
from protocol.transparency.records import (
    decode_ack_untrusted,
    decode_genesis_ack_untrusted,
    decode_input_untrusted,
    decode_source_untrusted,
    is_ack_key,
    is_input_key,
    parse_ack_key_untrusted,
)

VECTORS = json.loads(
    (Path(__file__).parents[2] / "specs" / "vectors" / "original.json").read_text()
)
PACKED: dict[str, dict[str, str]] = VECTORS["msgpackr"]

# What Node printed after unpacking, as values.
UNPACKED: dict[str, Any] = {
    "undefined": UNDEFINED,
    "null": None,
    "true": True,
    "NaN": math.nan,
    "bigint": 123,
    "emptyMap": {},
    "obj1": {"a": 1},
    "nestedUndefined": {"u": UNDEFINED, "b": 1},
    "array": [1, "a"],
    "str31": "x" * 31,
    "str32": "x" * 32,
    "str256": "x" * 256,
    "utf8": "é",
    "buffer": b"\x01\x02\x03",
    "uint8array": b"\x01\x02\x03",
    "arraybuffer": b"\x01\x02\x03",
    "date_s": Date(1655000000000),
    "date_ms": Date(1655000000123),
    "Map": {"a": 1},
    "Set": [1],
    "regex": ["a", "g"],
    "error": ["Error", "x"],
    "obj16keys": {f"k{number}": number for number in range(16)},
}


@pytest.mark.parametrize("name", PACKED)
def test_msgpackr(name: str) -> None:
    value = unpack_untrusted(bytes.fromhex(PACKED[name]["hex"]))
    expected = UNPACKED[name] if name in UNPACKED else float(PACKED[name]["unpack"])
    if name != "undefined":
        assert same_value(value, expected), value
    assert type(value) is type(UNPACKED.get(name, value))
    if name == "NaN":
        with pytest.raises(LocalProtocolError):
            pack(value)
    else:
        again = unpack_untrusted(pack(value))
        assert same_value(again, value)
        assert pack(again) == pack(value)


def untag(value: Any) -> Any:
    """A value of the vectors, which mark what JSON lacks."""
    if isinstance(value, list):
        return [untag(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$undefined": True}:
            return UNDEFINED
        case {"$buffer": text}:
            return bytes.fromhex(text)
        case {"$bigint": text}:
            return int(text)
        case {"$number": text}:
            return float(text)
        case {"$date": text}:
            return Date(round(datetime.fromisoformat(text).timestamp() * 1000))
    return {key: untag(item) for key, item in value.items()}


def equal(a: Any, b: Any) -> bool:
    """Equality to the last undefined."""
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and same_value(a, b) and (a is UNDEFINED) is (b is UNDEFINED)


def index_nodes() -> list[Any]:
    return [
        pytest.param(name, block, id=f"{name}-{block['seq']}")
        for name in ("counter", "values")
        for block in VECTORS[name]["index"]
        if "node" in block
    ]


@pytest.mark.parametrize(("name", "block"), index_nodes())
def test_entries_of_the_index(name: str, block: dict[str, Any]) -> None:
    node = block["node"]
    decoded = decode_block_untrusted(bytes.fromhex(block["hex"]), block["seq"])
    assert decoded.key.hex() == node["key_hex"]
    assert format_key(decoded.key) == node["path"]
    assert parse_path(node["path"]) == decoded.key
    if node["value_hex"] is None:
        assert decoded.value is None
        return
    assert decoded.value == bytes.fromhex(node["value_hex"])
    value = unpack_untrusted(decoded.value)
    assert equal(value, untag(node["value_decoded"])), value
    check_record(decoded.key, decoded.value, node)


def check_record(key: bytes, value: bytes, node: dict[str, Any]) -> None:
    fields = untag(node["value_decoded"])
    if node["path"] == "/.sys/acks/genesis":
        assert decode_genesis_ack_untrusted(value).legacy
    elif is_ack_key(key):
        ack = decode_ack_untrusted(value)
        assert (ack.origin, ack.seq) == parse_ack_key_untrusted(key)
        assert (ack.origin.hex(), ack.seq, ack.ts) == (
            fields["origin"],
            fields["seq"],
            fields["ts"],
        )
        assert ack.success is fields["success"]
        assert ack.error == (None if ack.success else fields["error"])
        assert ack.num_changes == fields["numChanges"]
        assert same_value(ack.metadata, fields["metadata"])
        assert ack.op_hash is ack.oplog_head is ack.runtime_id is None
    elif is_input_key(key):
        record = decode_input_untrusted(key, value)
        assert (record.public_key, record.active) == (fields["pubkey"], True)
    elif node["path"] == "/.sys/contract/source":
        assert decode_source_untrusted(value) == fields


@pytest.mark.parametrize("name", ["counter", "values"])
def test_operations(name: str) -> None:
    for block in VECTORS[name]["oplog"]:
        value = unpack_untrusted(bytes.fromhex(block["hex"]))
        assert equal(value, untag(block["decoded"])), value


def test_the_order_of_keys_is_the_order_of_their_bytes() -> None:
    order = VECTORS["localeCompare"]
    assert sorted(order["sorted"], key=parse_path) != order["sorted"]
    assert set(order["sorted"]) == set(order["bytewise"])
