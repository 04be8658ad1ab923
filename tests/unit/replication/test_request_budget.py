"""Requests of a peer are answered as its budget allows: later, but all of them."""

from __future__ import annotations

from protocol.hypercore.merkle.proof import BlockRequest, Request
from protocol.hypercore.replication.messages import DATA, REQUEST, encode_request
from protocol.hypercore.replication.request_budget import BudgetRates, RequestBudget
from protocol.limits import ANSWERS_PER_LOG, ANSWERS_PER_PEER

from ...replication_nodes import Link, MemoryCore, Node, run

BLOCKS = 8
AT_ONCE = ANSWERS_PER_PEER[0] + ANSWERS_PER_PEER[1] * BLOCKS


def node_of(blocks: int) -> Node:
    return Node(MemoryCore.writable([b"%d" % i for i in range(blocks)]))


def ask(node: Node, peer: int, count: int, now: float = 0.0) -> int:
    """Ask for a block many times, a thousand requests in flight; gives the number of answers."""
    before = answers(node, peer)
    for start in range(0, count, 1000):
        for id_ in range(start, min(start + 1000, count)):
            request = Request(id_ + 1, 0, block=BlockRequest(id_ % BLOCKS, 0))
            node.replicator.receive_untrusted(peer, REQUEST, encode_request(request), now)
        node.settle()
    return answers(node, peer) - before


def answers(node: Node, peer: int) -> int:
    return sum(send.kind == DATA and send.peer == peer for send in node.sent)


def test_a_budget_fills_and_grows_with_the_log() -> None:
    budget = RequestBudget(BudgetRates(10, 2, 4.0), 5, 100.0)
    assert budget.left(5, 100.0) == 20
    budget.spend(20)
    assert budget.left(5, 100.0) == 0
    assert budget.left(5, 101.0) == 4
    assert budget.left(8, 101.0) == 10
    # A log that was truncated takes nothing back, and gives nothing for growing again.
    assert budget.left(2, 101.0) == 10
    assert budget.left(8, 101.0) == 10
    assert budget.left(8, 1000.0) == 26


def test_requests_over_the_budget_are_answered_later() -> None:
    node = node_of(BLOCKS)
    peer = node.open_channel()
    assert ask(node, peer, AT_ONCE + 1000) == AT_ONCE
    assert not node.faults
    now = 0.0
    while answers(node, peer) < AT_ONCE + 1000:
        due = node.replicator.next_timer()
        assert due is not None
        assert now < due < now + 1
        now = due
        node.replicator.handle_timer(now)
        node.settle()
    assert now >= 1000 / ANSWERS_PER_PEER[2]
    assert answers(node, peer) == AT_ONCE + 1000
    assert not node.faults


def test_one_peer_over_its_budget_does_not_slow_others() -> None:
    node = node_of(BLOCKS)
    greedy, honest = node.open_channel(), node.open_channel()
    ask(node, greedy, AT_ONCE + 1000)
    assert ask(node, honest, 500) == 500


def test_a_log_has_a_budget_for_all_its_peers() -> None:
    node = node_of(BLOCKS)
    total = ANSWERS_PER_LOG[0] + ANSWERS_PER_LOG[1] * BLOCKS
    served = 0
    while served < total:
        asked = min(AT_ONCE, total - served + 500)
        served += ask(node, node.open_channel(), asked)
    assert served == total
    assert not node.faults


def test_a_log_can_be_downloaded_at_any_speed() -> None:
    """No time passes at all, and every block is sent."""
    source, sink = node_of(20_000), Node(MemoryCore(node_of(1).core.key))
    link = Link(source, sink)
    sink.want(0, None)
    run(link)
    assert sink.core.contiguous_length == 20_000
    assert source.replicator.next_timer() is None
