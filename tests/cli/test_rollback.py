"""``vitra rollback``: what can be voted for, a vote, and what is said when it cannot be."""

from __future__ import annotations

from pathlib import Path

from tests.contract_sources import MEMBERS

from .processes import ok, vitra

BROKEN = "export const apply = {}"


def test_back_to_an_earlier_contract(tmp_path: Path) -> None:
    directory, contract = tmp_path / "executor", tmp_path / "members.js"
    contract.write_text(MEMBERS)
    ok(directory, "init", str(contract))
    assert vitra(directory, "rollback").out == f"1  {len(MEMBERS)} characters, in force\n"
    refused = vitra(directory, "rollback", "--to", "1")
    assert refused.code == 4
    assert "in force" in refused.err
    ok(directory, "call", "upgrade", "--arg", f"code={BROKEN}", "--wait")
    first, second = ok(directory, "rollback")
    assert (first["seq"], first["in_force"], first["votes"]) == (1, False, 0)
    assert (second["in_force"], second["active"]) == (True, 1)
    for words, code in (
        (("--to", "2"), 3),
        (("--to", "999"), 3),
        (("--to", "0"), 2),
        (("--to", "1", "--withdraw"), 2),
    ):
        outcome = vitra(directory, "rollback", *words)
        assert outcome.code == code, outcome.err
        assert "Nothing was" in outcome.err
    assert ok(directory, "source")["source"] == BROKEN
    # The only participant is more than half of all.
    answer = ok(directory, "rollback", "--to", "1", "--wait")
    assert answer["operations"][0]["value"] == {"op": "/.sys/rollback", "to": 1}
    assert answer["results"][0]["ack"]["success"] is True
    assert ok(directory, "source")["source"] == MEMBERS
    withdrawn = vitra(directory, "rollback", "--withdraw", "--wait")
    assert withdrawn.code == 0
    assert [row["in_force"] for row in ok(directory, "rollback")] == [False, False, True]
    assert ok(directory, "verify")["verdict"] == "verified"
