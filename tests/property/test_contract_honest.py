"""An honest executor is never accused: random contracts, random operations, the real auditor.

Operations put, delete, fail, run out of fuel, change participants and source, cannot be read, name
odd paths and hold odd values; among them are votes for a rollback. Most of them succeed, since what
fails writes nothing that an auditor could be wrong about.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

# Each contract with so many operations, in two processes: 20,000.
CONTRACTS = int(os.environ.get("VITRA_TEST_HONEST_CONTRACTS", "10"))
OPERATIONS = int(os.environ.get("VITRA_TEST_HONEST_OPERATIONS", "2000"))
SEED = int(os.environ.get("VITRA_TEST_CONTRACT_SEED", "1"))
LEAST_SUCCEEDED = 0.6
ROOT = Path(__file__).parents[2]


def test_no_honest_executor_is_accused() -> None:
    seeds = [1000 * SEED + number for number in range(CONTRACTS)]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.contracts.honest", str(OPERATIONS), *map(str, part)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )
        for part in (seeds[::2], seeds[1::2])
    ]  # fmt: skip
    try:
        told = [run.communicate()[0] for run in runs]
    finally:
        for run in runs:
            run.kill()
    results = sorted(json.loads(line) for text in told for line in text.splitlines())
    count = CONTRACTS * OPERATIONS
    succeeded = count - sum(result[4] for result in results)
    print(f"\n{CONTRACTS} contracts, {count} operations, {succeeded} of them succeeded")
    assert [result[:4] for result in results] == [
        [seed, "verified", None, OPERATIONS] for seed in seeds
    ]
    assert succeeded >= LEAST_SUCCEEDED * count
