"""Our own vectors for other implementations: specs/vectors/log_frauds.json.

``python -m tests.vectors.test_log_fraud_vectors`` writes them anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import ProofError, RecordError
from protocol.hypercore.heads.contradiction import Rewrite, Statement, Truncation, statement_at
from protocol.hypercore.heads.heads_table import Heads
from protocol.hypercore.merkle.proof import Request, UpgradeRequest
from protocol.hypercore.merkle.prover import build_proof
from protocol.transparency.gossip import messages as messages
from protocol.transparency.proofs.log_frauds import log_fraud_proof, read_log_fraud_proof_untrusted
from tests.signed_logs import KINDS, Kind, blocks

PATH = Path(__file__).parents[2] / "specs" / "vectors" / "log_frauds.json"


def genuine(name: str, kind: Kind) -> Iterator[dict[str, Any]]:
    ours = kind.core(blocks(11, 6, b"ours"))
    for length in (7, 11, 13):
        theirs = kind.core(blocks(length, 6, b"theirs"))
        shorter, longer = sorted((ours, theirs), key=lambda core: core.head.length)
        found = Heads(longer).see_untrusted(shorter.head)
        assert found is not None
        proof = log_fraud_proof(kind.key, kind.manifest, found)
        title = f"{name}: rewritten, 11 and {length} blocks"
        yield {"title": title, "proof": json.loads(proof.to_json())}
    for before in (None, ours.head):
        truncation = Truncation(kind.head(ours, 6, fork=1), before)
        proof = log_fraud_proof(kind.key, kind.manifest, truncation)
        title = f"{name}: truncated, {'no ' if before is None else ''}head from before"
        yield {"title": title, "proof": json.loads(proof.to_json())}


def forged() -> Iterator[dict[str, Any]]:
    kind, other = KINDS["version 1"], KINDS["version 0"]
    honest = kind.core(blocks(11, 11, b"x"))
    short, long = kind.head(honest, 6), honest.head
    root = short.roots[0].index
    one, two = statement_at(short, root, honest.node), statement_at(long, root, honest.node)
    assert one is not None
    assert two is not None
    moved = list(two.path)
    if len(moved) > 1:
        moved[0] = moved[0]._replace(size=moved[0].size + 1)
        moved[1] = moved[1]._replace(size=moved[1].size - 1)
    lie = replace(long, fork=1)
    cases = {
        "one statement twice": Rewrite(Statement(long), Statement(long)),
        "two heads of one history": Rewrite(one, two),
        "sizes divided in another way": Rewrite(one, Statement(long, tuple(moved))),
        "no path": Rewrite(Statement(short), Statement(long)),
        "a fork number that nobody signed": Truncation(lie, None),
        "fork number 0": Truncation(long, None),
    }
    for title, contradiction in cases.items():
        proof = log_fraud_proof(kind.key, kind.manifest, contradiction)
        yield {"title": title, "proof": json.loads(proof.to_json())}
    found = Heads(honest).see_untrusted(kind.core(blocks(11, 3, b"y")).head)
    assert found is not None
    proof = log_fraud_proof(other.key, other.manifest, found)
    yield {"title": "another log", "proof": json.loads(proof.to_json())}


def gossip() -> Iterator[dict[str, Any]]:
    kind = KINDS["version 1"]
    core = kind.core(blocks(11, 11, b"x"))
    id_ = core.discovery_key
    data = build_proof(core, Request(0, 0, upgrade=UpgradeRequest(0, 6), manifest=True))
    for title, message in {
        "heads": messages.Heads((messages.GossipHead(id_, kind.manifest, core.head),)),
        "question": messages.Question(id_, 6),
        "tree": messages.Tree(id_, data),
        "tree that cannot be shown": messages.Tree(id_, None),
        "proof": messages.Proof(id_, "{}"),
    }.items():
        type_, payload = messages.encode_message(message)
        yield {"title": title, "kind": type_, "payload": payload.hex()}


def vectors() -> dict[str, Any]:
    return {
        "accepted": [case for name, kind in KINDS.items() for case in genuine(name, kind)],
        "rejected": list(forged()),
        "gossip": list(gossip()),
    }


VECTORS: dict[str, list[dict[str, Any]]] = (
    json.loads(PATH.read_text()) if PATH.exists() else {"accepted": [], "rejected": []}
)


def test_the_file_is_what_this_program_makes() -> None:
    assert vectors() == VECTORS


@pytest.mark.parametrize("case", VECTORS["accepted"], ids=lambda case: case["title"])
def test_accepted(case: dict[str, Any]) -> None:
    proof = read_log_fraud_proof_untrusted(json.dumps(case["proof"]))
    proof.check_untrusted()
    assert json.loads(proof.to_json()) == case["proof"]
    assert case["proof"]["logKey"] in proof.reason


@pytest.mark.parametrize("case", VECTORS["rejected"], ids=lambda case: case["title"])
def test_rejected(case: dict[str, Any]) -> None:
    with pytest.raises((ProofError, RecordError)):
        read_log_fraud_proof_untrusted(json.dumps(case["proof"])).check_untrusted()


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n")
