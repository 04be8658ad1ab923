"""Replicators that talk to each other through queues: what they fetch, tell and ask."""

from __future__ import annotations

import pytest

from protocol.hypercore.merkle.proof import Request
from protocol.hypercore.replication.events import Send
from protocol.hypercore.replication.messages import (
    BITFIELD,
    CANCEL,
    DATA,
    NO_DATA,
    RANGE,
    REQUEST,
    SYNC,
    WANT,
    decode_message_untrusted,
)

from ...replication_nodes import Link, MemoryCore, Node, run


def blocks(count: int, start: int = 0) -> list[bytes]:
    return [b"block #%d" % i for i in range(start, start + count)]


def writer_and_reader(count: int) -> tuple[Node, Node]:
    writer = Node(MemoryCore.writable(blocks(count)))
    return writer, Node(MemoryCore(writer.core.key))


def requests(node: Node) -> list[Request]:
    """All requests that a node sent."""
    sent = [decode_message_untrusted(s.kind, s.payload) for s in node.sent if s.kind == REQUEST]
    return [message for message in sent if isinstance(message, Request)]


def assert_same(reader: Node, writer: Node) -> None:
    assert reader.core.blocks == writer.core.blocks
    assert reader.core.head == writer.core.head
    assert not reader.faults
    assert not writer.faults


def test_a_copy_gets_everything() -> None:
    writer, reader = writer_and_reader(1000)
    reader.want(0, None)
    run(Link(writer, reader))
    assert_same(reader, writer)
    assert reader.core.manifest == writer.core.manifest
    asked = [r.block.index for r in requests(reader) if r.block is not None]
    assert sorted(asked) == list(range(1000))


def test_a_full_window_costs_about_one_node_a_block() -> None:
    writer, reader = writer_and_reader(1024)
    reader.want(0, None)
    run(Link(writer, reader))
    nodes = [r.block.nodes for r in requests(reader) if r.block is not None and not r.upgrade]
    assert sum(nodes) < 1.1 * len(nodes)


def test_without_wants_only_the_head_is_fetched() -> None:
    writer, reader = writer_and_reader(100)
    run(Link(writer, reader))
    assert reader.core.head == writer.core.head
    assert reader.core.blocks == {}
    assert len(requests(reader)) == 1


def test_appends_arrive_in_one_round_trip() -> None:
    writer, reader = writer_and_reader(3)
    reader.want(0, None)
    link = Link(writer, reader)
    run(link)
    for length in range(4, 10):
        reader.sent.clear()
        writer.append(blocks(1, length - 1))
        run(link)
        assert_same(reader, writer)
        (request,) = requests(reader)
        assert request.block is not None
        assert request.upgrade is not None
        assert (request.block.index, request.upgrade.start) == (length - 1, length - 1)


def test_a_tail_leaves_out_what_was_before() -> None:
    writer, reader = writer_and_reader(50)
    reader.want(40, None)
    link = Link(writer, reader)
    run(link)
    writer.append(blocks(10, 50))
    run(link)
    assert sorted(reader.core.blocks) == list(range(40, 60))


def test_single_blocks_come_before_ranges() -> None:
    writer, reader = writer_and_reader(5000)
    reader.want(0, None)
    link = Link(writer, reader)
    for _ in range(40):
        for direction in (0, 1):
            if link.waiting(direction):
                link.deliver(direction)
    reader.sent.clear()
    reader.want(4321, 4322)
    asked = [r.block.index for r in requests(reader) if r.block is not None]
    assert asked[:1] == [4321]


def test_a_block_past_the_end_is_waited_for() -> None:
    writer, reader = writer_and_reader(5)
    reader.want(7, 8)
    link = Link(writer, reader)
    run(link)
    assert reader.core.blocks == {}
    writer.append(blocks(5, 5))
    run(link)
    assert reader.core.blocks == {7: b"block #7"}


def test_unwant_cancels_what_nothing_else_needs() -> None:
    writer, reader = writer_and_reader(100)
    link = Link(writer, reader)
    run(link)
    both = [reader.want(10, 11), reader.want(10, 11)]
    alone = reader.want(20, 21)
    span = reader.want(30, 40)
    for number in (both[0], alone, span):
        reader.replicator.unwant(number, 0.0)
        reader.settle()
    cancelled = sum(s.kind == CANCEL for s in reader.sent)
    assert cancelled == 11
    run(link)
    assert reader.core.blocks == {10: b"block #10"}
    assert not reader.faults
    assert not writer.faults


def test_late_answers_to_cancelled_requests_are_ignored() -> None:
    writer, reader = writer_and_reader(10)
    link = Link(writer, reader)
    run(link)
    number = reader.want(3, 4)
    link.deliver(1)
    reader.replicator.unwant(number, 0.0)
    reader.settle()
    run(link)
    assert reader.core.blocks == {}
    assert not reader.faults
    reader.want(3, 4)
    run(link)
    assert reader.core.blocks == {3: b"block #3"}


def test_answers_may_come_in_any_order() -> None:
    writer, reader = writer_and_reader(300)
    reader.want(0, None)
    link = Link(writer, reader)
    while link.waiting(0) or link.waiting(1):
        while link.waiting(1):
            link.deliver(1)
        node, number = link.ends[0]
        queue = node.outboxes[number]
        answers = [message for message in queue if message[0] == DATA]
        others = [message for message in queue if message[0] != DATA]
        queue.clear()
        queue.extend([*others, *reversed(answers)])
        while link.waiting(0):
            link.deliver(0)
    assert_same(reader, writer)
    asked = [r.block.index for r in requests(reader) if r.block is not None]
    assert sorted(asked) == list(range(300))


def test_a_sparse_copy_serves_what_it_has() -> None:
    writer, middle = writer_and_reader(100)
    link = Link(writer, middle)
    for index in (5, 40, 77):
        middle.want(index, index + 1)
    run(link)
    link.close()
    reader = Node(MemoryCore(writer.core.key))
    reader.want(0, None)
    run(Link(middle, reader))
    assert sorted(reader.core.blocks) == [5, 40, 77]
    assert sum(s.kind == WANT for s in reader.sent) == 1
    assert sum(s.kind == BITFIELD for s in middle.sent) == 1
    assert sum(s.kind == NO_DATA for s in middle.sent) == 0


def test_downloads_are_announced_to_others() -> None:
    writer, middle = writer_and_reader(100)
    reader = Node(MemoryCore(writer.core.key))
    reader.want(0, None)
    source, onward = Link(writer, middle), Link(middle, reader)
    run(source, onward)
    middle.want(10, 20)
    run(source, onward)
    middle.replicator.handle_timer(1.0)
    middle.settle()
    run(source, onward, now=1.0)
    assert sorted(reader.core.blocks) == list(range(10, 20))


def test_two_sources_share_the_work() -> None:
    writer, other = writer_and_reader(2000)
    other.want(0, None)
    between = Link(writer, other)
    run(between)
    between.close()
    reader = Node(MemoryCore(writer.core.key))
    reader.want(0, None)
    links = Link(writer, reader), Link(other, reader)
    run(*links)
    assert_same(reader, writer)
    asked = [(s.peer, decode_message_untrusted(s.kind, s.payload)) for s in reader.sent]
    indexes = [m.block.index for _, m in asked if isinstance(m, Request) and m.block]
    assert sorted(indexes) == list(range(2000))
    shares = [sum(isinstance(m, Request) and p == peer for p, m in asked) for peer in (0, 1)]
    assert min(shares) > 500


def test_the_work_of_a_peer_that_leaves_goes_to_others() -> None:
    writer, other = writer_and_reader(2000)
    other.want(0, None)
    run(Link(writer, other))
    reader = Node(MemoryCore(writer.core.key))
    reader.want(0, None)
    leaving, staying = Link(writer, reader), Link(other, reader)
    for _ in range(300):
        for link in (leaving, staying):
            for direction in (0, 1):
                if link.waiting(direction):
                    link.deliver(direction)
    assert 0 < len(reader.core.blocks) < 2000
    leaving.close()
    run(staying)
    assert_same(reader, other)


def test_a_peer_that_keeps_announcing_what_it_lacks_is_not_asked_for_ever() -> None:
    writer, middle = writer_and_reader(100)
    middle.want(0, None)
    run(Link(writer, middle))
    reader = Node(MemoryCore(writer.core.key))
    link = Link(middle, reader)
    run(link)
    del middle.core.blocks[30]
    reader.want(0, None)
    run(link)
    assert sorted(reader.core.blocks) == [i for i in range(100) if i != 30]
    asked = [r.block.index for r in requests(reader) if r.block is not None]
    # Once after its range, and once after its answer to a want, which says the same.
    assert asked.count(30) == 2
    assert not reader.faults


def test_forgotten_blocks_are_taken_back_and_fetched_again() -> None:
    writer, middle = writer_and_reader(100)
    middle.want(0, None)
    source = Link(writer, middle)
    run(source)
    reader = Node(MemoryCore(writer.core.key))
    onward = Link(middle, reader)
    run(onward)
    for index in range(10, 20):
        del middle.core.blocks[index]
    middle.core.contiguous_length = 10
    middle.replicator.core_changed(0.0)
    middle.settle()
    run(onward)
    reader.want(0, None)
    run(onward)
    assert len(reader.core.blocks) == 90
    assert not any(s.kind == NO_DATA for s in middle.sent)
    run(source, onward)
    assert middle.core.contiguous_length == 100
    assert_same(reader, middle)


def test_a_peer_that_does_not_read_is_not_answered() -> None:
    writer, reader = writer_and_reader(100)
    reader.want(0, None)
    link = Link(writer, reader)
    run(link)
    writer.append(blocks(50, 100))
    writer.replicator.pause(0)
    writer.sent.clear()
    run(link)
    assert not any(s.kind == DATA for s in writer.sent)
    writer.append(blocks(50, 150))
    assert not any(s.kind in (SYNC, RANGE) for s in writer.sent)
    writer.replicator.resume(0, 0.0)
    writer.settle()
    run(link)
    assert_same(reader, writer)


def test_equal_nodes_fall_silent() -> None:
    writer, reader = writer_and_reader(10)
    reader.want(0, None)
    link = Link(writer, reader)
    run(link)
    for node in (writer, reader):
        node.sent.clear()
        node.replicator.core_changed(5.0)
        node.replicator.handle_timer(6.0)
        node.settle()
        assert node.sent == []
    assert writer.replicator.next_timer() is None
    assert reader.replicator.next_timer() is None


def test_an_empty_log_gives_its_manifest() -> None:
    writer, reader = writer_and_reader(0)
    run(Link(writer, reader))
    assert reader.core.manifest == writer.core.manifest
    assert not reader.replicator.updating


def test_updating_until_the_head_is_here() -> None:
    writer, reader = writer_and_reader(10)
    assert not reader.replicator.updating
    link = Link(writer, reader)
    assert reader.replicator.updating
    run(link)
    assert not reader.replicator.updating


def test_messages_of_peers_that_left_are_ignored() -> None:
    writer, reader = writer_and_reader(10)
    link = Link(writer, reader)
    waiting: list[Send] = list(writer.sent)
    link.close()
    for send in waiting:
        reader.replicator.receive_untrusted(1 - 1, send.kind, send.payload, 0.0)
        reader.settle()
    assert reader.core.head.length == 0
    assert not reader.faults


@pytest.mark.parametrize("count", [1, 2, 3, 31, 32, 33, 4095, 4096, 4097])
def test_lengths_at_the_edges(count: int) -> None:
    writer, reader = writer_and_reader(count)
    reader.want(0, None)
    run(Link(writer, reader))
    assert_same(reader, writer)
