"""The same operations give the same index everywhere, and an honest executor is never accused.

Each contract executes random operations three times, in processes of their own, on disk: in groups
of 100, 7 and 1, restarted at random points, with other features of the processor, another language
and another time zone. The roots are the same, and the real auditor verifies every operation each
time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.random_operations import EXAMPLES

# Of each contract, each of three times. The full size is 10000 for the examples: 50,000 operations.
OPERATIONS = int(os.environ.get("VITRA_TEST_CONTRACT_OPERATIONS", "300"))
SEED = int(os.environ.get("VITRA_TEST_CONTRACT_SEED", "1"))
ROOT = Path(__file__).parents[2]
# The engine's maths would differ without these, see the reasons for Math in specs/08-contracts.md.
ELSEWHERE = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4_Usable",
    "TZ": "Pacific/Chatham",
    "LC_ALL": "C.UTF-8",
    "LANG": "tr_TR.UTF-8",
}
OVERSEAS = {"TZ": "America/St_Johns", "LC_ALL": "C", "LANG": "de_DE.UTF-8"}


def execute(
    name: str, seed: int, group: int, restarts: int, directory: Path, **environment: str
) -> subprocess.Popen[str]:
    arguments = [name, seed, OPERATIONS, group, restarts, directory]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contracts.executing", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("name", [*EXAMPLES, "random"])
def test_same_roots_and_no_accusation(name: str, tmp_path: Path) -> None:
    runs = [
        execute(name, SEED, 100, 0, tmp_path / "100"),
        execute(name, SEED, 7, 3, tmp_path / "7", **ELSEWHERE),
        execute(name, SEED, 1, 3, tmp_path / "1", **OVERSEAS),
    ]
    try:
        told = [run.communicate()[0] for run in runs]
    finally:
        for run in runs:
            run.kill()
    results = [json.loads(text) for text in told]
    print(f"\n{name}: {results}")
    for result in results:
        assert audited(result) == ("verified", OPERATIONS, None)
    for field in ("root", "blocks", "length"):
        assert len({result[field] for result in results}) == 1, field


def audited(result: dict[str, Any]) -> tuple[Any, Any, Any]:
    return result["verdict"], result["operations"], result["reason"]
