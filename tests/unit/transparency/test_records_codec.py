"""Acks, participants, genesis: their bytes, what decoders refuse, and batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.encoding.msgpack import UNDEFINED, pack, unpack_untrusted
from protocol.encoding.paths import CONTRACT_SOURCE, GENESIS_ACK, ack_key, input_key
from protocol.errors import LocalProtocolError, RecordError
from protocol.limits import MAX_CHANGE_BYTES_PER_OPERATION, MAX_CHANGES_PER_OPERATION
from protocol.transparency.changes import (
    AddOplog,
    Delete,
    Outcome,
    Put,
    RemoveOplog,
    SetSource,
    effective_writes,
    order_changes,
    outcome_of,
    write_of,
)
from protocol.transparency.operations import decode_operation_untrusted
from protocol.transparency.records import (
    Ack,
    GenesisAck,
    Input,
    decode_ack_untrusted,
    decode_genesis_ack_untrusted,
    decode_input_untrusted,
    decode_source_untrusted,
    encode_ack,
    encode_genesis_ack,
    encode_input,
    genesis_batch,
    op_batch,
    parse_ack_key_untrusted,
)

ORIGIN = bytes(range(32))
ACK = Ack(ORIGIN, 7, 1_700_000_000_123, True, None, {"m": [1]}, 2, b"h" * 32, b"t" * 32)


def fields(**changed: Any) -> dict[str, Any]:
    record = unpack_untrusted(encode_ack(ACK))
    assert isinstance(record, dict)
    record.update(changed)
    return {key: value for key, value in record.items() if value is not ...}


def test_an_ack_comes_back() -> None:
    for ack in (
        ACK,
        replace(ACK, success=False, error="Error: boom", num_changes=0, metadata=None),
        replace(ACK, runtime_id="duktape-1"),
    ):
        assert decode_ack_untrusted(encode_ack(ack)) == ack


def test_the_bytes_of_an_ack() -> None:
    assert list(fields()) == [
        "success", "error", "origin", "seq", "ts", "metadata", "numChanges", "opHash", "oplogHead",
    ]  # fmt: skip
    assert fields()["origin"] == ORIGIN.hex()
    assert "runtime" in unpack_untrusted(encode_ack(replace(ACK, runtime_id="r")))  # type: ignore[operator]  # it is a map


def test_the_originals_ack() -> None:
    record = fields(error=UNDEFINED, metadata=UNDEFINED, opHash=..., oplogHead=...)
    ack = decode_ack_untrusted(pack(record))
    assert ack == replace(ACK, metadata=None, op_hash=None, oplog_head=None)
    failed = decode_ack_untrusted(pack({**record, "success": False}))
    assert failed.error is None


@pytest.mark.parametrize(
    "changed",
    [
        {"success": 1},
        {"success": ...},
        {"success": False},
        {"error": "Error"},
        {"error": 5, "success": False},
        {"origin": ORIGIN},
        {"origin": ORIGIN.hex().upper()},
        {"origin": ORIGIN.hex()[:-2]},
        {"origin": " " * 64},
        {"origin": ...},
        {"seq": -1},
        {"seq": 1.5},
        {"seq": True},
        {"seq": 10**15},
        {"seq": ...},
        {"ts": -1},
        {"ts": "now"},
        {"ts": 2**53},
        {"ts": ...},
        {"numChanges": -1},
        {"numChanges": None},
        {"numChanges": ...},
        {"opHash": b"short"},
        {"opHash": "h" * 32},
        {"opHash": ...},
        {"oplogHead": ...},
        {"oplogHead": None},
        {"runtime": 5},
    ],
)
def test_acks_that_break_their_schema(changed: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        decode_ack_untrusted(pack(fields(**changed)))


@pytest.mark.parametrize("value", [b"", b"\xc0", b"\x90", b"\xa1\xff", b"\x01\x02"])
def test_values_that_are_no_records(value: bytes) -> None:
    with pytest.raises(RecordError):
        decode_ack_untrusted(value)
    with pytest.raises(RecordError):
        decode_genesis_ack_untrusted(value)
    with pytest.raises(RecordError):
        decode_source_untrusted(value)
    with pytest.raises(RecordError):
        decode_input_untrusted(input_key(ORIGIN), value)


@pytest.mark.parametrize(
    "ack",
    [
        replace(ACK, op_hash=None),
        replace(ACK, oplog_head=None),
        replace(ACK, error="Error"),
        replace(ACK, success=False),
        replace(ACK, metadata=float("nan")),
    ],
)
def test_acks_that_are_not_written(ack: Ack) -> None:
    with pytest.raises(LocalProtocolError):
        encode_ack(ack)


def test_ack_keys_come_apart() -> None:
    assert parse_ack_key_untrusted(ACK.key()) == (ORIGIN, 7)


@pytest.mark.parametrize(
    "key",
    [
        GENESIS_ACK,
        ACK.key() + b"0",
        ACK.key()[:-1],
        ACK.key()[:-1] + b"x",
        ACK.key()[:-2] + b"+7",
        ACK.key()[:-1] + b"\x00",
        ACK.key().replace(b"0a", b"0A"),
        ACK.key().replace(b"0a", b"zz"),
        ACK.key().replace(b"0a0b", b"0a b"),
        ACK.key()[1:],
        b"",
    ],
)
def test_keys_that_are_no_ack_keys(key: bytes) -> None:
    with pytest.raises(RecordError):
        parse_ack_key_untrusted(key)


def test_participants() -> None:
    key = input_key(ORIGIN)
    for active in (True, False):
        record = Input(ORIGIN, active)
        assert decode_input_untrusted(key, encode_input(record)) == record


@pytest.mark.parametrize(
    ("key", "record"),
    [
        (input_key(ORIGIN), {"pubkey": ORIGIN}),
        (input_key(ORIGIN), {"pubkey": ORIGIN, "active": 1}),
        (input_key(ORIGIN), {"pubkey": ORIGIN.hex(), "active": True}),
        (input_key(ORIGIN), {"pubkey": ORIGIN[1:], "active": True}),
        (input_key(ORIGIN), {"active": True}),
        (input_key(bytes(32)), {"pubkey": ORIGIN, "active": True}),
        (b"x", {"pubkey": ORIGIN, "active": True}),
    ],
)
def test_participants_that_break_their_schema(key: bytes, record: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        decode_input_untrusted(key, pack(record))


def test_the_genesis_ack() -> None:
    assert decode_genesis_ack_untrusted(encode_genesis_ack(GenesisAck("r"))) == GenesisAck("r", 1)
    legacy = decode_genesis_ack_untrusted(b"\xde\x00\x00")
    assert legacy == GenesisAck(None, 0)
    assert legacy.legacy
    with pytest.raises(RecordError):
        decode_genesis_ack_untrusted(pack({"runtime": 5}))
    with pytest.raises(RecordError):
        decode_genesis_ack_untrusted(pack({"runtime": "r"}))


def test_a_genesis_batch() -> None:
    batch = genesis_batch("source", [b"b" * 32, b"a" * 32, b"b" * 32], "r")
    assert [key for key, _ in batch] == [
        CONTRACT_SOURCE,
        input_key(b"a" * 32),
        input_key(b"b" * 32),
        GENESIS_ACK,
    ]
    assert decode_source_untrusted(batch[0][1]) == "source"
    with pytest.raises(LocalProtocolError):
        genesis_batch("source", [], "r")
    with pytest.raises(LocalProtocolError):
        genesis_batch("source", [b"short"], "r")


def test_an_operations_batch() -> None:
    writes = [(b"a", b"\x01"), (b"b", None)]
    assert op_batch(ACK, writes) == [(ack_key(ORIGIN, 7), encode_ack(ACK)), *writes]


@pytest.mark.parametrize(
    ("ack", "writes"),
    [
        (ACK, [(b"a", b"\x01")]),
        (ACK, [(b"b", b"\x01"), (b"a", b"\x01")]),
        (ACK, [(b"a", b"\x01"), (b"a", b"\x01")]),
        (replace(ACK, success=False, error="Error"), [(b"a", b"\x01"), (b"b", b"\x01")]),
        (replace(ACK, runtime_id="r"), [(b"a", b"\x01"), (b"b", b"\x01")]),
        (ACK, [(CONTRACT_SOURCE, b"\x01"), (b"b", b"\x01")]),
    ],
)
def test_batches_that_contradict_their_ack(ack: Ack, writes: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(LocalProtocolError):
        op_batch(ack, writes)


def test_changes_become_writes() -> None:
    assert write_of(Put("/a/b", [1.0])) == (b"a\x00b", b"\x91\x01")
    assert write_of(Put("/a", UNDEFINED)) == (b"a", b"\xc0")
    assert write_of(Delete("/a")) == (b"a", None)
    assert write_of(SetSource("x")) == (CONTRACT_SOURCE, b"\xa1x")
    for change, active in ((AddOplog(ORIGIN), True), (RemoveOplog(ORIGIN), False)):
        assert write_of(change) == (input_key(ORIGIN), encode_input(Input(ORIGIN, active)))


def test_outcomes() -> None:
    changes = [Put("/b", 1), Put("/ä", 1), Put("/a", 1), Delete("/a"), Put("/z", 1), Put("/z", 2)]
    outcome = outcome_of(None, changes)
    assert outcome.success
    assert outcome.writes == (
        (b"a", None),
        (b"b", b"\x01"),
        (b"z", b"\x02"),
        ("ä".encode(), b"\x01"),
    )
    assert effective_writes(outcome.writes, {b"b"}.__contains__) == list(outcome.writes[1:])
    assert effective_writes(outcome.writes, {b"a"}.__contains__) == list(outcome.writes)
    assert outcome_of("Error: boom", changes) == Outcome("Error: boom")


@pytest.mark.parametrize(
    "change",
    [
        Put("/.sys/contract/source", "x"),
        Put("//.sys/contract/source", "x"),
        Put("/.sys\x00contract\x00source", "x"),
        Put("/.sys", "x"),
        Delete("/.sys/inputs"),
        Put("/a", float("nan")),
        Put("/a", "\ud800"),
        AddOplog(b"short"),
    ],
)
def test_a_change_that_cannot_be_written_fails_the_operation(change: Any) -> None:
    outcome = outcome_of(None, [Put("/a", 1), change])
    assert outcome.error is not None
    assert outcome.error.startswith("Error: ")
    assert outcome.writes == ()


def test_too_many_changes_fail_the_operation() -> None:
    changes = [Put(f"/{number}", 0) for number in range(MAX_CHANGES_PER_OPERATION)]
    assert outcome_of(None, changes).success
    assert not outcome_of(None, [*changes, Put("/x", 0)]).success
    large = "x" * (MAX_CHANGE_BYTES_PER_OPERATION // 3)
    assert outcome_of(None, [Put(f"/{number}", large) for number in range(2)]).success
    assert not outcome_of(None, [Put(f"/{number}", large) for number in range(3)]).success
    # Many changes of one key are one write.
    assert outcome_of(None, [Put("/a", 0)] * (MAX_CHANGES_PER_OPERATION + 1)).success


def test_changes_are_ordered_by_the_bytes_of_their_keys() -> None:
    keys = ["a", "a\x00b", "a-b", "ab", "B", "10", "9", "ß", "ä", "z", "~"]
    ordered = [key for key, _ in order_changes({key.encode(): b"" for key in keys})]
    assert ordered == sorted(key.encode() for key in keys)


def test_operations_as_contracts_get_them() -> None:
    block = bytes.fromhex("de0003a26f70a34e4f50a161d40000a162c0")
    assert decode_operation_untrusted(block) == {"op": "NOP", "b": None}
    assert decode_operation_untrusted(b"\x92\xd4\x00\x00\x01") == [None, 1]
    assert decode_operation_untrusted(b"\xd4\x00\x00") is None
    assert decode_operation_untrusted(b"\xc4\x01\x00") == b"\x00"


@pytest.mark.parametrize(
    "block",
    [b"", b"\xc1", b"\x01\x02", bytes.fromhex("cb7ff8000000000000"), bytes.fromhex("d6ff62a54bc0")],
)
def test_operations_that_no_contract_gets(block: bytes) -> None:
    with pytest.raises(RecordError):
        decode_operation_untrusted(block)
