"""The benchmarks run and say what they measured; how fast it was is nobody's business here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_quick_run_prints_a_table_and_writes_json(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--only", "append"]
    done = subprocess.run(
        [*command, "--json", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())
    assert [row["name"] for row in figures["rows"]] == [
        "append-single",
        "append-batch",
        "get-random",
    ]
    for row in figures["rows"]:
        assert row["what"] in done.stdout
        for side in ("ours", "theirs"):
            assert len(row[side]["samples"]) == figures["rounds"] == 1
            assert row[side]["low"] <= row[side]["median"] <= row[side]["high"]
        assert row["ratio"] > 0
        assert row["met"] == (row["ratio"] >= row["bar"])
