"""Proof files are checked by a program that was written from the specification alone.

``peers/check_proof.mjs`` knows chapters 1, 1b, 4, 6, 10 and 10b, and none of our code. It has to
agree with us on every vector, and on every proof with one thing altered.
"""

from __future__ import annotations

import copy
import json
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from protocol.crypto.hashes import leaf_hash
from protocol.encoding.msgpack import pack
from protocol.errors import ProofError, RecordError
from protocol.hypercore.merkle.growth import head_at
from protocol.transparency.proofs.consistency import ConsistencyProof, prove_consistency
from protocol.transparency.proofs.extract import extract_blocks
from protocol.transparency.proofs.inclusion import InclusionProof, prove_inclusion
from protocol.transparency.proofs.log_frauds import read_log_fraud_proof_untrusted
from protocol.transparency.proofs.result_proof import ResultProof
from protocol.transparency.records import Ack, genesis_batch, op_batch
from tests.replay_world import bee_blocks
from tests.signed_logs import KINDS, Kind, blocks
from tests.vectors.test_log_fraud_vectors import VECTORS

from .js_peer import PEERS

LENGTH = 11
OPERATIONS = 4
ALTERED = 800


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
        elif "vitraResultProof" in proof:
            ResultProof.from_json_untrusted(text).check_untrusted()
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
        yield from results(kind)


def results(kind: Kind) -> Iterator[dict[str, Any]]:
    """Results of operations that made 0, 1, 2, … changes, with and without the operation."""
    oplog = KINDS["version 1"].core([pack({"op": number}) for number in range(OPERATIONS)])
    writes = genesis_batch("", [oplog.key], "runtime")
    starts = []
    for seq in range(OPERATIONS):
        changes = [(b"entries\x00%d" % number, pack([seq])) for number in range(seq)]
        ack = Ack(
            origin=oplog.key,
            seq=seq,
            ts=1_700_000_000_000 + seq,
            success=seq > 0,
            error=None if seq else "Error: no",
            metadata={"of": [seq, -1.5, None]},
            num_changes=seq,
            op_hash=leaf_hash(oplog.blocks[seq]),
            oplog_head=head_at(oplog, seq + 1, 0).hash(),
        )
        starts.append(len(writes) + 1)
        writes += op_batch(ack, changes)
    index = kind.core(bee_blocks(writes))
    for seq, start in enumerate(starts):
        blocks = extract_blocks(index, range(start, start + 1 + seq))
        for operation in (None, extract_blocks(oplog, [seq])):
            proof = ResultProof(index.key, oplog.key, seq, blocks, operation)
            yield json.loads(proof.to_json())


def altered(proof: dict[str, Any], rolls: Random) -> dict[str, Any]:
    """The proof with one value in it that is another, or one item of a list moved or gone."""
    proof = copy.deepcopy(proof)
    if rolls.random() < 0.3:
        items = rolls.choice(list(lists(proof)))
        at = rolls.randrange(len(items))
        moved = items.pop(at)
        if rolls.random() < 0.7:
            items.insert(rolls.randrange(len(items) + 1), moved)
        return proof
    holder, name = rolls.choice(list(leaves(proof)))
    value = holder[name]
    if isinstance(value, int):
        holder[name] = max(0, value + rolls.choice((-2, -1, 1, 2, 1000)))
    elif value is None:
        holder[name] = b64encode(rolls.randbytes(68)).decode()
    elif name in ("logKey", "databaseKey", "origin"):
        holder[name] = rolls.randbytes(32).hex()
    else:
        data = bytearray(b64decode(value)) or bytearray(1)
        data[rolls.randrange(len(data))] ^= 1 << rolls.randrange(8)
        holder[name] = b64encode(data).decode()
    return proof


def lists(value: Any) -> Iterator[list[Any]]:
    """The lists of a document that hold something."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, list) and item:
            yield item
        if isinstance(item, dict | list):
            yield from lists(item)


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
    # An item that was put back, a head without its optional signature: some still hold.
    assert sum(reason is None for reason in told) < ALTERED / 4
