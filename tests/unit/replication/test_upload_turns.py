"""Peers take turns in being answered, whatever they do to get more of them."""

from __future__ import annotations

from protocol.hypercore.merkle.proof import BlockRequest, Request
from protocol.hypercore.replication.messages import (
    CANCEL,
    DATA,
    REQUEST,
    Cancel,
    encode_cancel,
    encode_request,
)

from ...replication_nodes import MemoryCore, Node

# One answer takes a whole turn.
BLOCK = bytes(64 * 1024)
BLOCKS = 12


def node_and_peers(count: int) -> tuple[Node, list[int]]:
    node = Node(MemoryCore.writable([BLOCK] * BLOCKS))
    return node, [node.open_channel() for _ in range(count)]


def ask(node: Node, peer: int, id_: int) -> None:
    request = Request(id_, 0, block=BlockRequest(id_ % BLOCKS, 0))
    node.replicator.receive_untrusted(peer, REQUEST, encode_request(request), 0.0)


def take_back(node: Node, peer: int, id_: int) -> None:
    node.replicator.receive_untrusted(peer, CANCEL, encode_cancel(Cancel(id_)), 0.0)


def served(node: Node) -> list[int]:
    """The peers that were answered, in order."""
    node.settle()
    return [send.peer for send in node.sent if send.kind == DATA]


def test_turns_go_round() -> None:
    node, peers = node_and_peers(3)
    for peer, count in zip(peers, (4, 1, 2), strict=True):
        for id_ in range(1, count + 1):
            ask(node, peer, id_)
    a, b, c = peers
    assert served(node) == [a, b, c, a, c, a, a]


def test_asking_and_taking_back_gives_no_more_turns() -> None:
    node, (honest, greedy) = node_and_peers(2)
    for id_ in range(1, 100):
        ask(node, greedy, id_)
        take_back(node, greedy, id_)
    for id_ in range(100, 106):
        ask(node, greedy, id_)
    for id_ in range(1, 7):
        ask(node, honest, id_)
    assert served(node) == [greedy, honest] * 6


def test_asking_again_after_a_turn_gives_no_more_turns() -> None:
    """Whose queue was emptied by its turn asks before the next one."""
    node, (honest, greedy) = node_and_peers(2)
    for id_ in range(1, 13):
        ask(node, honest, id_)
    for id_ in range(1, 13):
        ask(node, greedy, id_)
        # One answer of each; what was handed out before is taken first.
        while sum(send.kind == DATA and send.peer == greedy for send in node.sent) < id_:
            event = node.replicator.next_event()
            assert event is not None
            node.sent.append(event)
    assert [send.peer for send in node.sent if send.kind == DATA] == [honest, greedy] * 12


def test_turns_of_a_peer_that_does_not_read_take_no_memory() -> None:
    node, (other, peer) = node_and_peers(2)
    node.replicator.pause(peer)
    for id_ in range(1, 5000):
        ask(node, peer, id_)
        take_back(node, peer, id_)
    ask(node, peer, 5000)
    node.settle()
    ask(node, other, 1)
    assert served(node) == [other]
    assert len(node.replicator._uploader._turns) <= 2
