"""Back to an earlier contract source: by more than half, and by no one else."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.encoding.msgpack import pack
from protocol.encoding.paths import CONTRACT_SOURCE, rollback_key
from protocol.errors import RecordError
from protocol.transparency.changes import Change
from protocol.transparency.frauds import Verified, Violated, ViolationCode
from protocol.transparency.records import Ack, decode_ack_untrusted, op_batch
from protocol.transparency.replay.state import ReplayState
from protocol.transparency.rollback import decode_vote_untrusted
from tests.replay_world import RUNTIME, ContractThrewError, History, Read, drive, show
from tests.toy_contract import ALICE, BOB, CAROL, toy

GENESIS_SOURCE = 1


def broken(read: Read, op: Any, ack: Ack) -> list[Change]:
    """A contract that a bad update left behind."""
    raise ContractThrewError("undefined is not a function")


def history() -> History:
    """Three participants, and a contract that nothing works with any more."""
    past = History.create(toy, [ALICE, BOB, CAROL])
    past.contracts["v2"] = broken
    past.do(ALICE, {"op": "increment"})
    past.do(ALICE, {"op": "source", "code": "v2"})
    past.do(BOB, {"op": "source", "code": "v1"})
    return past


def vote(to: Any = GENESIS_SOURCE) -> dict[str, Any]:
    return {"op": "/.sys/rollback", "to": to}


def verified(past: History) -> ReplayState:
    verdict, _ = drive(past)
    assert isinstance(verdict, Verified), f"{verdict}\n{show(past)}"
    return verdict.state


def test_two_of_three_bring_the_old_source_back() -> None:
    past = history()
    in_force = verified(past).source_seq
    assert in_force > GENESIS_SOURCE
    assert past.do(ALICE, vote()).runtime_id is None
    state = verified(past)
    assert (state.votes, state.source_seq) == ({ALICE: GENESIS_SOURCE}, in_force)
    ack = past.do(BOB, vote())
    assert (ack.success, ack.num_changes, ack.runtime_id) == (True, 2, RUNTIME)
    assert past.do(CAROL, {"op": "increment"}).success
    state = verified(past)
    assert state.votes == {}
    assert state.source_seq > in_force


def test_the_executor_alone_cannot_say_that_there_was_a_majority() -> None:
    past = history()
    past.do(ALICE, vote())
    position = past.writes.index(next(w for w in past.writes if w[0] == rollback_key(ALICE)))
    ack = decode_ack_untrusted(past.writes[position - 1][1] or b"")
    forged = Ack(
        ack.origin, ack.seq, ack.ts, True, None, None, 2, ack.op_hash, ack.oplog_head, RUNTIME
    )
    past.writes[position - 1 :] = op_batch(
        forged, [(CONTRACT_SOURCE, pack("v1")), past.writes[position]]
    )
    verdict, _ = drive(past)
    assert isinstance(verdict, Violated)
    assert verdict.violation.code is ViolationCode.CHANGE_NOT_PRODUCED_BY_MONITOR
    assert verdict.violation.actual == (CONTRACT_SOURCE, pack("v1"))


def test_the_executor_cannot_ignore_a_majority() -> None:
    past = history()
    past.do(ALICE, vote())
    past.do(BOB, vote())
    source = max(i for i, w in enumerate(past.writes) if w[0] == CONTRACT_SOURCE)
    ack = decode_ack_untrusted(past.writes[source - 1][1] or b"")
    forged = Ack(ack.origin, ack.seq, ack.ts, True, None, None, 1, ack.op_hash, ack.oplog_head)
    past.writes[source - 1 :] = op_batch(forged, [past.writes[source + 1]])
    verdict, _ = drive(past)
    assert isinstance(verdict, Violated)
    assert verdict.violation.code is ViolationCode.CHANGE_NOT_PRODUCED_BY_EXECUTOR


def test_another_source_than_the_one_voted_for_is_found() -> None:
    past = history()
    past.do(ALICE, vote())
    past.do(BOB, vote())
    source = max(i for i, w in enumerate(past.writes) if w[0] == CONTRACT_SOURCE)
    past.writes[source] = (CONTRACT_SOURCE, pack("v3"))
    verdict, _ = drive(past)
    assert isinstance(verdict, Violated)
    assert verdict.violation.code is ViolationCode.CHANGE_MISMATCH


@pytest.mark.parametrize("to", [0, 2, -1, 10**12, 2**53 - 1, 1.5, "1", True, [1], {}])
def test_what_cannot_be_gone_back_to_fails_and_changes_nothing(to: Any) -> None:
    past = history()
    ack = past.do(ALICE, vote(to))
    assert ack.error is not None
    assert ack.num_changes == 0
    assert verified(past).votes == {}


def test_the_source_in_force_is_nothing_to_go_back_to() -> None:
    past = history()
    assert past.do(ALICE, vote(verified(past).source_seq)).success is False
    verified(past)


def test_an_unknown_operation_of_the_protocol_fails_and_no_contract_gets_it() -> None:
    past = History.create(toy, [ALICE])
    ack = past.do(ALICE, {"op": "/.sys/anything"})
    assert ack.error == "Error: there is no such operation of the protocol"
    verified(past)


def test_votes_for_different_blocks_do_not_add_up() -> None:
    past = History.create(toy, [ALICE, BOB, CAROL])
    past.contracts |= {"v2": toy, "v3": broken}
    past.do(ALICE, {"op": "source", "code": "v2"})
    second = verified(past).source_seq
    past.do(ALICE, {"op": "source", "code": "v3"})
    past.do(ALICE, vote(GENESIS_SOURCE))
    past.do(BOB, vote(second))
    assert verified(past).votes == {ALICE: GENESIS_SOURCE, BOB: second}
    # A later vote of the same participant replaces its earlier one.
    past.do(ALICE, vote(second))
    assert verified(past).votes == {}
    assert past.do(CAROL, {"op": "increment"}).success


def test_a_vote_can_be_taken_back() -> None:
    past = history()
    past.do(ALICE, vote())
    assert past.do(ALICE, vote(None)).num_changes == 1
    assert past.do(ALICE, vote(None)).num_changes == 0
    past.do(BOB, vote())
    assert verified(past).votes == {BOB: GENESIS_SOURCE}


def test_votes_lapse_with_the_source_they_were_cast_against() -> None:
    past = History.create(toy, [ALICE, BOB, CAROL])
    past.contracts["v2"] = toy
    past.do(ALICE, {"op": "source", "code": "v2"})
    past.do(ALICE, vote())
    past.do(BOB, {"op": "source", "code": "v2"})
    past.do(BOB, vote())
    state = verified(past)
    assert state.votes == {BOB: GENESIS_SOURCE}


def test_only_active_oplogs_count_on_both_sides_of_the_half() -> None:
    past = History.create(toy, [ALICE, BOB, CAROL])
    past.contracts["v2"] = toy
    past.do(ALICE, {"op": "source", "code": "v2"})
    before = verified(past).source_seq
    past.do(CAROL, vote())
    past.do(ALICE, {"op": "expel", "key": CAROL})
    # One of two is not more than half, whatever the one who left has said.
    past.do(ALICE, vote())
    assert verified(past).source_seq == before
    past.do(BOB, vote())
    assert verified(past).source_seq > before


def test_a_change_of_members_alone_restores_nothing() -> None:
    past = History.create(toy, [ALICE, BOB, CAROL])
    past.contracts["v2"] = toy
    past.do(ALICE, {"op": "source", "code": "v2"})
    before = verified(past).source_seq
    past.do(ALICE, vote())
    past.do(ALICE, {"op": "expel", "key": BOB})
    past.do(ALICE, {"op": "expel", "key": CAROL})
    assert verified(past).source_seq == before
    # Voting again counts anew, with the members of now.
    past.do(ALICE, vote())
    assert verified(past).source_seq > before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (rollback_key(ALICE)[:-1], pack({"to": 1, "against": 1})),
        (b".sys\x00rollback\x00\xff", pack({"to": 1, "against": 1})),
        (rollback_key(ALICE), b"\xc1"),
        (rollback_key(ALICE), pack([])),
        (rollback_key(ALICE), pack({"to": 1})),
        (rollback_key(ALICE), pack({"to": -1, "against": 1})),
        (rollback_key(ALICE), pack({"to": True, "against": 1})),
        (rollback_key(ALICE), pack({"to": 1, "against": 2**53 - 1})),
    ],
)
def test_what_is_no_vote(key: bytes, value: bytes) -> None:
    with pytest.raises(RecordError):
        decode_vote_untrusted(key, value)
