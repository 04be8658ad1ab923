"""Honest executors are verified, whatever their contracts and participants do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.encoding.msgpack import pack, unpack_untrusted
from protocol.limits import MAX_REPLAY_GROUP_OPERATIONS
from protocol.transparency.frauds import CannotTell, UncertaintyCode, Verified
from protocol.transparency.operations import UNREADABLE_OPERATION
from protocol.transparency.replay.replay import replay
from protocol.transparency.replay.requests import (
    ContractRun,
    ReadIndex,
    ReadOperations,
    RunContract,
    Validated,
)
from protocol.transparency.replay.state import START, decode_state_untrusted, encode_state
from tests.replay_world import (
    History,
    answer_request,
    drive,
    fake_block,
    overlay_runner,
    run_toy,
    show,
)
from tests.toy_contract import ALICE, BOB, CAROL, doubling, toy


def history() -> History:
    return History.create(toy, [ALICE, BOB])


def check(past: History) -> None:
    for runner in (None, overlay_runner(past)):
        verdict, _ = drive(past, runner=runner)
        assert isinstance(verdict, Verified), f"{verdict}\n{show(past)}"
        assert verdict.state.position == past.length
        assert verdict.state.operations == sum(past.executed.values())


def test_a_database_without_operations() -> None:
    past = history()
    verdict, news = drive(past)
    assert isinstance(verdict, Verified)
    assert verdict.state.participants == {ALICE: True, BOB: True}
    assert verdict.state.runtime_id == "toy-1"
    assert [item.acks for item in news] == [()]


@pytest.mark.parametrize(
    "op",
    [
        {"op": "increment"},
        {"op": "nop"},
        {"op": "throw"},
        {"op": "throw", "text": ""},
        {"op": "throw", "text": "é" * 100},
        {"op": "unknown"},
        {"op": "put", "entries": {"/b": 1, "/a": 2, "/a/x": 3, "/ä": 4, "/z": 5, "/_": 6}},
        {"op": "put", "entries": {"/a": None}},
        {"op": "put", "entries": {"//.sys/contract/source": "evil"}},
        {"op": "put", "entries": {"/.sys/contract/source": "evil"}},
        {"op": "put", "entries": {"/.sys\x00contract\x00source": "evil"}},
        {"op": "put", "entries": {"/.sys": "evil"}},
        {"op": "put", "entries": {"/x//y": "evil"}},
        {"op": "put", "entries": {"": "evil"}},
        {"op": "delete", "paths": ["/absent"]},
        {"op": "delete", "paths": ["/kept", "/absent", "/counter"]},
        {"op": "delete", "paths": ["/kept", "/kept"]},
        {"op": "store-ack"},
        {"op": "copy", "from": "/absent", "to": "/b"},
        {"op": "read-ack", "path": f"/.sys/acks/{ALICE.hex()}/000000000000000"},
        None,
        5,
        [],
        "text",
        b"\xc1 is not MessagePack",
        bytes.fromhex("cb7ff8000000000000"),
        b"",
    ],
    ids=repr,
)
def test_no_operation_gets_its_executor_accused(op: Any) -> None:
    past = history()
    past.do(ALICE, {"op": "put", "entries": {"/kept": 1}})
    past.do(BOB, op)
    past.do(ALICE, {"op": "increment"})
    past.do(ALICE, op)
    past.do(BOB, {"op": "increment"})
    check(past)


def test_a_contract_that_stores_its_ack_with_metadata() -> None:
    past = history()
    for metadata in (None, {"seen": 1, "u": None}, [], "text", 1.5):
        past.publish(ALICE, {"op": "store-ack"})
        past.execute(ALICE, metadata=metadata)
    check(past)


def test_an_unreadable_operation_fails_with_a_fixed_error() -> None:
    past = history()
    ack = past.do(ALICE, b"\xc1")
    assert ack.error == UNREADABLE_OPERATION
    check(past)


def test_deletes_count_only_where_they_have_an_effect() -> None:
    past = history()
    past.do(ALICE, {"op": "put", "entries": {"/a": 1}})
    assert past.do(ALICE, {"op": "delete", "paths": ["/a", "/b"]}).num_changes == 1
    assert past.do(ALICE, {"op": "delete", "paths": ["/a", "/b"]}).num_changes == 0
    check(past)


def test_membership_takes_effect_at_once_and_comes_back() -> None:
    past = history()
    past.do(ALICE, {"op": "admit", "key": CAROL})
    past.do(CAROL, {"op": "increment"})
    past.do(ALICE, {"op": "expel", "key": CAROL})
    past.publish(CAROL, {"op": "increment", "amount": 10})
    past.do(BOB, {"op": "increment"})
    past.do(ALICE, {"op": "admit", "key": CAROL})
    # What was published while away is next in the oplog, and is executed now.
    past.execute(CAROL)
    past.do(ALICE, {"op": "expel", "key": ALICE})
    past.do(BOB, {"op": "increment"})
    check(past)
    verdict, _ = drive(past)
    assert verdict.state.participants == {ALICE: False, BOB: True, CAROL: True}


def test_a_new_source_runs_the_operations_after_it() -> None:
    past = history()
    past.contracts["v2"] = doubling
    past.do(ALICE, {"op": "increment"})
    past.do(BOB, {"op": "source", "code": "v2"})
    past.do(ALICE, {"op": "increment"})
    assert past.writes[-1] == (b"counter", pack(3))
    check(past)


def test_groups_end_where_the_rules_change() -> None:
    past = history()
    past.contracts["v2"] = doubling
    for op in ("increment", "increment", "admit", "increment", "source", "increment"):
        past.do(ALICE, {"op": op, "key": CAROL, "code": "v2"})
    seen: list[tuple[str, int]] = []

    def runner(request: RunContract) -> ContractRun:
        seen.append((request.source, len(request.operations)))
        assert request.version == request.operations[0].version
        return run_toy(past, request)

    verdict, news = drive(past, runner=runner)
    assert isinstance(verdict, Verified)
    assert seen == [("v1", 3), ("v1", 2), ("v2", 1)]
    assert [len(item.acks) for item in news] == [0, 3, 2, 1]
    assert news[-1].state == verdict.state


def test_long_histories_run_in_bounded_groups() -> None:
    past = history()
    for _ in range(MAX_REPLAY_GROUP_OPERATIONS + 10):
        past.do(ALICE, {"op": "nop"})
    _, news = drive(past)
    assert [len(item.acks) for item in news] == [0, MAX_REPLAY_GROUP_OPERATIONS, 10]


def test_a_replay_goes_on_from_a_checkpoint() -> None:
    past = history()
    past.contracts["v2"] = doubling
    past.do(ALICE, {"op": "increment"})
    past.do(ALICE, {"op": "source", "code": "v2"})
    past.do(ALICE, {"op": "admit", "key": CAROL})
    first, _ = drive(past)
    past.do(CAROL, {"op": "increment"})
    past.do(ALICE, {"op": "increment"})
    state = decode_state_untrusted(encode_state(first.state))
    second, news = drive(past, state)
    assert isinstance(second, Verified)
    assert [len(item.acks) for item in news] == [2]
    whole, _ = drive(past)
    assert second == whole
    again, news = drive(past, second.state)
    assert again == second
    assert news == []


def test_single_operations_are_verified_alone() -> None:
    past = history()
    for number in range(5):
        past.do(ALICE, {"op": "increment", "amount": number})
    state = START
    for done in range(1, 6):
        verdict, _ = drive(past, state, max_operations=1)
        assert isinstance(verdict, Verified)
        assert verdict.state.operations == done
        state = verdict.state
    assert state == drive(past)[0].state
    assert drive(past, max_operations=0)[0].state.operations == 0


# What is missing accuses no one -------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_an_unfinished_genesis(length: int) -> None:
    verdict, _ = drive(history(), length=length)
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.UNFINISHED_GENESIS
    assert verdict.state == START


def test_an_unfinished_transaction_leaves_what_is_before_it_verified() -> None:
    past = history()
    past.do(ALICE, {"op": "increment"})
    before = past.length
    past.do(BOB, {"op": "put", "entries": {"/a": 1, "/b": 2}})
    for length in (before + 1, before + 2):
        verdict, _ = drive(past, length=length)
        assert isinstance(verdict, CannotTell)
        assert verdict.code is UncertaintyCode.UNFINISHED_TRANSACTION
        assert verdict.seq == before
        assert verdict.state.position == before
        assert verdict.state.operations == 1
    check(past)


def test_an_operation_that_cannot_be_fetched() -> None:
    past = history()
    past.do(ALICE, {"op": "increment"})
    past.do(BOB, {"op": "increment"})
    past.oplogs[BOB].clear()
    verdict, _ = drive(past)
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.CANNOT_FETCH_OP
    assert verdict.state.operations == 1


def test_a_runtime_that_is_not_here() -> None:
    past = history()
    past.do(ALICE, {"op": "increment"})

    def runner(request: RunContract) -> ContractRun:
        return ContractRun((), f"runtime {request.runtime_id} is not installed")

    verdict, _ = drive(past, runner=runner)
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.CONTRACT_NOT_RUN
    assert "toy-1" in verdict.reason


def test_a_machine_that_fails_half_way() -> None:
    past = history()
    for _ in range(4):
        past.do(ALICE, {"op": "increment"})

    def runner(request: RunContract) -> ContractRun:
        return ContractRun(run_toy(past, request).results[:3], "the worker ran out of memory")

    verdict, news = drive(past, runner=runner)
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.CONTRACT_NOT_RUN
    assert verdict.state.operations == 3
    assert len(news[-1].acks) == 3


def test_records_of_another_form() -> None:
    past = history()
    past.writes[3] = (past.writes[3][0], pack({"runtime": "toy-1", "format": 2}))
    verdict, _ = drive(past)
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.UNKNOWN_FORMAT


def test_a_forked_oplog_is_its_writers_fault() -> None:
    past = history()
    past.do(BOB, {"op": "increment"})
    past.do(ALICE, {"op": "increment"})
    past.oplogs[ALICE] = [pack({"op": "nop"})]
    past.forked.add(ALICE)
    verdict, _ = drive(past)
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.OPLOG_FORKED
    assert verdict.state.operations == 1


@pytest.mark.parametrize("is_proven", [True, False])
@pytest.mark.parametrize("shown", [[{"op": "nop"}, {"op": "increment"}], [{"op": "increment"}], []])
def test_no_history_of_an_oplog_accuses_the_executor(
    shown: list[dict[str, str]], is_proven: bool
) -> None:
    """Its writer can sign any, also one that has the very operation at its place."""
    past = history()
    for _ in range(2):
        past.do(ALICE, {"op": "increment"})
    past.oplogs[ALICE] = [pack(op) for op in shown]
    if is_proven:
        past.forked.add(ALICE)
    verdict, _ = drive(past)
    assert isinstance(verdict, CannotTell)
    hidden = UncertaintyCode.CANNOT_FETCH_OP if len(shown) < 2 else None
    unproven = hidden or UncertaintyCode.OPERATION_DISPUTED
    assert verdict.code is (UncertaintyCode.OPLOG_FORKED if is_proven else unproven)
    assert verdict.state.operations == (1 if len(shown) == 1 else 0)


def test_the_index_may_be_out_of_reach() -> None:
    past = history()
    past.do(ALICE, {"op": "increment"})

    def drive_with(hidden: int) -> Any:
        steps = replay(past.length)
        answer: Any = None
        try:
            while True:
                request = steps.send(answer)
                if isinstance(request, ReadIndex):
                    stop = min(request.stop, hidden)
                    answer = list(map(fake_block, past.writes[request.start - 1 : stop - 1]))
                elif isinstance(request, RunContract):
                    answer = run_toy(past, request)
                elif isinstance(request, ReadOperations):
                    answer = answer_request(past, request)
                else:
                    answer = None
        except StopIteration as stop:
            return stop.value

    for hidden in (1, 3, 5):
        verdict = drive_with(hidden)
        assert isinstance(verdict, CannotTell)
        assert verdict.code is UncertaintyCode.CANNOT_FETCH_INDEX


def test_a_checkpoint_of_another_index() -> None:
    past = history()
    past.do(ALICE, {"op": "increment"})
    verdict, _ = drive(past, max_operations=0)
    past.do(ALICE, {"op": "increment"})
    verdict, _ = drive(past, replace(verdict.state, source_seq=2))
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.UNEXPECTED_SEQ


def test_operations_that_do_not_fit_into_memory_together() -> None:
    past = history()
    for _ in range(5):
        past.do(ALICE, {"op": "increment"})
    past.do(ALICE, {"op": "throw"})
    past.writes.pop()
    steps = replay(past.length)
    answer: Any = None
    groups = []
    try:
        while True:
            request = steps.send(answer)
            if isinstance(request, RunContract):
                groups.append(len(request.operations))
                answer = run_toy(past, request)
            elif isinstance(request, Validated):
                answer = None
            else:
                answer = answer_request(past, request)
                if isinstance(request, ReadOperations):
                    answer = answer[:2]
    except StopIteration as stop:
        verdict = stop.value
    assert isinstance(verdict, Verified)
    assert verdict.state.operations == 5
    assert groups == [2, 2, 1]


def test_the_counter_counts() -> None:
    past = history()
    for _ in range(3):
        past.do(ALICE, {"op": "increment"})
    assert unpack_untrusted(past.writes[-1][1] or b"") == 3
