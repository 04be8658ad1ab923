"""Answers about the tree of the index, when the tree is missing, broken, or asked out of order."""

from __future__ import annotations

from functools import partial

import pytest

from protocol.errors import RecordError
from protocol.hyperbee.blocks import BeeBlock, encode_block
from protocol.hyperbee.reading import run
from protocol.limits import MAX_BLOCK_BYTES
from protocol.transparency.frauds import CannotTell, UncertaintyCode, Violated, ViolationCode
from protocol.transparency.replay.index_pages import IndexPages
from protocol.transparency.replay.requests import BuildPages, HasKeys
from protocol.transparency.replay.state_at import state_at
from tests.replay_world import History, bee_blocks, drive, fetch_block
from tests.toy_contract import ALICE, BOB, toy


def history() -> tuple[History, list[bytes]]:
    past = History.create(toy, [ALICE, BOB])
    past.do(ALICE, {"op": "put", "entries": {f"/{number}": 0 for number in range(40)}})
    past.do(ALICE, {"op": "delete", "paths": ["/3", "/4", "/none"]})
    past.do(ALICE, {"op": "increment"})
    return past, bee_blocks(past.writes)


def test_keys_of_any_version() -> None:
    past, blocks = history()
    fetch = partial(fetch_block, blocks)
    pages = IndexPages()
    length = past.length
    for version, there in ((5, False), (46, True), (length, False)):
        assert run(pages.has_keys(HasKeys(version, (b"3", b"none"))), fetch) == [there, False]


def test_pages_of_any_version() -> None:
    past, blocks = history()
    fetch = partial(fetch_block, blocks)
    for start, stop in ((46, 49), (5, 46), (46, 49), (49, 51)):
        request = BuildPages(start, tuple(past.writes[start - 1 : stop - 1]))
        assert run(IndexPages().build(request), fetch) == blocks[start:stop]


def test_a_broken_tree_gives_no_answer() -> None:
    past, blocks = history()

    def garbage(seq: int) -> BeeBlock:
        return BeeBlock(seq, b"", b"", b"\xff")

    pages = IndexPages()
    assert run(pages.has_keys(HasKeys(46, (b"3",))), garbage) is None
    assert run(pages.build(BuildPages(46, ((b"3", b""),))), garbage) is None
    # The next answer does not suffer from it.
    request = BuildPages(49, tuple(past.writes[48:50]))
    assert run(pages.build(request), partial(fetch_block, blocks)) == blocks[49:51]


def test_an_entry_that_no_hyperbee_holds_has_no_pages() -> None:
    request = BuildPages(1, ((b"key", bytes(MAX_BLOCK_BYTES)),))
    assert run(IndexPages().build(request), partial(fetch_block, [])) == []


def test_pages_that_lead_to_an_old_value() -> None:
    past, blocks = history()
    old = fetch_block(blocks, 48)
    last = fetch_block(blocks, 50)
    # The newest root is the one before: readers by key do not find /counter.
    blocks[50] = encode_block(last.key, last.value, old.index)
    verdict, _ = drive(past, blocks=blocks)
    assert isinstance(verdict, Violated)
    assert verdict.violation.code is ViolationCode.INDEX_PAGES_MISMATCH
    assert verdict.violation.seq == 50


def test_a_replay_from_the_middle_of_a_broken_tree_accuses_no_one() -> None:
    past, blocks = history()
    state = drive(past, max_operations=1, blocks=blocks)[0].state
    broken = fetch_block(blocks, state.position - 1)
    blocks[state.position - 1] = encode_block(broken.key, broken.value, b"\x0a\x02\x0a\x00")
    damaged, _ = drive(past, state, blocks=[*blocks[:-4], *blocks[-4:]])
    assert isinstance(damaged, CannotTell | Violated)
    blocks[state.position - 1] = encode_block(broken.key, broken.value, b"\xff")
    verdict, _ = drive(past, state, blocks=blocks)
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.CANNOT_FETCH_INDEX


def test_there_is_no_state_before_the_genesis_is_complete() -> None:
    past, blocks = history()
    for version in (1, 2, 4):
        with pytest.raises(RecordError):
            run(state_at(version), partial(fetch_block, bee_blocks(past.writes[: version - 1])))
    assert len(blocks) == past.length
