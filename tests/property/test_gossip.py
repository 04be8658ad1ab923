"""The gossip of heads: what it carries, what one exchange finds, and what it does not stand."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.crypto.manifest import Manifest
from protocol.errors import DecodeError, ProofError, RemoteProtocolError, ReplicationError
from protocol.hypercore.core import TreeHead
from protocol.hypercore.heads.heads_table import Heads
from protocol.hypercore.merkle.proof import Data, Request, UpgradeRequest
from protocol.hypercore.merkle.prover import CannotProve, build_proof
from protocol.limits import GOSSIP_HEAD_SECONDS, GOSSIP_HEADS_PER_PEER, MAX_GOSSIP_HEADS
from protocol.transparency.gossip import messages as messages
from protocol.transparency.gossip.head_gossip import HeadGossip
from protocol.transparency.proofs.log_frauds import (
    contradiction_of,
    log_fraud_proof,
    read_log_fraud_proof_untrusted,
)
from tests.merkle_core import MemoryCore
from tests.signed_logs import KINDS, Kind, blocks, sparse

KIND = KINDS["version 1"]


@dataclass
class Log:
    """A ``GossipedLog`` over a log in memory."""

    core: MemoryCore
    table: Heads = field(init=False)
    seen: int = 0

    def __post_init__(self) -> None:
        self.table = Heads(self.core)

    @property
    def key(self) -> bytes:
        return self.core.key

    @property
    def discovery_key(self) -> bytes:
        return self.core.discovery_key

    @property
    def manifest(self) -> Manifest | None:
        return self.core.manifest or self.table.manifest

    @property
    def head(self) -> TreeHead:
        return self.core.head

    @property
    def ahead(self) -> Sequence[TreeHead]:
        return self.table.ahead

    @property
    def proof_text(self) -> str | None:
        if self.table.found is None:
            return None
        return log_fraud_proof(self.key, self.manifest, self.table.found).to_json()

    def question(self, head: TreeHead) -> int | None:
        return self.table.question(head)

    def tree_at(self, length: int) -> Data | None:
        upgrade = UpgradeRequest(0, length)
        try:
            return build_proof(self.core, Request(0, 0, upgrade=upgrade, manifest=True))
        except CannotProve:
            return None

    def see_untrusted(self, head: TreeHead, manifest: Manifest | None) -> None:
        self.seen += 1
        self.table.see_untrusted(head, manifest)

    def see_tree_untrusted(self, data: Data) -> None:
        self.table.see_tree_untrusted(data)

    def take_proof_untrusted(self, text: str) -> None:
        proof = read_log_fraud_proof_untrusted(text)
        proof.check_untrusted(self.key)
        self.table.note(contradiction_of(proof))


class Nodes:
    """Two nodes that share one log."""

    def __init__(self, *cores: MemoryCore) -> None:
        self.logs = [Log(core) for core in cores]
        self.ends = [HeadGossip(0.0), HeadGossip(0.0)]
        self.now = 0.0
        self.count = 0
        for end, log in zip(self.ends, self.logs, strict=True):
            end.share(log, 0.0)

    def settle(self, seconds: float = 3.0) -> None:
        """Let all messages arrive, and so many seconds pass."""
        until = self.now + seconds
        while True:
            for number, end in enumerate(self.ends):
                for kind, payload in end.messages_to_send(self.now):
                    self.count += 1
                    self.ends[1 - number].receive_untrusted(kind, payload, self.now)
                    self.ends[1 - number].changed(self.logs[0].discovery_key)
                    self.logs[1 - number].table.grown()
            timers = [at for end in self.ends if (at := end.next_timer()) is not None]
            if not timers or min(timers) > until:
                self.now = until
                return
            self.now = max(self.now, *[min(timers)])


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 40),
    st.booleans(),
)
def test_two_nodes_with_different_histories_both_have_the_proof_after_one_exchange(
    name: str, a: int, b: int, split: int, is_sparse: bool
) -> None:
    kind = KINDS[name]
    one, other = kind.core(blocks(a, split, b"one")), kind.core(blocks(b, split, b"other"))
    if is_sparse:
        shorter, longer = (one, other) if a < b else (other, one)
        one, other = sparse(shorter, lambda _: False), longer
    nodes = Nodes(one, other)
    nodes.settle()
    found = [log.table.found for log in nodes.logs]
    assert [each is not None for each in found] == [min(a, b) > split] * 2
    for log in nodes.logs:
        if log.proof_text is not None:
            read_log_fraud_proof_untrusted(log.proof_text).check_untrusted(kind.key)


def test_a_node_without_the_log_carries_the_news() -> None:
    """It holds neither history, and yet it learns from both that there are two."""
    one, other = KIND.core(blocks(9, 4, b"one")), KIND.core(blocks(9, 4, b"other"))
    empty = Nodes(one, MemoryCore(KIND.key))
    empty.settle()
    assert empty.logs[1].ahead == [one.head]
    second = Nodes(other, empty.logs[1].core)
    second.logs[1].table = empty.logs[1].table
    second.settle()
    assert second.logs[0].proof_text is not None
    assert second.logs[1].proof_text is not None


def test_a_growing_log_is_told_at_its_pace_and_honest_nodes_accuse_nobody() -> None:
    core = KIND.core(blocks(1, 1, b"x"))
    reader = KIND.core(blocks(1, 1, b"x"))
    nodes = Nodes(core, reader)
    nodes.settle(0.0)
    begun = nodes.count
    for number in range(1, 101):
        core.append([b"x %d" % number])
        nodes.ends[0].changed(core.discovery_key)
        nodes.settle(0.01)
    assert nodes.count - begun <= 5 + 100 * 0.01 / GOSSIP_HEAD_SECONDS * 4
    nodes.settle(5.0)
    assert [head.length for head in nodes.logs[1].ahead][-1:] == [101]
    assert all(log.table.found is None for log in nodes.logs)


def test_what_needs_no_answer_is_not_repeated() -> None:
    nodes = Nodes(KIND.core(blocks(5, 5, b"x")), KIND.core(blocks(5, 5, b"x")))
    nodes.settle(100.0)
    assert nodes.count <= 2


def test_logs_that_are_not_shared_are_not_spoken_of() -> None:
    core = KIND.core(blocks(5, 5, b"x"))
    gossip = HeadGossip(0.0)
    for message in (
        messages.Heads((messages.GossipHead(core.discovery_key, core.manifest, core.head),)),
        messages.Question(core.discovery_key, 3),
        messages.Tree(core.discovery_key, None),
        messages.Proof(core.discovery_key, "{}"),
    ):
        gossip.receive_untrusted(*messages.encode_message(message), 0.0)
    assert gossip.messages_to_send(0.0) == []
    gossip.share(Log(core), 0.0)
    assert len(gossip.messages_to_send(0.0)) == 1
    gossip.unshare(core.discovery_key)
    assert gossip.next_timer() is None


# Hostile peers ------------------------------------------------------------------------------------


def sharing(core: MemoryCore) -> tuple[HeadGossip, Log]:
    gossip, log = HeadGossip(0.0), Log(core)
    gossip.share(log, 0.0)
    gossip.messages_to_send(0.0)
    return gossip, log


def test_a_head_that_nobody_signed_a_false_proof_and_an_unasked_tree_end_the_connection() -> None:
    core = KIND.core(blocks(5, 5, b"x"))
    id_ = core.discovery_key
    forged = KIND.core(blocks(6, 6, b"y")).head
    lie = TreeHead(forged.length, forged.byte_length, 0, forged.roots, bytes(68))
    cases: list[tuple[messages.Message, type[RemoteProtocolError]]] = [
        (messages.Heads((messages.GossipHead(id_, core.manifest, lie),)), ProofError),
        (messages.Proof(id_, "{}"), ProofError),
        (messages.Proof(id_, '{"vitraLogForkFraudProof": 1}'), ProofError),
        (messages.Tree(id_, None), ReplicationError),
    ]
    for message, error in cases:
        gossip, log = sharing(core)
        with pytest.raises(error):
            gossip.receive_untrusted(*messages.encode_message(message), 0.0)
        assert log.table.found is None


def test_a_flood_of_heads_is_not_looked_at() -> None:
    core = KIND.core(blocks(300, 300, b"x"))
    gossip, log = sharing(MemoryCore(KIND.key, KIND.manifest))
    head = messages.GossipHead(core.discovery_key, core.manifest, core.head)
    flood = messages.encode_message(messages.Heads((head,) * MAX_GOSSIP_HEADS))
    for _ in range(100):
        gossip.receive_untrusted(*flood, 0.0)
    assert log.seen <= GOSSIP_HEADS_PER_PEER[0]
    gossip.receive_untrusted(*flood, 10.0)
    assert log.seen > GOSSIP_HEADS_PER_PEER[0]


def any_messages(kind: Kind) -> list[messages.Message]:
    core = kind.core(blocks(13, 13, b"x"))
    other = kind.core(blocks(13, 5, b"y"))
    id_ = core.discovery_key
    manifest = None if kind.manifest.is_compat(kind.key) else kind.manifest
    log = Log(core)
    log.table.see_untrusted(other.head)
    assert log.proof_text is not None
    tree = log.tree_at(5)
    assert tree is not None
    return [
        messages.Heads(()),
        messages.Heads(tuple(messages.GossipHead(id_, manifest, core.head) for _ in range(3))),
        messages.Question(id_, 7),
        messages.Tree(id_, None),
        messages.Tree(id_, tree),
        messages.Proof(id_, log.proof_text),
    ]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_messages_come_back_as_they_were_and_ignore_what_follows(kind: Kind) -> None:
    for message in any_messages(kind):
        type_, payload = messages.encode_message(message)
        assert messages.decode_message_untrusted(type_, payload) == message
        assert messages.decode_message_untrusted(type_, payload + b"later") == message
        for end in range(len(payload)):
            with pytest.raises(DecodeError):
                messages.decode_message_untrusted(type_, payload[:end])
    assert messages.decode_message_untrusted(17, b"anything") is None


def test_no_bytes_do_more_than_end_the_connection() -> None:
    rng = random.Random(5)
    whole = [messages.encode_message(m) for k in KINDS.values() for m in any_messages(k)]
    for _ in range(4000):
        kind, payload = rng.choice(whole)
        data = bytearray(payload)
        for _ in range(rng.randrange(1, 5)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        cut = bytes(data[: rng.randrange(len(data) + 1)]) if rng.random() < 0.3 else bytes(data)
        gossip, _ = sharing(KIND.core(blocks(13, 13, b"x")))
        try:
            gossip.receive_untrusted(kind, cut, 0.0)
        except RemoteProtocolError:
            continue
        gossip.messages_to_send(1.0)
