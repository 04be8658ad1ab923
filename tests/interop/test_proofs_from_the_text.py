"""Proof files are checked by a program that was written from the specification alone.

``peers/check_proof.mjs`` knows chapters 1, 4, 10.7 and 10b, and none of our code. It has to agree
with us on every vector, and on every proof with one thing altered.
"""

from __future__ import annotations

import copy
import json
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from protocol.errors import ProofError, RecordError
from protocol.transparency.proofs.consistency import ConsistencyProof, prove_consistency
from protocol.transparency.proofs.inclusion import InclusionProof, prove_inclusion
from protocol.transparency.proofs.log_frauds import read_log_fraud_proof_untrusted
from tests.signed_logs import KINDS, blocks
from tests.vectors.test_log_fraud_vectors import VECTORS

from .js_peer import PEERS

LENGTH = 11
ALTERED = 600


def told_by_the_text(proofs: Sequence[dict[str, Any]]) -> list[str | None]:
    """For each proof None if it holds, else why not."""
    done = subprocess.run(
        ["node", str(PEERS / "check_proof.mjs")],
        input=json.dumps(proofs), check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    told: list[str | None] = json.loads(done.stdout)
    assert len(told) == len(proofs)
    return told


def holds(proof: dict[str, Any]) -> bool:
    """The same of our own program."""
    text = json.dumps(proof)
    try:
        if "vitraInclusionProof" in proof:
            InclusionProof.from_json_untrusted(text).check_untrusted()
        elif "vitraConsistencyProof" in proof:
            ConsistencyProof.from_json_untrusted(text).check_untrusted()
        else:
            read_log_fraud_proof_untrusted(text).check_untrusted()
    except (ProofError, RecordError):
        return False
    return True


def genuine() -> Iterator[dict[str, Any]]:
    """Proofs of every kind, of every kind of log that can have one."""
    for case in VECTORS["accepted"]:
        yield case["proof"]
    for kind in KINDS.values():
        core = kind.core(blocks(LENGTH, LENGTH, b"x"))
        for index in range(0, LENGTH, 3):
            yield json.loads(prove_inclusion(core, index).to_json())
        for length in range(1, LENGTH, 3):
            signed = kind.head(core, length).signature
            for signature in (None, signed):
                yield json.loads(prove_consistency(core, length, signature).to_json())


def altered(proof: dict[str, Any], rolls: Random) -> dict[str, Any]:
    """The proof with one value in it that is another."""
    proof = copy.deepcopy(proof)
    holder, name = rolls.choice(list(leaves(proof)))
    value = holder[name]
    if isinstance(value, int):
        holder[name] = max(0, value + rolls.choice((-2, -1, 1, 2, 1000)))
    elif value is None:
        holder[name] = b64encode(rolls.randbytes(68)).decode()
    elif name == "logKey":
        holder[name] = rolls.randbytes(32).hex()
    else:
        data = bytearray(b64decode(value)) or bytearray(1)
        data[rolls.randrange(len(data))] ^= 1 << rolls.randrange(8)
        holder[name] = b64encode(data).decode()
    return proof


def leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where a document holds a number, a text, or nothing."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, dict | list):
            yield from leaves(item)
        else:
            yield value, name


def test_the_text_accepts_every_genuine_proof() -> None:
    proofs = list(genuine())
    assert all(holds(proof) for proof in proofs)
    assert told_by_the_text(proofs) == [None] * len(proofs)


def test_the_text_rejects_every_forgery_of_the_vectors() -> None:
    told = told_by_the_text([case["proof"] for case in VECTORS["rejected"]])
    assert None not in told, VECTORS["rejected"][told.index(None)]["title"]


def test_both_agree_on_whatever_is_altered() -> None:
    rolls = Random(1)
    originals = list(genuine())
    proofs = [altered(rolls.choice(originals), rolls) for _ in range(ALTERED)]
    told = told_by_the_text(proofs)
    for proof, reason in zip(proofs, told, strict=True):
        assert holds(proof) is (reason is None), (reason, proof)
    # What is not covered by any signature, such as a byte that nobody reads, may still hold.
    assert sum(reason is None for reason in told) < ALTERED / 10
