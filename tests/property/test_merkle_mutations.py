"""No mutated proof gets past the verifier with something false in it.

``VITRA_TEST_MERKLE_MUTATIONS=1000000`` tries more of them, ``VITRA_TEST_MERKLE_SEED`` others.
"""

from __future__ import annotations

import os

import pytest

from .merkle_mutations import MUTATIONS, run

COUNT = int(os.environ.get("VITRA_TEST_MERKLE_MUTATIONS", "50000"))
SEED = int(os.environ.get("VITRA_TEST_MERKLE_SEED", "0"))

# Each part begins with other logs.
PARTS = 5


@pytest.mark.parametrize("part", range(PARTS))
def test_no_mutated_proof_passes_off_a_lie(part: int) -> None:
    result = run(SEED * PARTS + part, COUNT // PARTS)
    assert result["accepted"] == 0, result
    for mutation in MUTATIONS:
        assert result[f"rejected {mutation.__name__}"], f"{mutation.__name__} never bites"
