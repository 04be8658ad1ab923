"""Forged proofs against an honest writer: none is accepted. Genuine ones all are.

``VITRA_TEST_FORGERIES=10000`` for the full size.
"""

from __future__ import annotations

import json
import os
import random
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol.crypto.hashes import TreeNode
from protocol.crypto.manifest import (
    Prologue,
    encode_manifest,
    manifest_key,
    multi_signer_manifest,
)
from protocol.errors import ProofError, RecordError
from protocol.hypercore.heads.contradiction import Rewrite, Statement, Truncation, statement_at
from protocol.hypercore.heads.heads_table import Heads
from protocol.transparency.proofs.log_frauds import (
    LogFraudProof,
    log_fraud_proof,
    read_log_fraud_proof_untrusted,
)
from tests.signed_logs import KINDS, PUBLIC_KEYS, Kind, blocks

FORGERIES = int(os.environ.get("VITRA_TEST_FORGERIES", "1500"))
GENUINE = max(60, FORGERIES // 20)

Document = dict[str, Any]


def genuine(kind: Kind, rng: random.Random) -> LogFraudProof:
    """A proof against a writer that did sign two histories, or truncated."""
    split, a, b = rng.randrange(20), rng.randrange(21, 40), rng.randrange(21, 40)
    ours = kind.core(blocks(max(a, b), split, b"ours"))
    theirs = kind.core(blocks(min(a, b), split, b"theirs"))
    if rng.random() < 0.2:
        before = ours.head if rng.random() < 0.5 else None
        truncation = Truncation(kind.head(theirs, rng.randrange(1, 20), fork=1), before)
        return log_fraud_proof(kind.key, kind.manifest, truncation)
    found = Heads(ours).see_untrusted(theirs.head)
    assert found is not None
    return log_fraud_proof(kind.key, kind.manifest, found)


def check(text: str) -> None:
    read_log_fraud_proof_untrusted(text).check_untrusted()


def kind_at(rng: random.Random) -> Kind:
    return rng.choice(list(KINDS.values()))


def test_every_genuine_proof_is_accepted() -> None:
    rng = random.Random(1)
    for _ in range(GENUINE):
        check(genuine(kind_at(rng), rng).to_json())


# What an accuser can make of an honest writer's statements ----------------------------------------


def honest_statements(kind: Kind, rng: random.Random) -> Rewrite:
    """Two heads of one history, put up against each other at some node."""
    core = kind.core(blocks(40, 40, b"x"))
    a, b = sorted((rng.randrange(1, 41), rng.randrange(1, 41)))
    heads = kind.head(core, a), kind.head(core, b)
    at = heads[0].roots[rng.randrange(len(heads[0].roots))].index
    if a == b and rng.random() < 0.7:
        return Rewrite(Statement(heads[0]), Statement(heads[1]))
    statements = [statement_at(head, at, core.node) for head in heads]
    first, second = (each or Statement(heads[0]) for each in statements)
    return Rewrite(first, second)


def divided_anew(rewrite: Rewrite, rng: random.Random) -> Rewrite:
    """Sizes moved from a node to its sibling, which their parent's hash does not show."""
    path = list(rewrite.second.path)
    if len(path) < 2:
        return rewrite
    path[0] = path[0]._replace(size=path[0].size + 1)
    path[1] = path[1]._replace(size=path[1].size - 1)
    return replace(rewrite, second=replace(rewrite.second, path=tuple(path)))


def other_node(rewrite: Rewrite, rng: random.Random) -> Rewrite:
    """One path begins at another node than the other."""
    path = rewrite.second.path
    shorter = path[1:] if len(path) > 1 else (TreeNode(2, 1, bytes(32)), *path)
    return replace(rewrite, second=replace(rewrite.second, path=shorter))


def relabelled(rewrite: Rewrite, rng: random.Random) -> Rewrite:
    """A root of the longer head, given out as the node in another place of the shorter one."""
    short, long = rewrite.first.head, rewrite.second.head
    one, two = short.roots[0], long.roots[-1]
    moved = two._replace(index=one.index)
    return Rewrite(Statement(short, (one,)), Statement(long, (moved,)))


def as_truncation(rewrite: Rewrite, rng: random.Random) -> Truncation:
    """A fork number that nobody signed, or an honest 0."""
    fork = rng.choice([0, 0, 1, 2**53 - 1])
    return Truncation(replace(rewrite.second.head, fork=fork), rewrite.first.head)


def unchanged(rewrite: Rewrite, rng: random.Random) -> Rewrite:
    return rewrite


FRAMES: list[Callable[[Rewrite, random.Random], Rewrite | Truncation]] = [
    unchanged,
    divided_anew,
    other_node,
    relabelled,
    as_truncation,
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.__name__)
def test_one_history_never_contradicts_itself(
    frame: Callable[[Rewrite, random.Random], Rewrite | Truncation],
) -> None:
    rng = random.Random(2)
    for _ in range(FORGERIES // 8):
        kind = kind_at(rng)
        forged = log_fraud_proof(kind.key, kind.manifest, frame(honest_statements(kind, rng), rng))
        with pytest.raises((ProofError, RecordError)):
            check(forged.to_json())


# What can be done to a genuine proof so that it would hit somebody else ---------------------------


def heads_of(document: Document) -> list[Document]:
    found = document.get("statements") or [document["truncated"], document["before"]]
    return [head for head in found if head is not None]


def flip(text: str, rng: random.Random) -> str:
    data = bytearray(b64decode(text))
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return b64encode(data).decode()


def another_log(document: Document, kind: Kind, rng: random.Random) -> None:
    other = rng.choice([each for each in KINDS.values() if each.key != kind.key])
    document["logKey"] = other.key.hex()
    if rng.random() < 0.7:
        manifest = b64encode(encode_manifest(other.manifest)).decode()
        document["manifest"] = None if other.manifest.is_compat(other.key) else manifest


def another_manifest(document: Document, kind: Kind, rng: random.Random) -> None:
    if document["manifest"] is None:
        document["manifest"] = b64encode(encode_manifest(KINDS["two of three"].manifest)).decode()
    else:
        document["manifest"] = rng.choice([None, flip(document["manifest"], rng)])


def another_signature(document: Document, kind: Kind, rng: random.Random) -> None:
    head = rng.choice(heads_of(document))
    # The first byte of a multisignature is a count, and the patch of one not counted is not read.
    data = bytearray(b64decode(head["signature"]))
    data[rng.randrange(2, 60)] ^= 1 << rng.randrange(8)
    head["signature"] = rng.choice([None, b64encode(data).decode()])


def another_root(document: Document, kind: Kind, rng: random.Random) -> None:
    root = rng.choice(rng.choice(heads_of(document))["roots"])
    which = rng.randrange(3)
    root[which] = flip(root[2], rng) if which == 2 else root[which] + 1


def another_length(document: Document, kind: Kind, rng: random.Random) -> None:
    rng.choice(heads_of(document))["length"] += rng.choice([-1, 1, 64])


def another_fork(document: Document, kind: Kind, rng: random.Random) -> None:
    rng.choice(heads_of(document))["fork"] += rng.choice([1, 2, 1000])


def the_same_twice(document: Document, kind: Kind, rng: random.Random) -> None:
    if "statements" in document:
        document["statements"] = [rng.choice(document["statements"])] * 2
    else:
        document["before"] = document["truncated"]


def another_path(document: Document, kind: Kind, rng: random.Random) -> None:
    paths = [head["path"] for head in heads_of(document) if head.get("path")]
    if not paths:
        heads_of(document)[0]["roots"] = []
        return
    path = rng.choice(paths)
    node = rng.choice(path)
    node[2] = flip(node[2], rng)


TAMPERS = [
    another_log,
    another_manifest,
    another_signature,
    another_root,
    another_length,
    another_fork,
    the_same_twice,
    another_path,
]


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
def test_no_part_of_a_genuine_proof_can_be_exchanged(
    tamper: Callable[[Document, Kind, random.Random], None],
) -> None:
    rng = random.Random(3)
    for _ in range(FORGERIES // 16):
        kind = kind_at(rng)
        document = json.loads(genuine(kind, rng).to_json())
        tamper(document, kind, rng)
        with pytest.raises((ProofError, RecordError)):
            check(json.dumps(document))


def test_a_signature_of_a_version_0_log_with_several_signers_convicts_nobody() -> None:
    """It names neither the log nor the quorum: it may have been given to another log."""
    manifest = multi_signer_manifest(PUBLIC_KEYS, version=0)
    kind = Kind(manifest, manifest_key(manifest))
    rewrite = Rewrite(*(Statement(kind.core([word]).head) for word in sorted((b"one", b"other"))))
    with pytest.raises(ProofError, match="do not name the log"):
        log_fraud_proof(kind.key, manifest, rewrite).check_untrusted()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_plain_log_that_was_truncated_is_not_called_rewritten(kind: Kind) -> None:
    """Its writer may do that, and said so by the fork number."""
    old, new = kind.core(blocks(9, 4, b"old")), kind.core(blocks(9, 4, b"new"))
    pair = sorted((kind.head(old, 9), kind.head(new, 9, fork=1)), key=lambda head: head.hash())
    rewrite = Rewrite(Statement(pair[0]), Statement(pair[1]))
    with pytest.raises(ProofError, match="fork numbers"):
        log_fraud_proof(kind.key, kind.manifest, rewrite).check_untrusted()


def test_nobody_vouches_for_a_fork_of_a_prologue() -> None:
    """The head of a prologue is genuine without a signature, so anyone can make one."""
    prologue = KINDS["version 1"].core(blocks(4, 4, b"x")).head
    manifest = multi_signer_manifest(PUBLIC_KEYS, prologue=Prologue(prologue.hash(), 4))
    key = manifest_key(manifest)
    unsigned = replace(prologue, signature=None, fork=1)
    with pytest.raises(ProofError, match="nobody vouches"):
        log_fraud_proof(key, manifest, Truncation(unsigned, None)).check_untrusted()
    twice = Rewrite(Statement(replace(unsigned, fork=0)), Statement(replace(unsigned, fork=0)))
    with pytest.raises(ProofError, match="same statement"):
        log_fraud_proof(key, manifest, twice).check_untrusted()


def test_random_text_is_no_proof() -> None:
    rng = random.Random(4)
    whole = genuine(KINDS["version 1"], rng).to_json()
    for _ in range(FORGERIES // 4):
        at = rng.randrange(len(whole))
        text = whole[:at] + rng.choice(["", "\x00", "9" * 5000, "[", '"', "null"])
        with pytest.raises((ProofError, RecordError)):
            check(text)
    for text in ("", "null", "[]", "{}", "[" * 100_000, "9" * 300_000):
        with pytest.raises(RecordError):
            read_log_fraud_proof_untrusted(text)
