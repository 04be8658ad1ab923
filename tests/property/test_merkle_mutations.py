"""No mutated proof gets past the verifier with something false in it."""

from __future__ import annotations

import pytest

from .merkle_mutations import MUTATIONS, run


@pytest.mark.parametrize("seed", range(3))
def test_no_mutated_proof_passes_off_a_lie(seed: int) -> None:
    result = run(seed, 4000)
    assert result["accepted"] == 0, result
    for mutation in MUTATIONS:
        assert result[f"rejected {mutation.__name__}"], f"{mutation.__name__} never bites"
