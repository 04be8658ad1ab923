"""``vitra sim`` answers mistakes in one sentence, and failures with the way to see them again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulations.scenario import Scenario
from simulations.scenarios import SCENARIOS
from simulations.simulation import Simulation
from vitra_node.cli.main import run


def test_the_list_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "sim", "ls"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["scenario"] for line in lines] == sorted(SCENARIOS)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["dht-lokup"], 3, "Choose one of these: cheats, database"),
        (["nat-matrix", "--nodes", "2"], 2, "needs at least 4 nodes"),
        (["nat-matrix", "--seed", "-1"], 2, "--seed"),
        (["nat-matrix", "--trace", "/nowhere/at/all"], 2, "/nowhere/at/all cannot be written"),
    ],
)
def test_a_mistake_is_told(
    arguments: list[str],
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    assert run(["sim", "run", *arguments, "--out", str(tmp_path)]) == code
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_fails_tells_how_to_play_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def story(simulation: Simulation) -> None:
        simulation.check(False, "one is two")

    monkeypatch.setitem(SCENARIOS, "bold", Scenario("bold", "Claims too much.", story, nodes=3))
    arguments = ["sim", "run", "bold", "--seed", "9", "--out", str(tmp_path)]
    assert run([*arguments, "--trace", str(tmp_path / "events")]) == 1
    out = capsys.readouterr().out
    assert "does not hold: one is two" in out
    assert "replay with: vitra sim run bold --seed 9 --nodes 3" in out
    assert '"claim": "one is two"' in (tmp_path / "events").read_text()
