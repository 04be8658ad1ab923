"""``vitra proof check`` on files of every kind, and on what is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from protocol.transparency.proofs.consistency import prove_consistency
from protocol.transparency.proofs.inclusion import prove_inclusion
from vitra_node.storage.corestore import Corestore

from .conftest import Vitra


@pytest.fixture
def inclusion(tmp_path: Path) -> Path:
    """A proof that a log has its third block."""
    file = tmp_path / "inclusion.json"

    async def write() -> None:
        async with Corestore.open(None) as store:
            log = await store.get(name="log")
            await log.append([b"one", b"two", b"three", b"four", b"five"])
            file.write_text(prove_inclusion(log.storage, 2).to_json())

    trio.run(write)
    return file


def test_a_proof_of_inclusion(vitra: Vitra, inclusion: Path) -> None:
    outcome = vitra("proof", "check", str(inclusion), "--json")
    assert outcome.code == 0
    assert outcome.json["verdict"] == "verified"
    assert (outcome.json["kind"], outcome.json["seq"]) == ("BlockInclusionProof", 2)
    key = outcome.json["key"]
    assert vitra("proof", "check", str(inclusion), "--key", key).code == 0
    outcome = vitra("proof", "check", str(inclusion), "--key", "00" * 32)
    assert (outcome.code, outcome.out.startswith("rejected: ")) == (4, True)
    document = json.loads(inclusion.read_text())
    # Whatever writes JSON may sort it.
    inclusion.write_text(json.dumps(document, sort_keys=True))
    assert vitra("proof", "check", str(inclusion)).code == 0
    document["index"] = 3
    inclusion.write_text(json.dumps(document))
    assert vitra("proof", "check", str(inclusion)).code == 4


def test_a_proof_that_a_log_only_grew(vitra: Vitra, tmp_path: Path) -> None:
    file = tmp_path / "consistency.json"

    async def write() -> None:
        async with Corestore.open(None) as store:
            log = await store.get(name="log")
            await log.append([b"one", b"two", b"three", b"four", b"five"])
            file.write_text(prove_consistency(log.storage, 3).to_json())

    trio.run(write)
    outcome = vitra("proof", "check", str(file), "--json")
    assert (outcome.code, outcome.json["verdict"]) == (0, "verified")
    assert (outcome.json["from"], outcome.json["to"]) == (3, 5)
    assert len(outcome.json["roots"]) == 2
    assert vitra("proof", "check", str(file), "--key", outcome.json["key"]).code == 0
    assert vitra("proof", "check", str(file), "--key", "00" * 32).code == 4
    document = json.loads(file.read_text())
    document["earlier"]["length"] = 4
    file.write_text(json.dumps(document))
    outcome = vitra("proof", "check", str(file))
    assert (outcome.code, outcome.out.startswith("rejected: ConsistencyProof")) == (4, True)


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        (None, 3, "There is no file"),
        ("", 2, "is not JSON"),
        ("[" * 100_000, 2, "is not JSON"),
        ("[]", 2, "holds no proof"),
        ('{"vitraInclusionProof": 2}', 2, "is damaged"),
        ('{"vitraInclusionProof": 1}', 2, "is damaged"),
        ('{"vitraConsistencyProof": 1}', 2, "is damaged"),
        ('{"vitraContractFraudProof": 1}', 2, "is damaged"),
        ('{"vitraLogForkFraudProof": 1}', 2, "is damaged"),
    ],
)
def test_what_is_no_proof(
    vitra: Vitra, tmp_path: Path, content: str | None, code: int, text: str
) -> None:
    file = tmp_path / "proof.json"
    if content is not None:
        file.write_text(content)
    outcome = vitra("proof", "check", str(file))
    assert outcome.code == code
    assert text in outcome.err
    assert "Traceback" not in outcome.err
