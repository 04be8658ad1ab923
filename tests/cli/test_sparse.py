"""``vitra join --sparse`` in processes of their own."""

from __future__ import annotations

from pathlib import Path

from .processes import COUNTER, ok, serving, vitra


def test_a_sparse_copy_says_what_it_is_and_what_it_lacks(tmp_path: Path) -> None:
    executor, copy = tmp_path / "executor", tmp_path / "copy"
    contract = tmp_path / "counter.js"
    contract.write_text(COUNTER)
    key = ok(executor, "init", str(contract))["key"]
    with serving(executor, "--listen", "127.0.0.1:0") as line:
        ok(executor, "call", "increment", "--wait")
        joined = ok(copy, "join", key, "--peer", line["listen"], "--sparse")
        assert joined["sparse"] is True
        with serving(copy):
            assert ok(copy, "status")["sparse"] is True
            blocks = ok(copy, "doctor")["checks"][-1]
            assert (blocks["name"], blocks["state"]) == ("blocks", "ok")
            assert "sparse" in blocks["text"]
            refused = vitra(copy, "join", key, "--no-sparse")
            assert refused.code == 4
    known = ok(copy, "info")
    assert known["sparse"] is True
    assert 0 < known["index"]["stored"] < known["index"]["length"] == 6
    assert f"6 blocks, {known['index']['stored']} of them here" in vitra(copy, "info").out
    # Whoever has the others is away.
    missing = vitra(copy, "history")
    assert missing.code == 5
    assert "of the index" in missing.err
    assert "vitra peers" in missing.err
