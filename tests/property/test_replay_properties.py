"""Random honest histories are always verified, and no change of their blocks goes unseen."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding.msgpack import pack
from protocol.encoding.paths import GENESIS_ACK, format_key
from protocol.errors import RecordError
from protocol.hyperbee.blocks import decode_block_untrusted
from protocol.hyperbee.reading import run
from protocol.transparency.frauds import (
    CannotTell,
    ContractFraudProof,
    UncertaintyCode,
    Verified,
    Violated,
)
from protocol.transparency.records import (
    decode_ack_untrusted,
    decode_input_untrusted,
    is_ack_key,
)
from protocol.transparency.replay.requests import ContractRun, RunContract
from protocol.transparency.replay.state import START, decode_state_untrusted, encode_state
from protocol.transparency.replay.state_at import state_at, transaction_start
from tests.replay_world import (
    History,
    bee_blocks,
    drive,
    fetch_block,
    overlay_runner,
    run_toy,
    show,
)
from tests.toy_contract import ALICE, BOB, CAROL, doubling, toy

PEOPLE = [ALICE, BOB, CAROL]

paths = st.sampled_from(
    [
        "/a",
        "/b",
        "/a/b",
        "/a-b",
        "/ä",
        "/counter",
        "/x/y/z",
        "//.sys/x",
        "/.sys",
        "/c\x00d",
        "c",
        "/",
    ]
)
values = st.one_of(
    st.none(), st.integers(-3, 3), st.text(max_size=3), st.lists(st.booleans(), max_size=2)
).filter(lambda value: not isinstance(value, str) or value.isprintable())
operations: st.SearchStrategy[Any] = st.one_of(
    st.builds(lambda amount: {"op": "increment", "amount": amount}, st.integers(-2, 5)),
    st.builds(
        lambda entries: {"op": "put", "entries": entries},
        st.dictionaries(paths, values, max_size=4),
    ),
    st.builds(lambda some: {"op": "delete", "paths": some}, st.lists(paths, max_size=3)),
    st.builds(lambda a, b: {"op": "copy", "from": a, "to": b}, st.just("/a"), paths),
    st.builds(
        lambda key: {"op": "read-ack", "path": f"/.sys/acks/{key.hex()}/000000000000000"},
        st.sampled_from(PEOPLE),
    ),
    st.builds(
        lambda name, key: {"op": name, "key": key},
        st.sampled_from(["admit", "expel"]),
        st.sampled_from([BOB, CAROL]),
    ),
    st.builds(lambda code: {"op": "source", "code": code}, st.sampled_from(["v1", "v2"])),
    st.builds(
        lambda to: {"op": "/.sys/rollback", "to": to},
        st.sampled_from([1, 1, 1, None, 0, 2, 5, 6, 7, 8, 10**9, -1, "1", True]),
    ),
    st.sampled_from([{"op": "nop"}, {"op": "throw"}, {"op": "store-ack"}, None, 5]),
    st.binary(max_size=6),
)
steps = st.lists(st.tuples(st.sampled_from(PEOPLE), operations, values), max_size=25)


def honest(moves: list[tuple[bytes, Any, Any]]) -> History:
    past = History.create(toy, [ALICE, BOB])
    past.contracts["v2"] = doubling
    for origin, op, metadata in moves:
        past.publish(origin, op)
        # Operations of those who are not active wait, and are executed once they are.
        while past.is_active(origin) and past.executed.get(origin, 0) < len(past.oplogs[origin]):
            past.execute(origin, metadata=metadata)
    return past


@settings(max_examples=150)
@given(steps)
def test_honest_histories_are_verified(moves: list[tuple[bytes, Any, Any]]) -> None:
    past = honest(moves)
    blocks = bee_blocks(past.writes)
    assert len(blocks) == past.length
    for runner in (None, overlay_runner(past)):
        verdict, _ = drive(past, runner=runner, blocks=blocks)
        assert isinstance(verdict, Verified), f"{verdict}\n{show(past)}"
        assert verdict.state.operations == sum(past.executed.values())


@settings(max_examples=40)
@given(steps, st.lists(st.integers(1, 4), max_size=8))
def test_it_does_not_matter_where_a_replay_rests(
    moves: list[tuple[bytes, Any, Any]], rests: list[int]
) -> None:
    past = honest(moves)
    blocks = bee_blocks(past.writes)
    state = START
    for operations in rests:
        verdict, _ = drive(past, state, max_operations=operations, blocks=blocks)
        assert isinstance(verdict, Verified)
        state = decode_state_untrusted(encode_state(verdict.state))
    assert drive(past, state, blocks=blocks)[0] == drive(past, blocks=blocks)[0]


@settings(max_examples=40)
@given(steps, st.data())
def test_the_index_itself_tells_the_state_at_the_end_of_any_transaction(
    moves: list[tuple[bytes, Any, Any]], data: st.DataObject
) -> None:
    past = honest(moves)
    blocks = bee_blocks(past.writes)
    done = data.draw(st.integers(0, sum(past.executed.values())))
    state = drive(past, max_operations=done, blocks=blocks)[0].state
    fetch = partial(fetch_block, blocks)
    assert run(state_at(state.position), fetch) == state
    if done:
        start = run(transaction_start(state.position - 1), fetch)
        earlier = drive(past, max_operations=done - 1, blocks=blocks)[0].state
        assert start == earlier.position
        alone, _ = drive(past, run(state_at(start), fetch), max_operations=1, blocks=blocks)
        assert isinstance(alone, Verified)
        assert alone.state == state


@settings(max_examples=60)
@given(steps, st.data())
def test_every_prefix_is_verified_or_not_finished(
    moves: list[tuple[bytes, Any, Any]], data: st.DataObject
) -> None:
    past = honest(moves)
    length = data.draw(st.integers(1, past.length))
    verdict, _ = drive(past, length=length, blocks=bee_blocks(past.writes))
    if isinstance(verdict, CannotTell):
        assert verdict.code in (
            UncertaintyCode.UNFINISHED_GENESIS,
            UncertaintyCode.UNFINISHED_TRANSACTION,
        )
    else:
        assert isinstance(verdict, Verified), verdict
        assert verdict.state.position == length or length == 1


def careful_runner(past: History) -> Any:
    """A machine that has no contract for a falsified source."""

    def run(request: RunContract) -> ContractRun:
        if request.source not in past.contracts or request.runtime_id != "toy-1":
            return ContractRun((), "not known here")
        return run_toy(past, request)

    return run


@settings(max_examples=150)
@given(steps, st.data())
def test_no_changed_byte_goes_unseen(
    moves: list[tuple[bytes, Any, Any]], data: st.DataObject
) -> None:
    past = honest([(ALICE, {"op": "increment"}, None), *moves])
    blocks = bee_blocks(past.writes)
    # Another genesis is another database; it is no fraud.
    seq = data.draw(st.integers(genesis_of(past) + 1, len(blocks) - 1))
    before = blocks[seq]
    position = data.draw(st.integers(0, len(before) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != before[position]))
    blocks[seq] = before[:position] + bytes([byte]) + before[position + 1 :]
    verdict, _ = drive(past, runner=careful_runner(past), blocks=blocks)
    if isinstance(verdict, Verified):
        assert free_to_choose(before, blocks[seq], seq), format_key(past.writes[seq - 1][0])
    check_proof(verdict, past)


def free_to_choose(before: bytes, after: bytes, seq: int) -> bool:
    """Whether an ack differs only in what its executor decides: metadata, and when."""
    a, b = decode_block_untrusted(before, seq), decode_block_untrusted(after, seq)
    if a.key != b.key or a.index != b.index:
        return False
    with suppress(RecordError):
        old, new = decode_ack_untrusted(a.value or b""), decode_ack_untrusted(b.value or b"")
        same = ("origin", "seq", "success", "error", "num_changes", "op_hash", "oplog_head",
                "runtime_id")  # fmt: skip
        # The runtime of a source that no operation ran under is not known to be wrong.
        return all(
            getattr(old, name) == getattr(new, name) or name == "runtime_id" for name in same
        )
    return False


@settings(max_examples=150)
@given(steps, st.data())
def test_no_moved_entry_goes_unseen(
    moves: list[tuple[bytes, Any, Any]], data: st.DataObject
) -> None:
    past = honest(moves)
    entries = list(past.writes)
    seq = st.integers(0, len(entries) - 1)
    kind = data.draw(st.sampled_from(["drop", "repeat", "swap", "insert", "delete"]))
    at, other = data.draw(seq), data.draw(seq)
    if kind == "drop":
        del past.writes[at]
    elif kind == "repeat":
        past.writes.insert(other, entries[at])
    elif kind == "swap":
        past.writes[at], past.writes[other] = entries[other], entries[at]
    elif kind == "insert":
        past.writes.insert(at, (data.draw(st.binary(min_size=1, max_size=3)), pack(None)))
    else:
        past.writes[at] = (entries[at][0], None)
    if past.writes == entries:
        return
    verdict, _ = drive(past, runner=careful_runner(past))
    check_proof(verdict, past)
    if isinstance(verdict, Verified):
        honest_again = as_acknowledged(past)
        end, honest_end = genesis_of(past), genesis_of(honest_again)
        # The participants of the genesis have no order.
        assert set(past.writes[:end]) == set(honest_again.writes[:honest_end])
        assert past.writes[end:] == honest_again.writes[honest_end:], show(past)


def as_acknowledged(past: History) -> History:
    """What an honest executor publishes that executes in the order of these acks, at these times.

    An executor may choose both, and when to stop.
    """
    inputs = past.writes[1 : genesis_of(past) - 1]
    people = [decode_input_untrusted(key, value or b"").public_key for key, value in inputs]
    again = History.create(toy, people)
    again.contracts, again.oplogs = past.contracts, past.oplogs
    for key, value in past.writes:
        if is_ack_key(key) and key != GENESIS_ACK:
            ack = decode_ack_untrusted(value or b"")
            again.execute(ack.origin, metadata=ack.metadata, ts=ack.ts)
    return again


def genesis_of(past: History) -> int:
    """How many entries the genesis has."""
    return 1 + [key for key, _ in past.writes].index(GENESIS_ACK)


def check_proof(verdict: object, past: History) -> None:
    if isinstance(verdict, Violated):
        proof = ContractFraudProof(bytes(32), past.length, "toy-1", verdict.violation)
        assert ContractFraudProof.from_json_untrusted(proof.to_json()) == proof
