"""What the explorer draws and puts side by side, without a browser."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from protocol.crypto.hashes import tree_hash
from protocol.encoding.msgpack import pack
from protocol.transparency.proofs.inclusion import prove_inclusion
from tests.merkle_core import written_core
from vitra_node.explorer import shown
from vitra_node.explorer.merkle_picture import NODE_HEIGHT, NODE_WIDTH, picture_of
from vitra_node.explorer.source_diff import MAX_COMPARED_LINES, diff_of
from vitra_node.explorer.statements import statements_of


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 13, 64])
def test_every_path_is_drawn_inside_the_picture(length: int) -> None:
    core = written_core(length)
    for seq in range(length):
        proof = prove_inclusion(core, seq)
        proven = proof.check_untrusted()
        picture = picture_of(proof, verified=True)
        assert picture.nodes[0].hash == tree_hash(proven.head.roots).hex()
        assert [node.label for node in picture.nodes if node.kind == "block"] == [f"block {seq}"]
        given = [node for node in picture.nodes if node.kind == "given"]
        assert len(given) == len(proof.block.nodes) + len(proof.upgrade.nodes)
        assert len(picture.lines) == len(picture.nodes) - 1
        places = {(node.x, node.y) for node in picture.nodes}
        assert len(places) == len(picture.nodes), "no box hides another"
        for x, y in places:
            assert 0 <= x <= picture.width - NODE_WIDTH
            assert 0 <= y <= picture.height - NODE_HEIGHT


def test_a_diff_numbers_both_sides() -> None:
    before = "\n".join(f"line {number}" for number in range(30))
    after = before.replace("line 3\n", "line three\n") + "\nline 30"
    lines = diff_of(before, after)
    assert lines is not None
    changed = [(line.kind, line.old, line.new, line.text) for line in lines if line.kind != "same"]
    assert changed == [
        ("removed", 4, None, "line 3"),
        ("added", None, 4, "line three"),
        ("gap", None, None, "…"),
        ("added", None, 31, "line 30"),
    ]
    assert diff_of(before, before) == []
    assert diff_of("x\n" * (MAX_COMPARED_LINES + 1), before) is None


def packed(value: Any) -> str:
    return base64.b64encode(pack(value)).decode()


def test_two_statements_of_a_proof() -> None:
    proof = {
        "operation": packed({"op": "PUT"}),
        "expected": {"path": "/a", "key": "", "value": packed(1)},
        "actual": {"path": "/a", "key": "", "value": packed({"b": 2})},
    }
    found = statements_of(proof)
    assert found is not None
    assert (found.first.value, found.second.value, found.operation) == (1, {"b": 2}, {"op": "PUT"})
    errors = {"expected": None, "actual": None, "expectedError": "never", "actualError": None}
    found = statements_of(errors)
    assert found is not None
    assert (found.first.value, found.second.missing) == ("never", True)
    deleted = statements_of({**proof, "actual": {"path": "/a", "key": "", "value": None}})
    assert deleted is not None
    assert deleted.second.about == "deletion of /a"


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"expected": 7, "actual": []},
        {"expected": {"path": 1, "value": "%%"}, "actual": None, "operation": 9},
        {"expected": {"value": base64.b64encode(b"\xc1").decode()}, "actual": None},
        {"first": 1, "second": 2},
    ],
)
def test_proofs_of_other_forms_are_survived(proof: dict[str, Any]) -> None:
    statements_of(proof)


def test_values_are_cut_and_cannot_steer() -> None:
    assert shown.pretty("x" * 50_000).endswith("(50,002 characters)")
    assert "\x1b" not in shown.plain("a\x1b[2J")
    assert "\u202e" not in shown.one_line({"\u202e": 1})
    assert shown.moment(0) == "1970-01-01 00:00:00 UTC"
    for odd in (None, True, "x", 1e300, -1e300, float("nan")):
        assert shown.moment(odd)
    assert shown.operation_name({"op": 7}) == '{"op": 7}'
    assert shown.short_key("a" * 64) == "aaaaaaaa…aaaa"


def test_the_two_heads_of_a_forked_log() -> None:
    heads = [
        {"fork": 0, "length": length, "signature": text} for length, text in ((1, "a"), (7, "b"))
    ]
    rewritten = statements_of({"logKey": "00", "statements": heads})
    assert rewritten is not None
    assert (rewritten.first.about, rewritten.second.about) == (
        "1 block, fork number 0",
        "7 blocks, fork number 0",
    )
    # Neither is the right one.
    assert rewritten.first.at_fault
    assert rewritten.second.at_fault
    cut = statements_of({"logKey": "00", "before": None, "truncated": {"fork": 1, "length": 3}})
    assert cut is not None
    assert (cut.first.missing, cut.second.about) == (True, "3 blocks, fork number 1")
