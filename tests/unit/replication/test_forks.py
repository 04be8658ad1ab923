"""Logs with more than one history: followed where that is allowed, reported where it is not."""

from __future__ import annotations

import pytest

from protocol.errors import ProofError
from protocol.hypercore.heads.contradiction import Rewrite, Truncation
from protocol.hypercore.merkle.proof import Request
from protocol.hypercore.merkle.verifier import verify_first_upgrade_untrusted
from protocol.hypercore.replication.messages import (
    NO_DATA,
    RANGE,
    REQUEST,
    decode_message_untrusted,
    decode_range_untrusted,
)
from protocol.hypercore.replication.stalls import STALL_SECONDS

from ...replication_nodes import Link, MemoryCore, Node, run


def blocks(count: int, start: int = 0, word: bytes = b"block") -> list[bytes]:
    return [b"%s #%d" % (word, i) for i in range(start, start + count)]


def linked(count: int, *, allow_truncation: bool) -> tuple[Node, Node, Link]:
    writer = Node(MemoryCore.writable(blocks(count)))
    reader = Node(MemoryCore(writer.core.key), allow_truncation=allow_truncation)
    reader.want(0, None)
    link = Link(writer, reader)
    run(link)
    return writer, reader, link


def truncate(writer: Node, length: int, more: list[bytes]) -> None:
    writer.core.truncate(length)
    writer.replicator.core_changed(0.0)
    writer.settle()
    if more:
        writer.append(more)


@pytest.mark.parametrize(("length", "kept", "more"), [(20, 11, 3), (64, 33, 40), (8, 4, 0)])
def test_a_truncation_is_followed(length: int, kept: int, more: int) -> None:
    writer, reader, link = linked(length, allow_truncation=True)
    truncate(writer, kept, blocks(more, kept, b"new"))
    run(link)
    assert reader.core.head == writer.core.head
    assert reader.core.blocks == writer.core.blocks
    assert not reader.faults
    assert not reader.forks


def test_only_what_differs_is_fetched_again() -> None:
    writer, reader, link = linked(64, allow_truncation=True)
    writer.core.truncate(40)
    writer.core.append(blocks(60, 40, b"new"))
    reader.sent.clear()
    writer.replicator.core_changed(0.0)
    writer.settle()
    run(link)
    assert reader.core.blocks == writer.core.blocks
    assert sum(send.kind == REQUEST for send in reader.sent) < 60 + 10


def test_a_peer_that_leaves_in_the_search_has_proven_enough() -> None:
    writer, reader, link = linked(64, allow_truncation=True)
    writer.core.truncate(40)
    writer.core.append(blocks(60, 40, b"new"))
    writer.replicator.core_changed(0.0)
    writer.settle()
    while reader.core.head.fork == 0 and link.waiting(0):
        link.deliver(0)
        if reader.sent[-1].kind == REQUEST:
            while link.waiting(1):
                link.deliver(1)
            link.deliver(0)
            link.close()
    assert reader.core.head == writer.core.head
    assert reader.core.contiguous_length <= 40
    run(Link(writer, reader))
    assert reader.core.blocks == writer.core.blocks


def test_the_middle_passes_a_truncation_on() -> None:
    writer, middle, first = linked(20, allow_truncation=True)
    reader = Node(MemoryCore(writer.core.key))
    reader.want(0, None)
    second = Link(middle, reader)
    run(first, second)
    truncate(writer, 7, blocks(5, 7, b"new"))
    run(first, second)
    assert reader.core.head == writer.core.head
    assert reader.core.blocks == writer.core.blocks


def test_a_truncation_is_reported_and_not_followed() -> None:
    writer, reader, link = linked(20, allow_truncation=False)
    before = (reader.core.head, dict(reader.core.blocks))
    truncate(writer, 11, [])
    run(link)
    assert (reader.core.head, reader.core.blocks) == before
    (fork,) = reader.forks
    assert (fork.fork, fork.length) == (1, 11)
    assert fork.head == writer.core.head
    assert fork.proof is not None
    change = verify_first_upgrade_untrusted(writer.core.key, writer.core.manifest, fork.proof)
    assert change.head == writer.core.head
    assert fork.contradiction == Truncation(writer.core.head, reader.core.head)
    assert not reader.faults


def test_a_fork_that_is_not_proven_is_reported_as_a_claim() -> None:
    writer, reader, link = linked(20, allow_truncation=False)
    truncate(writer, 11, [])
    while link.waiting(0):
        link.deliver(0)
    reader.replicator.handle_timer(STALL_SECONDS)
    reader.settle()
    (fork,) = reader.forks
    assert (fork.fork, fork.length, fork.head, fork.proof) == (1, 11, None, None)


def test_a_rewritten_history_is_reported_and_its_peer_is_not_to_blame() -> None:
    """Same key, same fork number, other blocks: the writer signed two histories."""
    writer, reader, link = linked(20, allow_truncation=False)
    link.close()
    liar = Node(MemoryCore.writable(blocks(30, word=b"lie")))
    run(Link(liar, reader))
    (fork,) = reader.forks
    assert (fork.fork, fork.length) == (0, 30)
    assert fork.head == liar.core.head
    assert fork.proof is not None
    assert fork.proof.upgrade is not None
    assert fork.proof.upgrade.start + fork.proof.upgrade.length == 20
    assert isinstance(fork.contradiction, Rewrite)
    assert not reader.faults
    assert reader.core.head == writer.core.head


def test_a_log_with_two_histories_grows_no_more_but_is_served_and_fetched() -> None:
    writer, reader, link = linked(20, allow_truncation=False)
    for index in (3, 7):
        del reader.core.blocks[index]
    reader.core.contiguous_length = 3
    run(Link(Node(MemoryCore.writable(blocks(30, word=b"lie"))), reader))
    writer.append(blocks(5, 20))
    run(link)
    reader.want(0, None)
    run(link)
    assert reader.core.head.length == 20
    assert list(reader.core.blocks.values()).count(b"block #7") == 1
    assert not reader.replicator.updating
    other = Node(MemoryCore(writer.core.key), allow_truncation=False)
    other.want(0, None)
    run(Link(reader, other))
    assert other.core.head == reader.core.head
    assert other.core.blocks == reader.core.blocks


@pytest.mark.parametrize("length", [1, 12, 20])
def test_a_history_that_is_no_longer_than_ours_is_found_as_well(length: int) -> None:
    _, reader, link = linked(20, allow_truncation=False)
    link.close()
    other = Node(MemoryCore.writable(blocks(length, word=b"lie")))
    run(Link(reader, other))
    (fork,) = reader.forks
    assert (fork.fork, fork.length) == (0, length)
    assert isinstance(fork.contradiction, Rewrite)
    assert not reader.faults


def test_a_writer_that_takes_blocks_back_under_the_same_fork_number_is_found_at_once() -> None:
    writer, reader, link = linked(20, allow_truncation=False)
    writer.core.truncate(11)
    rewritten = MemoryCore.writable([*blocks(11), *blocks(3, 11, b"new")])
    writer.core.head, writer.core.nodes = rewritten.head, rewritten.nodes
    writer.core.blocks, writer.core.contiguous_length = rewritten.blocks, 14
    writer.replicator.core_changed(0.0)
    writer.settle()
    run(link)
    (fork,) = reader.forks
    assert (fork.fork, fork.length) == (0, 14)
    assert isinstance(fork.contradiction, Rewrite)


def test_honest_peers_of_any_length_are_compared_once_and_prove_nothing() -> None:
    writer, reader, link = linked(20, allow_truncation=False)
    behind = Node(MemoryCore.writable(blocks(7)))
    run(Link(reader, behind))
    writer.append(blocks(5, 20))
    run(link)
    assert not reader.forks
    assert not reader.faults
    probes = [
        message
        for send in reader.sent
        if send.kind == REQUEST
        and isinstance(message := decode_message_untrusted(send.kind, send.payload), Request)
        and message.upgrade is not None
        and message.upgrade.start == 0
        and message.block is None
    ]
    assert len(probes) <= 2


def test_a_rewritten_block_of_the_same_length_is_found_when_it_is_read() -> None:
    _, reader, link = linked(0, allow_truncation=False)
    link.close()
    writer = Node(MemoryCore.writable(blocks(20)))
    link = Link(writer, reader)
    reader.replicator.unwant(1, 0.0)
    link.deliver(0)
    while reader.core.head.length == 0:
        for direction in (0, 1):
            if link.waiting(direction):
                link.deliver(direction)
    link.close()
    assert len(reader.core.blocks) < 20
    liar = Node(MemoryCore.writable(blocks(20, word=b"lie")))
    reader.want(0, None)
    run(Link(liar, reader))
    (fork,) = reader.forks
    assert (fork.fork, fork.length) == (0, 20)
    assert not reader.faults
    assert all(not block.startswith(b"lie") for block in reader.core.blocks.values())


def test_a_bad_proof_without_another_history_is_only_a_fault() -> None:
    writer, reader, link = linked(20, allow_truncation=False)
    link.close()
    reader.core.blocks.clear()
    reader.core.nodes = {node.index: node for node in reader.core.head.roots}
    reader.core.contiguous_length = 0
    broken = Node(MemoryCore.writable(blocks(20)))
    broken.core.blocks[7] = b"rotten"
    run(Link(broken, reader))
    assert not reader.forks
    (fault,) = reader.faults
    assert isinstance(fault.error, ProofError)
    run(Link(writer, reader))
    assert reader.core.blocks == writer.core.blocks


def test_an_accused_peer_that_keeps_silent_is_out_after_a_while() -> None:
    _, reader, link = linked(20, allow_truncation=False)
    link.close()
    liar = Node(MemoryCore.writable(blocks(30, word=b"lie")))
    link = Link(liar, reader)
    probes = 0
    queue = reader.outboxes[link.ends[1][1]]
    while link.waiting(0) or link.waiting(1):
        if link.waiting(1):
            message = decode_message_untrusted(*queue[0])
            if isinstance(message, Request) and message.upgrade and message.upgrade.start == 0:
                queue.popleft()
                probes += 1
            else:
                link.deliver(1)
        else:
            link.deliver(0)
    assert probes == 1
    assert not reader.faults
    reader.replicator.handle_timer(STALL_SECONDS)
    reader.settle()
    assert len(reader.faults) == 1


def test_peers_behind_a_truncation_are_served_nothing_wrong() -> None:
    """Our fork is newer than theirs: they get no data for the old one."""
    writer, reader, link = linked(20, allow_truncation=True)
    writer.core.truncate(5)
    writer.replicator.core_changed(0.0)
    reader.core.blocks.pop(19)
    reader.core.contiguous_length = 19
    writer.settle()
    run(link)
    assert reader.core.head == writer.core.head
    assert not any(send.kind == NO_DATA for send in writer.sent)


def test_new_blocks_that_nobody_announces_are_asked_for_after_each_fork() -> None:
    """As hypercore 10 behaves when it hears late that we dropped the old ones."""
    writer, reader, link = linked(20, allow_truncation=True)
    for kept in (15, 10, 5):
        truncate(writer, kept, blocks(20, kept, b"new"))
        outbox = writer.outboxes[0]
        told = [m for m in outbox if m[0] != RANGE or decode_range_untrusted(m[1]).drop]
        assert len(told) < len(outbox)
        outbox.clear()
        outbox.extend(told)
        run(link)
        assert reader.core.blocks == writer.core.blocks
