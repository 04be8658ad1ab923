"""Databases that the original wrote, replayed; and falsified, and found."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from protocol.encoding.msgpack import UNDEFINED, Date, pack
from protocol.hyperbee import writer as bee
from protocol.hyperbee.blocks import decode_block_untrusted, encode_block
from protocol.hyperbee.reading import run
from protocol.hyperbee.writer import BeeWriter
from protocol.transparency.changes import Change, Delete, Put
from protocol.transparency.frauds import (
    CannotTell,
    UncertaintyCode,
    Verdict,
    Verified,
    Violated,
    ViolationCode,
)
from protocol.transparency.replay.index_pages import IndexPages
from protocol.transparency.replay.replay import replay
from protocol.transparency.replay.requests import (
    ContractRun,
    HasKeys,
    OperationFacts,
    ReadIndex,
    ReadOperations,
    RunContract,
    Validated,
)
from tests.replay_world import Result

VECTORS = json.loads(
    (Path(__file__).parents[2] / "specs" / "vectors" / "original.json").read_text()
)
Apply = Callable[[dict[str, Any], dict[bytes, int]], list[Change]]


class Original:
    """One database of the vectors, in memory."""

    def __init__(self, name: str) -> None:
        self.blocks = [bytes.fromhex(block["hex"]) for block in VECTORS[name]["index"]]
        self.oplog = [bytes.fromhex(block["hex"]) for block in VECTORS[name]["oplog"]]
        self.source = VECTORS[name]["contractSource"]

    def edit(self, seq: int, **changed: Any) -> None:
        """Change fields of an ack, or the value of an entry (``value``)."""
        block = decode_block_untrusted(self.blocks[seq], seq)
        if "value" in changed:
            value = changed["value"]
        else:
            node = VECTORS_BY_BLOCK[self.blocks[seq]]["value_decoded"]
            fields = {
                key: UNDEFINED if isinstance(item, dict) else item for key, item in node.items()
            }
            value = pack({**fields, **changed})
        self.blocks[seq] = encode_block(block.key, value, block.index)

    def replay(self, apply: Callable[[RunContract], ContractRun]) -> Verdict:
        pages = IndexPages()
        steps = replay(len(self.blocks))
        answer: Any = None
        try:
            while True:
                request = steps.send(answer)
                if isinstance(request, ReadIndex):
                    answer = self.blocks[request.start : request.stop]
                elif isinstance(request, ReadOperations):
                    answer = [OperationFacts(self.oplog[name.seq], None) for name in request.names]
                elif isinstance(request, HasKeys):
                    answer = run(pages.has_keys(request), self.fetch)
                elif isinstance(request, RunContract):
                    assert request.source == self.source
                    assert request.runtime_id is None
                    answer = apply(request)
                else:
                    assert isinstance(request, Validated), request
                    answer = None
        except StopIteration as stop:
            verdict: Verdict = stop.value
            return verdict

    def fetch(self, seq: int) -> Any:
        return decode_block_untrusted(self.blocks[seq], seq)


VECTORS_BY_BLOCK = {
    bytes.fromhex(block["hex"]): block["node"]
    for name in ("counter", "values")
    for block in VECTORS[name]["index"]
    if "node" in block
}


def count(request: RunContract) -> ContractRun:
    """The counter contract: each operation sets /counter to one more."""
    results = []
    for operation in request.operations:
        assert operation.op == {"op": "INCREMENT"}
        # There is one operation for each two blocks from block 4 on.
        results.append(Result(True, None, [Put("/counter", (operation.version - 4) // 2 + 1)]))
    return ContractRun(results)


ORDERED = ["/b", "/B", "/a", "/A", "/_", "/-", "/10", "/9", "/a/b", "/a-b", "/ab", "/é", "/z", "/~",
           "/.x", "/e", "/f", "/Z", "/a b", "/a.b", "/ä", "/ß", "/ss"]  # fmt: skip

VALUES: dict[str, list[Change]] = {
    "NOP": [],
    "ORDER": [Put(path, path) for path in ORDERED],
    "NUMKEYS": [Put("/2", 2), Put("/10", 10), Put("/1", 1)],
    "VALS": [
        Put("/v/undef", UNDEFINED),
        Put("/v/null", None),
        Put("/v/date", Date(1655000000000)),
        Put("/v/u8", b"\x01\x02\x03"),
        Put("/v/ab", b"\x01\x02\x03"),
        Put("/v/map", {"a": 1}),
        Put("/v/set", [1]),
        Put("/v/big", 123),
        Put("/v/float", 1.5),
        Put("/v/neg", -1),
        Put("/v/big32", 4294967296),
        Put("/v/str", "é"),
        Put("/v/obj", {"z": 1, "a": {"u": UNDEFINED}}),
        Put("/v/nan", math.nan),
        Put("/v/regex", ["a", "g"]),
    ],
    "DEL": [Delete("/a"), Delete("/does-not-exist")],
    "SAMEPUT": [Put("/b", "same"), Put("/b", "same2")],
}


def values(request: RunContract) -> ContractRun:
    """The contract of odd values."""
    results = []
    for operation in request.operations:
        assert isinstance(operation.op, dict)
        name = operation.op["op"]
        assert isinstance(name, str)
        if name == "FAIL":
            # Another engine may word it otherwise; only the fact counts in the original's acks.
            results.append(Result(False, "Error: something else", ()))
        else:
            results.append(Result(True, None, VALUES[name]))
    return ContractRun(results)


def test_the_counter_is_verified() -> None:
    verdict = Original("counter").replay(count)
    assert isinstance(verdict, Verified), verdict
    assert verdict.state.legacy
    assert verdict.state.operations == 3
    assert verdict.state.position == 10


def test_the_odd_values_are_verified() -> None:
    """The original's own verify accuses the honest executor of this database."""
    assert VECTORS["values"]["notes"]["verify"].startswith("ERR The executor has violated")
    original = Original("values")
    verdict = original.replay(values)
    assert isinstance(verdict, Verified), verdict
    assert verdict.state.operations == 9


CHEATS: dict[str, tuple[Callable[[Original], object], ViolationCode, int]] = {
    "another value": (
        lambda db: db.edit(5, value=b"\x05"),
        ViolationCode.CHANGE_MISMATCH,
        5,
    ),
    "the tail dropped, and counted so": (
        lambda db: (db.blocks.pop(), db.edit(8, numChanges=0)),
        ViolationCode.NUM_CHANGES_MISMATCH,
        8,
    ),
    "a change left out": (
        lambda db: db.blocks.pop(5),
        ViolationCode.CHANGE_NOT_PRODUCED_BY_EXECUTOR,
        5,
    ),
    "operations swapped": (
        lambda db: db.blocks.insert(4, db.blocks.pop(6)),
        ViolationCode.PROCESSED_OUT_OF_ORDER,
        4,
    ),
    "an operation left out": (
        lambda db: db.blocks.__delitem__(slice(4, 6)),
        ViolationCode.PROCESSED_OUT_OF_ORDER,
        4,
    ),
    "a good operation reported as failed": (
        lambda db: db.edit(6, success=False, error="Error: no", numChanges=0),
        ViolationCode.OUTCOME_MISMATCH,
        6,
    ),
    "an extra write": (
        lambda db: db.blocks.insert(6, encode_block(b"other", b"\x01", b"")),
        ViolationCode.UNEXPECTED_PATH,
        6,
    ),
    "a wrong count": (
        lambda db: db.edit(6, numChanges=2),
        ViolationCode.NUM_CHANGES_MISMATCH,
        6,
    ),
    "no participant": (
        lambda db: db.blocks.pop(2),
        ViolationCode.NO_GENESIS_INPUTS_DECLARED,
        2,
    ),
    "an ack that breaks its schema": (
        lambda db: db.edit(6, ts="now"),
        ViolationCode.INVALID_SCHEMA,
        6,
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_cheats_on_the_counter_are_found(name: str) -> None:
    cheat, code, seq = CHEATS[name]
    original = Original("counter")
    cheat(original)
    verdict = original.replay(count)
    assert isinstance(verdict, Violated), verdict
    assert (verdict.violation.code, verdict.violation.seq) == (code, seq), verdict.violation


def test_the_tail_dropped_is_not_verified() -> None:
    """The original ends quietly here."""
    original = Original("counter")
    original.blocks.pop()
    verdict = original.replay(count)
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.UNFINISHED_TRANSACTION
    assert verdict.state.operations == 2


def test_the_order_of_changes_does_not_count_in_the_original() -> None:
    original = Original("values")
    # Behind the operation with the moved change, readers would find their way no longer.
    del original.blocks[32:]
    original.blocks.insert(20, original.blocks.pop(10))
    assert isinstance(original.replay(values), Verified)


def test_an_operation_nobody_can_read_accuses_no_one() -> None:
    original = Original("values")
    original.oplog[2] = b"\xc1"
    verdict = original.replay(values)
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.CONTRACT_NOT_RUN
    assert verdict.state.operations == 2


def test_a_path_the_codec_refuses_accuses_no_one() -> None:
    def slashes(request: RunContract) -> ContractRun:
        return ContractRun([Result(True, None, [Put("//counter", 1)]) for _ in request.operations])

    verdict = Original("counter").replay(slashes)
    assert isinstance(verdict, CannotTell)
    assert verdict.code is UncertaintyCode.CONTRACT_NOT_RUN


@pytest.mark.parametrize("name", ["counter", "values"])
def test_tree_pages_of_the_original(name: str) -> None:
    """hyperbee 1.7 wrote the same pages, though nothing of the original relies on it."""
    original = Original(name)
    starts = batch_starts(original)
    writer = BeeWriter(1)
    for start, stop in pairwise([*starts, len(original.blocks)]):
        operations: list[bee.Put | bee.Delete] = []
        for seq in range(start, stop):
            block = original.fetch(seq)
            # The original puts null and undefined as no value; one deletion has an effect.
            deletes = block.value is None and block.key == b"a"
            operations.append(bee.Delete(block.key) if deletes else bee.Put(block.key, block.value))
        assert run(writer.batch(operations), original.fetch) == original.blocks[start:stop]
        writer.appended()


def batch_starts(original: Original) -> list[int]:
    starts = [1]
    for seq in range(4, len(original.blocks)):
        if original.fetch(seq).key.startswith(b".sys\x00acks\x00"):
            starts.append(seq)
    return starts
