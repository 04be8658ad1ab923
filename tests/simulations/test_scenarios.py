"""Every scenario at a small size, and that a seed decides everything.

``VITRA_TEST_SIM_NODES=1000 VITRA_TEST_SIM_SEEDS=1 pytest tests/simulations`` plays ``dht-lookup``
at full size; more seeds play all of them more often.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from simulations.regressions import REGRESSIONS
from simulations.scenario import Scenario, play
from simulations.scenarios import SCENARIOS
from simulations.simulation import Simulation

SEEDS = int(os.environ.get("VITRA_TEST_SIM_SEEDS", "1"))
LOOKUP_NODES = int(os.environ.get("VITRA_TEST_SIM_NODES", "32"))
SIZES = {
    "cheats": 4,
    "database": 5,
    "dht-lookup": LOOKUP_NODES,
    "hostile-dht": 14,
    "hostile-peers": 8,
    "nat-matrix": 8,
    "replicate-under-loss": 3,
    "swarm-churn": 5,
}


def test_every_scenario_has_its_size_here() -> None:
    assert set(SIZES) == set(SCENARIOS)


@pytest.mark.parametrize("name", sorted(SIZES))
def test_the_scenario_holds(name: str) -> None:
    for seed in range(1, SEEDS + 1):
        report = play(SCENARIOS[name], seed, SIZES[name])
        assert report.passed, f"{report.failures}; replay with: {report.replay}\n{report.trouble}"
        assert report.rows


@pytest.mark.parametrize(
    ("name", "nodes"),
    [("cheats", 4), ("database", 3), ("dht-lookup", 8), ("replicate-under-loss", 2)],
)
def test_a_seed_decides_everything(name: str, nodes: int, tmp_path: Path) -> None:
    """Processes in which sets of strings and bytes lie in other orders."""

    def digest(hash_seed: str) -> str:
        command = [sys.executable, "-m", "vitra_node.cli", "--json", "sim", "run", name]
        done = subprocess.run(
            [*command, "--seed", "5", "--nodes", str(nodes), "--out", str(tmp_path)],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        result = json.loads(done.stdout)
        assert all(Path(file).stat().st_size for file in result["files"])
        pictures = {".svg"} if SCENARIOS[name].plot else set()
        assert {Path(file).suffix for file in result["files"]} == {".csv", *pictures}
        return str(result["digest"])

    assert digest("0") == digest("4711")


@pytest.mark.parametrize(("name", "seed", "nodes"), REGRESSIONS)
def test_what_once_failed_holds(name: str, seed: int, nodes: int) -> None:
    report = play(SCENARIOS[name], seed, nodes)
    assert report.passed, f"{report.failures}; replay with: {report.replay}\n{report.trouble}"


async def _claims_too_much(simulation: Simulation) -> None:
    simulation.check(True, "one is one")
    simulation.check(False, "one is two")


async def _breaks(_simulation: Simulation) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("story", "claim"),
    [(_claims_too_much, "one is two"), (_breaks, "it is ended by ExceptionGroup")],
)
def test_what_does_not_hold_is_told_with_the_way_to_see_it_again(
    story: Callable[[Simulation], Awaitable[None]], claim: str
) -> None:
    report = play(Scenario("bold", "Claims too much.", story, nodes=3), 17)
    assert report.failures == [claim]
    assert report.replay == "vitra sim run bold --seed 17 --nodes 3"
