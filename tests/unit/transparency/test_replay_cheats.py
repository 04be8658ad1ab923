"""Every way to falsify an index is found, under the expected code, at the first wrong block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol.encoding.msgpack import Date, pack, unpack_untrusted
from protocol.encoding.paths import CONTRACT_SOURCE, GENESIS_ACK, ack_key, input_key
from protocol.limits import MAX_CHANGES_PER_OPERATION
from protocol.transparency.changes import Write
from protocol.transparency.frauds import (
    CannotTell,
    ContractFraudProof,
    UncertaintyCode,
    Violated,
    Violation,
    ViolationCode,
)
from protocol.transparency.records import (
    Ack,
    GenesisAck,
    Input,
    decode_ack_untrusted,
    encode_ack,
    encode_genesis_ack,
    encode_input,
)
from protocol.transparency.replay.replay import replay
from protocol.transparency.replay.requests import BuildPages, RunContract, Validated
from tests.replay_world import History, answer_request, drive, run_toy, show
from tests.toy_contract import ALICE, BOB, CAROL, doubling, toy

# Positions in ``writes`` of what ``history`` does; block numbers are one more.
FIRST_ACK, FIRST_CHANGE = 4, 5
PUT_ACK, PUT_A, PUT_B = 6, 7, 8
THROW_ACK = 9
LAST_ACK, LAST_CHANGE = 10, 11


def history() -> History:
    past = History.create(toy, [ALICE, BOB])
    past.contracts["v2"] = doubling
    past.do(ALICE, {"op": "increment"})
    past.do(BOB, {"op": "put", "entries": {"/b": 2, "/a": 1}})
    past.do(ALICE, {"op": "throw"})
    past.do(ALICE, {"op": "increment"})
    return past


def ack_at(past: History, position: int) -> Ack:
    value = past.writes[position][1]
    assert value is not None
    return decode_ack_untrusted(value)


def edit_ack(past: History, position: int, **changed: Any) -> None:
    """Falsify an ack; its key stays."""
    ack = replace(ack_at(past, position), **changed)
    past.writes[position] = (past.writes[position][0], encode_ack(ack))


def edit_record(past: History, position: int, **changed: Any) -> None:
    record = unpack_untrusted(past.writes[position][1] or b"")
    assert isinstance(record, dict)
    record.update(changed)
    past.writes[position] = (past.writes[position][0], pack(record))


def violation_of(past: History) -> Violation:
    verdict, _ = drive(past)
    assert isinstance(verdict, Violated), f"{verdict}\n{show(past)}"
    return verdict.violation


def write(key: bytes, value: object) -> Write:
    return key, pack(value)


Cheat = Callable[[History], object]

CHEATS: dict[str, tuple[Cheat, ViolationCode, int]] = {
    # Changes of an operation.
    "another value": (
        lambda past: past.writes.__setitem__(FIRST_CHANGE, write(b"counter", 5)),
        ViolationCode.CHANGE_MISMATCH,
        FIRST_CHANGE,
    ),
    "another form of the same value": (
        lambda past: past.writes.__setitem__(FIRST_CHANGE, (b"counter", b"\xcc\x01")),
        ViolationCode.CHANGE_MISMATCH,
        FIRST_CHANGE,
    ),
    "a deletion for a value": (
        lambda past: past.writes.__setitem__(FIRST_CHANGE, (b"counter", None)),
        ViolationCode.CHANGE_MISMATCH,
        FIRST_CHANGE,
    ),
    "another key": (
        lambda past: past.writes.__setitem__(FIRST_CHANGE, write(b"other", 1)),
        ViolationCode.CHANGE_NOT_PRODUCED_BY_MONITOR,
        FIRST_CHANGE,
    ),
    "a change left out": (
        lambda past: past.writes.pop(PUT_A),
        ViolationCode.CHANGE_NOT_PRODUCED_BY_EXECUTOR,
        PUT_A,
    ),
    "a change left out, and counted so": (
        lambda past: (past.writes.pop(PUT_A), edit_ack(past, PUT_ACK, num_changes=1)),
        ViolationCode.CHANGE_NOT_PRODUCED_BY_EXECUTOR,
        PUT_A,
    ),
    "the last change left out": (
        lambda past: past.writes.pop(PUT_B),
        ViolationCode.CHANGE_NOT_PRODUCED_BY_EXECUTOR,
        PUT_B,
    ),
    "the last change left out, and counted so": (
        lambda past: (past.writes.pop(PUT_B), edit_ack(past, PUT_ACK, num_changes=1)),
        ViolationCode.NUM_CHANGES_MISMATCH,
        PUT_ACK,
    ),
    "the end of the index left out, and counted so": (
        lambda past: (past.writes.pop(), edit_ack(past, LAST_ACK, num_changes=0)),
        ViolationCode.NUM_CHANGES_MISMATCH,
        LAST_ACK,
    ),
    "an invented change, counted": (
        lambda past: (
            past.writes.insert(PUT_B, write(b"aa", 0)),
            edit_ack(past, PUT_ACK, num_changes=3),
        ),
        ViolationCode.CHANGE_NOT_PRODUCED_BY_MONITOR,
        PUT_B,
    ),
    "an invented change behind the others, counted": (
        lambda past: (
            past.writes.insert(PUT_B + 1, write(b"z", 0)),
            edit_ack(past, PUT_ACK, num_changes=3),
        ),
        ViolationCode.CHANGE_NOT_PRODUCED_BY_MONITOR,
        PUT_B + 1,
    ),
    "a change twice": (
        lambda past: past.writes.insert(PUT_A, past.writes[PUT_A]),
        ViolationCode.CHANGE_NOT_PRODUCED_BY_MONITOR,
        PUT_A + 1,
    ),
    "changes out of order": (
        lambda past: past.writes.insert(PUT_A, past.writes.pop(PUT_B)),
        ViolationCode.CHANGES_OUT_OF_ORDER,
        PUT_A,
    ),
    "an unprompted write": (
        lambda past: past.writes.insert(PUT_B + 1, write(b"z", 0)),
        ViolationCode.UNEXPECTED_PATH,
        PUT_B + 1,
    ),
    "an unprompted write at the end": (
        lambda past: past.writes.append(write(b"z", 0)),
        ViolationCode.UNEXPECTED_PATH,
        LAST_CHANGE + 1,
    ),
    "an unprompted deletion": (
        lambda past: past.writes.append((b"a", None)),
        ViolationCode.UNEXPECTED_PATH,
        LAST_CHANGE + 1,
    ),
    "a participant admitted by the executor": (
        lambda past: past.writes.append(
            (input_key(CAROL), encode_input(Input(CAROL, True))),
        ),
        ViolationCode.UNEXPECTED_PATH,
        LAST_CHANGE + 1,
    ),
    "a source set by the executor": (
        lambda past: past.writes.insert(PUT_ACK, write(CONTRACT_SOURCE, "v2")),
        ViolationCode.UNEXPECTED_PATH,
        PUT_ACK,
    ),
    "writes of a failed operation": (
        lambda past: past.writes.insert(THROW_ACK + 1, write(b"a", 0)),
        ViolationCode.UNEXPECTED_PATH,
        THROW_ACK + 1,
    ),
    "counted writes of a failed operation": (
        lambda past: (
            past.writes.insert(THROW_ACK + 1, write(b"a", 0)),
            edit_ack(past, THROW_ACK, num_changes=1),
        ),
        ViolationCode.CHANGE_NOT_PRODUCED_BY_MONITOR,
        THROW_ACK + 1,
    ),
    "a wrong count": (
        lambda past: edit_ack(past, PUT_ACK, num_changes=3),
        ViolationCode.NUM_CHANGES_MISMATCH,
        PUT_ACK,
    ),
    # How the operation ended.
    "a good operation reported as failed": (
        lambda past: (
            edit_ack(past, LAST_ACK, success=False, error="Error: no", num_changes=0),
            past.writes.pop(),
        ),
        ViolationCode.OUTCOME_MISMATCH,
        LAST_ACK,
    ),
    "a failed operation reported as good": (
        lambda past: edit_ack(past, THROW_ACK, success=True, error=None),
        ViolationCode.MONITOR_APPLY_FAILED,
        THROW_ACK,
    ),
    "another error": (
        lambda past: edit_ack(past, THROW_ACK, error="Error: bang"),
        ViolationCode.OUTCOME_MISMATCH,
        THROW_ACK,
    ),
    # The ack itself.
    "a back-dated operation": (
        lambda past: edit_ack(past, PUT_ACK, ts=ack_at(past, FIRST_ACK).ts - 1),
        ViolationCode.TIMESTAMP_DECREASED,
        PUT_ACK,
    ),
    "an operation left out": (
        lambda past: past.writes.__delitem__(slice(FIRST_ACK, PUT_ACK)),
        ViolationCode.PROCESSED_OUT_OF_ORDER,
        FIRST_ACK + 3,
    ),
    "a failed operation left out": (
        lambda past: past.writes.pop(THROW_ACK),
        ViolationCode.PROCESSED_OUT_OF_ORDER,
        THROW_ACK,
    ),
    "an operation executed twice": (
        lambda past: past.writes.append(past.writes[THROW_ACK]),
        ViolationCode.PROCESSED_OUT_OF_ORDER,
        LAST_CHANGE + 1,
    ),
    "operations of a non-participant": (
        lambda past: past.do(CAROL, {"op": "increment"}),
        ViolationCode.NON_PARTICIPANT,
        LAST_CHANGE + 1,
    ),
    "operations of a participant that left": (
        lambda past: (past.do(ALICE, {"op": "expel", "key": BOB}), past.do(BOB, {"op": "nop"})),
        ViolationCode.NON_PARTICIPANT,
        LAST_CHANGE + 3,
    ),
    "a wrong hash of the operation": (
        lambda past: edit_ack(past, PUT_ACK, op_hash=bytes(32)),
        ViolationCode.OPERATION_MISMATCH,
        PUT_ACK,
    ),
    "other metadata than apply saw": (
        lambda past: (past.do(ALICE, {"op": "store-ack"}), edit_ack(past, 12, metadata=1)),
        ViolationCode.CHANGE_MISMATCH,
        LAST_CHANGE + 2,
    ),
    "an ack under another operation's key": (
        lambda past: past.writes.__setitem__(
            LAST_ACK, (ack_key(ALICE, 3), past.writes[LAST_ACK][1])
        ),
        ViolationCode.INVALID_SCHEMA,
        LAST_ACK,
    ),
    "an ack under an impossible key": (
        lambda past: past.writes.__setitem__(
            LAST_ACK, (b".sys\x00acks\x00x", past.writes[LAST_ACK][1])
        ),
        ViolationCode.UNEXPECTED_PATH,
        LAST_ACK,
    ),
    "an ack deleted": (
        lambda past: past.writes.append((past.writes[LAST_ACK][0], None)),
        ViolationCode.INVALID_SCHEMA,
        LAST_CHANGE + 1,
    ),
    "a second genesis": (
        lambda past: past.writes.append((GENESIS_ACK, encode_genesis_ack(GenesisAck("evil")))),
        ViolationCode.UNEXPECTED_PATH,
        LAST_CHANGE + 1,
    ),
    "an ack without hashes": (
        lambda past: edit_record(past, PUT_ACK, opHash=None, oplogHead=None),
        ViolationCode.INVALID_SCHEMA,
        PUT_ACK,
    ),
    "an ack with a field of another type": (
        lambda past: edit_record(past, PUT_ACK, ts="now"),
        ViolationCode.INVALID_SCHEMA,
        PUT_ACK,
    ),
    "metadata that no contract can be given": (
        lambda past: edit_record(past, PUT_ACK, metadata=[Date(0)]),
        ViolationCode.INVALID_SCHEMA,
        PUT_ACK,
    ),
    "an ack that is no map": (
        lambda past: past.writes.__setitem__(PUT_ACK, (past.writes[PUT_ACK][0], b"\x90")),
        ViolationCode.INVALID_SCHEMA,
        PUT_ACK,
    ),
    "a runtime named without a new source": (
        lambda past: edit_ack(past, PUT_ACK, runtime_id="evil"),
        ViolationCode.INVALID_SCHEMA,
        PUT_ACK,
    ),
    "a new source without its runtime": (
        lambda past: (
            past.do(ALICE, {"op": "source", "code": "v2"}),
            edit_ack(past, LAST_CHANGE + 1, runtime_id=None),
        ),
        ViolationCode.INVALID_SCHEMA,
        LAST_CHANGE + 1,
    ),
    "another source than the operation set": (
        lambda past: (
            past.do(ALICE, {"op": "source", "code": "v2"}),
            past.writes.__setitem__(LAST_CHANGE + 2, write(CONTRACT_SOURCE, "v3")),
        ),
        ViolationCode.CHANGE_MISMATCH,
        LAST_CHANGE + 2,
    ),
    "the old source used after a new one": (
        lambda past: (
            past.do(ALICE, {"op": "source", "code": "v2"}),
            past.contracts.__setitem__("v2", toy),
            past.do(ALICE, {"op": "increment"}),
            past.contracts.__setitem__("v2", doubling),
        ),
        ViolationCode.CHANGE_MISMATCH,
        LAST_CHANGE + 5,
    ),
    "a membership change left out": (
        lambda past: (past.do(ALICE, {"op": "expel", "key": BOB}), past.writes.pop(),
                      past.do(BOB, {"op": "nop"})),
        ViolationCode.CHANGE_NOT_PRODUCED_BY_EXECUTOR,
        LAST_CHANGE + 2,
    ),
    # The genesis.
    "a genesis without its source": (
        lambda past: past.writes.pop(0),
        ViolationCode.UNEXPECTED_PATH,
        0,
    ),
    "a genesis without participants": (
        lambda past: past.writes.__delitem__(slice(1, 3)),
        ViolationCode.NO_GENESIS_INPUTS_DECLARED,
        1,
    ),
    "an operation instead of a participant": (
        lambda past: past.writes.__delitem__(slice(1, 4)),
        ViolationCode.UNEXPECTED_PATH,
        1,
    ),
    "a write within the genesis": (
        lambda past: past.writes.insert(3, write(b"a", 1)),
        ViolationCode.UNEXPECTED_PATH,
        3,
    ),
    "an inactive participant in the genesis": (
        lambda past: past.writes.__setitem__(
            1, (input_key(ALICE), encode_input(Input(ALICE, False)))
        ),
        ViolationCode.INVALID_SCHEMA,
        1,
    ),
    "a participant under another's key": (
        lambda past: past.writes.__setitem__(
            1, (input_key(ALICE), encode_input(Input(CAROL, True)))
        ),
        ViolationCode.INVALID_SCHEMA,
        1,
    ),
    "a source that is no text": (
        lambda past: past.writes.__setitem__(0, write(CONTRACT_SOURCE, 5)),
        ViolationCode.INVALID_SCHEMA,
        0,
    ),
    "a source deleted in the genesis": (
        lambda past: past.writes.__setitem__(0, (CONTRACT_SOURCE, None)),
        ViolationCode.INVALID_SCHEMA,
        0,
    ),
    "a write right after the genesis": (
        lambda past: past.writes.insert(4, write(b"a", 1)),
        ViolationCode.UNEXPECTED_PATH,
        4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
def test_every_cheat_is_found(name: str) -> None:
    cheat, code, position = CHEATS[name]
    past = history()
    cheat(past)
    found = violation_of(past)
    assert found.code is code, found
    assert found.seq == position + 1, found
    proof = ContractFraudProof(bytes(32), past.length, "toy-1", found)
    assert ContractFraudProof.from_json_untrusted(proof.to_json()) == proof


def test_all_codes_are_covered() -> None:
    covered = {code for _, code, _ in CHEATS.values()}
    assert covered | {ViolationCode.INDEX_PAGES_MISMATCH} == set(ViolationCode)


def test_a_violation_names_operation_and_writes() -> None:
    past = history()
    past.writes[FIRST_CHANGE] = write(b"counter", 5)
    verdict, news = drive(past)
    assert isinstance(verdict, Violated)
    found = verdict.violation
    assert (found.ack_seq, found.origin, found.op_seq) == (FIRST_ACK + 1, ALICE, 0)
    assert found.operation == past.oplogs[ALICE][0]
    assert found.expected == write(b"counter", 1)
    assert found.actual == write(b"counter", 5)
    assert verdict.state.position == FIRST_ACK + 1
    assert [item.acks for item in news] == [()]


def test_what_stands_before_a_cheat_is_verified() -> None:
    past = history()
    past.writes.append(write(b"z", 0))
    verdict, news = drive(past)
    assert verdict.state.operations == 4
    assert sum(len(item.acks) for item in news) == 4


def test_the_first_of_several_cheats_is_reported() -> None:
    past = history()
    edit_ack(past, LAST_ACK, ts=0)
    past.writes[FIRST_CHANGE] = write(b"counter", 5)
    found = violation_of(past)
    assert found.code is ViolationCode.CHANGE_MISMATCH


def test_a_cut_in_mid_transaction_is_found_with_the_next_ack() -> None:
    past = history()
    past.writes.pop()
    verdict, _ = drive(past)
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.UNFINISHED_TRANSACTION
    past.do(BOB, {"op": "nop"})
    assert violation_of(past).code is ViolationCode.CHANGE_NOT_PRODUCED_BY_EXECUTOR


def test_a_block_that_is_no_entry() -> None:
    past = history()
    steps = replay(past.length)
    assert next(steps) is not None
    with pytest.raises(StopIteration) as stopped:
        steps.send([b"not a block"])
    verdict = stopped.value.value
    assert isinstance(verdict, Violated)
    assert verdict.violation.code is ViolationCode.INVALID_SCHEMA
    assert verdict.violation.seq == 1


def test_a_long_pile_of_blocks_is_not_held_in_memory() -> None:
    past = history()
    past.writes += [write(b"%08d" % number, 0) for number in range(MAX_CHANGES_PER_OPERATION * 2)]
    found = violation_of(past)
    assert found.code is ViolationCode.UNEXPECTED_PATH
    assert found.seq == LAST_CHANGE + 2


@pytest.mark.parametrize("wrong_seq", [1, 4, PUT_ACK + 1, PUT_B + 1, LAST_CHANGE + 1])
def test_tree_pages_that_lead_past_an_entry(wrong_seq: int) -> None:
    """Keys and values may all be right while the pages hide one of them from readers."""
    past = history()
    steps = replay(past.length)
    answer: Any = None
    try:
        while True:
            request = steps.send(answer)
            if isinstance(request, Validated):
                answer = None
            elif isinstance(request, RunContract):
                answer = run_toy(past, request)
            else:
                answer = answer_request(past, request)
                if isinstance(request, BuildPages):
                    blocks = range(request.version, request.version + len(answer))
                    answer = [
                        b"other" if seq == wrong_seq else block
                        for seq, block in zip(blocks, answer, strict=True)
                    ]
    except StopIteration as stop:
        verdict = stop.value
    assert isinstance(verdict, Violated)
    assert verdict.violation.code is ViolationCode.INDEX_PAGES_MISMATCH
    assert verdict.violation.seq == wrong_seq
