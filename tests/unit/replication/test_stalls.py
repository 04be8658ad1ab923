"""Peers that are slow or silent, on a clock of the test's own."""

from __future__ import annotations

from protocol.hypercore.replication.messages import CANCEL, DATA
from protocol.hypercore.replication.request_window import RequestWindow
from protocol.hypercore.replication.stalls import PROBATION_SECONDS, STALL_SECONDS
from protocol.limits import (
    MAX_BYTES_IN_FLIGHT,
    MAX_REQUESTS_IN_FLIGHT,
    MIN_REQUESTS_IN_FLIGHT,
)

from ...replication_nodes import Link, MemoryCore, Node, run

COUNT = 200


def two_full_copies() -> tuple[Node, Node]:
    blocks = [b"block #%d" % i for i in range(COUNT)]
    return Node(MemoryCore.writable(blocks)), Node(MemoryCore.writable(blocks))


def swallow_answers(link: Link) -> None:
    """Deliver all of the first node's messages but its answers."""
    node, number = link.ends[0]
    queue = node.outboxes[number]
    kept = [message for message in queue if message[0] != DATA]
    queue.clear()
    queue.extend(kept)


def deliver_without_answers(link: Link, now: float = 0.0) -> None:
    while link.waiting(0) or link.waiting(1):
        while link.waiting(1):
            link.deliver(1, now)
        swallow_answers(link)
        while link.waiting(0):
            link.deliver(0, now)


def tick(node: Node, now: float) -> None:
    node.replicator.handle_timer(now)
    node.settle()


def reader_with_head(*sources: Node) -> tuple[Node, list[Link]]:
    reader = Node(MemoryCore(sources[0].core.key))
    links = [Link(source, reader) for source in sources]
    run(*links)
    return reader, links


def test_the_blocks_of_a_silent_peer_go_to_another() -> None:
    silent, other = two_full_copies()
    reader, (mute, link) = reader_with_head(silent, other)
    reader.want(0, None)
    deliver_without_answers(mute)
    run(link)
    assert 0 < len(reader.core.blocks) < COUNT
    deadline = reader.replicator.next_timer()
    assert deadline is not None
    assert deadline <= STALL_SECONDS
    tick(reader, STALL_SECONDS)
    deliver_without_answers(mute, STALL_SECONDS)
    run(link, now=STALL_SECONDS)
    assert len(reader.core.blocks) == COUNT
    assert not reader.faults


def test_an_idle_peer_takes_over_what_is_late() -> None:
    slow, other = two_full_copies()
    reader, (mute, link) = reader_with_head(slow, other)
    reader.want(0, None)
    deliver_without_answers(mute)
    run(link)
    for step in range(1, 9):
        now = step * 0.5
        tick(reader, now)
        run(link, now=now)
        deliver_without_answers(mute, now)
    assert len(reader.core.blocks) == COUNT
    assert any(send.kind == CANCEL for send in reader.sent)
    assert not reader.faults


def test_the_only_peer_is_never_given_up() -> None:
    slow, _ = two_full_copies()
    reader, (link,) = reader_with_head(slow)
    reader.want(0, None)
    while link.waiting(1):
        link.deliver(1)
    for now in (STALL_SECONDS, 2 * STALL_SECONDS, 3 * STALL_SECONDS):
        tick(reader, now)
    run(link, now=100.0)
    assert len(reader.core.blocks) == COUNT
    assert not any(send.kind == CANCEL for send in reader.sent)


def test_a_late_answer_brings_a_peer_back() -> None:
    late, other = two_full_copies()
    reader, (link, second) = reader_with_head(late, other)
    reader.want(0, None)
    while link.waiting(1):
        link.deliver(1)
    tick(reader, STALL_SECONDS)
    second.close(STALL_SECONDS)
    run(link, now=STALL_SECONDS)
    assert len(reader.core.blocks) == COUNT
    assert not reader.faults


def test_a_stalled_peer_gets_another_chance() -> None:
    silent, other = two_full_copies()
    reader, (mute, link) = reader_with_head(silent, other)
    reader.want(0, None)
    deliver_without_answers(mute)
    tick(reader, STALL_SECONDS)
    deliver_without_answers(mute, STALL_SECONDS)
    deadline = reader.replicator.next_timer()
    assert deadline is not None
    assert deadline <= STALL_SECONDS + PROBATION_SECONDS
    tick(reader, STALL_SECONDS + PROBATION_SECONDS)
    second_chance = STALL_SECONDS + PROBATION_SECONDS
    link.close(second_chance)
    run(mute, now=second_chance)
    assert len(reader.core.blocks) == COUNT


def test_the_window_opens_while_answers_come_fast() -> None:
    window = RequestWindow()
    for _ in range(1000):
        window.answered(0.0, 0.01, 100)
    assert window.limit == MAX_REQUESTS_IN_FLIGHT


def test_the_window_closes_when_answers_queue_up() -> None:
    window = RequestWindow()
    for _ in range(1000):
        window.answered(0.0, 0.01, 100)
    now = 10.0
    for _ in range(100):
        now += 3.0
        window.answered(now - 2.0, now, 100)
    assert window.limit == MIN_REQUESTS_IN_FLIGHT


def test_large_blocks_shrink_the_window() -> None:
    window = RequestWindow()
    for _ in range(1000):
        window.answered(0.0, 0.01, 1 << 20)
    assert 1 <= window.limit <= MAX_BYTES_IN_FLIGHT // (1 << 20) + 1


def test_a_silent_peer_is_not_waited_for_with_the_newest_head() -> None:
    writer, _ = two_full_copies()
    reader = Node(MemoryCore(writer.core.key))
    Link(writer, reader)
    assert reader.replicator.updating
    deadline = reader.replicator.next_timer()
    assert deadline is not None
    tick(reader, deadline)
    assert not reader.replicator.updating
    assert reader.replicator.next_timer() is None


def test_a_head_that_is_promised_and_never_given_is_not_waited_for() -> None:
    writer, _ = two_full_copies()
    reader = Node(MemoryCore(writer.core.key))
    link = Link(writer, reader)
    while link.waiting(0):
        link.deliver(0)
    assert reader.replicator.updating
    tick(reader, STALL_SECONDS)
    assert not reader.replicator.updating
    run(link, now=STALL_SECONDS)
    assert reader.core.head == writer.core.head
