"""What holds for any ack, and for any bytes taken as a record."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding.paths import ACKS_PREFIX, MAX_ACK_SEQ, input_key
from protocol.errors import RecordError
from protocol.limits import MAX_SAFE_INTEGER
from protocol.transparency.frauds import ContractFraudProof
from protocol.transparency.records import (
    Ack,
    decode_ack_untrusted,
    decode_genesis_ack_untrusted,
    decode_input_untrusted,
    encode_ack,
    parse_ack_key_untrusted,
)
from protocol.transparency.replay.state import ReplayState, decode_state_untrusted, encode_state

keys = st.binary(min_size=32, max_size=32)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
counts = st.integers(0, MAX_SAFE_INTEGER)


@st.composite
def acks(draw: st.DrawFn) -> Ack:
    error = draw(st.none() | text)
    return Ack(
        origin=draw(keys),
        seq=draw(st.integers(0, MAX_ACK_SEQ)),
        ts=draw(counts),
        success=error is None,
        error=error,
        metadata=draw(st.none() | text | st.lists(st.integers(-5, 5), max_size=3)),
        num_changes=draw(counts),
        op_hash=draw(keys),
        oplog_head=draw(keys),
        runtime_id=draw(st.none() | text),
    )


@given(acks())
def test_acks_come_back(ack: Ack) -> None:
    assert decode_ack_untrusted(encode_ack(ack)) == ack
    assert parse_ack_key_untrusted(ack.key()) == (ack.origin, ack.seq)


@settings(max_examples=300)
@given(acks(), st.data())
def test_damaged_acks_are_read_or_refused(ack: Ack, data: st.DataObject) -> None:
    value = bytearray(encode_ack(ack))
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    read_all(bytes(value))
    read_all(bytes(value[: data.draw(st.integers(0, len(value)))]))


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    read_all(value)


def read_all(value: bytes) -> None:
    for decode in (
        decode_ack_untrusted,
        decode_genesis_ack_untrusted,
        decode_state_untrusted,
        parse_ack_key_untrusted,
        lambda data: parse_ack_key_untrusted(ACKS_PREFIX + data),
        lambda data: decode_input_untrusted(input_key(bytes(32)), data),
        lambda data: ContractFraudProof.from_json_untrusted(data.decode(errors="replace")),
    ):
        with suppress(RecordError):
            decode(value)


states = st.builds(
    ReplayState,
    position=st.integers(1, 2**40),
    genesis_done=st.booleans(),
    record_format=st.integers(0, 2),
    runtime_id=st.none() | text,
    source_seq=st.integers(0, 2**40),
    participants=st.dictionaries(keys, st.booleans(), max_size=4),
    next_seqs=st.dictionaries(keys, st.integers(0, 10**15), max_size=4),
    last_ts=counts,
    operations=st.integers(0, 2**40),
)


@given(states)
def test_states_come_back(state: ReplayState) -> None:
    assert decode_state_untrusted(encode_state(state)) == state


@settings(max_examples=300)
@given(states, st.data())
def test_damaged_checkpoints_are_read_or_refused(state: ReplayState, data: st.DataObject) -> None:
    value = bytearray(encode_state(state))
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    read_all(bytes(value))
