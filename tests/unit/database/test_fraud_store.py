"""A violation is kept once, however often it is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract_sources import COUNTER
from vitra_node.database import Database
from vitra_node.frauds import ContractFraudProof


@pytest.mark.parametrize("on_disk", [False, True])
async def test_one_violation_is_one_file_while_the_index_grows(
    tmp_path: Path, on_disk: bool
) -> None:
    directory = tmp_path / "db" if on_disk else None
    async with Database.create(directory, contract=COUNTER) as database:
        await database.index.dangerous_batch([{"type": "put", "path": "/counter", "value": 1}])
        seen = []
        for _ in range(3):
            with pytest.raises(ContractFraudProof) as caught:
                await database.verify()
            seen.append(caught.value)
            tx = await database.call("increment")
            await tx.when_processed()
        assert len({proof.proof.length for proof in seen}) == 3
        assert len({proof.id for proof in seen}) == 1
        (kept,) = database.frauds()
        assert isinstance(kept, ContractFraudProof)
        assert kept.proof == seen[-1].proof
        assert kept.proof.evidence is not None
    if directory is not None:
        assert len(list((directory / "fraud").iterdir())) == 1
