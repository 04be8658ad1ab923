"""Peers that break the protocol are out, and what they were asked for comes from others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from protocol.errors import DecodeError, ProofError, RemoteProtocolError, ReplicationError
from protocol.hypercore.merkle.proof import (
    BlockPart,
    BlockRequest,
    Data,
    HashPart,
    Request,
    UpgradeRequest,
)
from protocol.hypercore.merkle.prover import build_proof
from protocol.hypercore.replication.bitfield import RemoteBlocks
from protocol.hypercore.replication.events import Send
from protocol.hypercore.replication.messages import (
    BITFIELD,
    DATA,
    NO_DATA,
    RANGE,
    REQUEST,
    WANT,
    Bitfield,
    Message,
    NoData,
    Range,
    Sync,
    Want,
    decode_message_untrusted,
    encode_message,
)
from protocol.limits import (
    MAX_BITFIELD_WORDS,
    MAX_BLOCKS_REMEMBERED_AHEAD,
    MAX_BYTES_IN_FLIGHT,
    MAX_CLAIMED_HISTORIES,
    MAX_HELD_BYTES,
    MAX_INVALID_REQUESTS,
    MAX_QUEUED_REQUESTS,
    MAX_REQUESTS_IN_FLIGHT,
)

from ...replication_nodes import Link, MemoryCore, Node, run

COUNT = 40


def full_copy() -> Node:
    return Node(MemoryCore.writable([b"block #%d" % i for i in range(COUNT)]))


class Puppet:
    """A peer whose messages the test writes, linked to a node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.number = node.open_channel()

    def say(self, *messages: Message) -> None:
        for message in messages:
            self.say_bytes(*encode_message(message))

    def say_bytes(self, kind: int, payload: bytes) -> None:
        self.node.hear(self.number, kind, payload)

    def heard(self) -> list[Message]:
        """Everything the node sent since the last call."""
        queue = self.node.outboxes[self.number]
        decoded = [decode_message_untrusted(kind, payload) for kind, payload in queue]
        queue.clear()
        return [message for message in decoded if message is not None]

    def requests(self) -> list[Request]:
        return [message for message in self.heard() if isinstance(message, Request)]


def fault_of(node: Node) -> RemoteProtocolError:
    (fault,) = node.faults
    return fault.error


def announced(puppet: Puppet, length: int = COUNT) -> None:
    puppet.say(Sync(0, length, 0, True, has_manifest=True), Range(0, length))


def reader_after_head() -> tuple[Node, Puppet, Node]:
    """A reader that has the head, an honest full copy, and a puppet that announces all blocks."""
    honest = full_copy()
    reader = Node(MemoryCore(honest.core.key))
    link = Link(honest, reader)
    run(link)
    link.close()
    puppet = Puppet(reader)
    puppet.say(Sync(0, COUNT, COUNT, False, has_manifest=True), Range(0, COUNT))
    puppet.heard()
    return reader, puppet, honest


def answer(honest: Node, request: Request) -> Data:
    """What an honest peer answers."""
    return build_proof(honest.core, request)


def with_block(data: Data, **changes: object) -> Data:
    assert data.block is not None
    return replace(data, block=replace(data.block, **changes))


LIES: dict[str, Callable[[Data], Data]] = {
    "another value": lambda data: with_block(data, value=b"rotten"),
    "no value": lambda data: with_block(data, value=b""),
    "a node missing": lambda data: with_block(data, nodes=data.block.nodes[:-1]),
    "a node twice": lambda data: with_block(data, nodes=(*data.block.nodes, data.block.nodes[-1])),
    "nodes in another order": lambda data: with_block(data, nodes=data.block.nodes[::-1]),
    "another size": lambda data: with_block(
        data, nodes=(data.block.nodes[0]._replace(size=1), *data.block.nodes[1:])
    ),
    "another hash": lambda data: with_block(
        data, nodes=(data.block.nodes[0]._replace(hash=bytes(32)), *data.block.nodes[1:])
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_a_block_that_does_not_verify(name: str) -> None:
    reader, puppet, honest = reader_after_head()
    reader.want(5, 6)
    (request,) = puppet.requests()
    puppet.say(LIES[name](answer(honest, request)))
    # Accused: one question about its history, then out.
    (probe,) = puppet.requests()
    assert probe.upgrade == UpgradeRequest(0, COUNT)
    assert reader.core.blocks == {}
    puppet.say(answer(honest, probe))
    assert isinstance(fault_of(reader), ProofError)
    assert not reader.forks
    run(Link(honest, reader))
    assert reader.core.blocks == {5: b"block #5"}


def another_block(data: Data) -> Data:
    return with_block(data, index=6)


def unasked_manifest(data: Data) -> Data:
    return replace(data, manifest=full_copy().core.manifest)


def unasked_hash(data: Data) -> Data:
    assert data.block is not None
    return replace(data, block=None, hash=HashPart(10, data.block.nodes[:1]))


@pytest.mark.parametrize("lie", [another_block, unasked_manifest, unasked_hash])
def test_an_answer_with_what_was_not_asked_for(lie: Callable[[Data], Data]) -> None:
    reader, puppet, honest = reader_after_head()
    reader.want(5, 6)
    (request,) = puppet.requests()
    puppet.say(lie(answer(honest, request)))
    assert isinstance(fault_of(reader), ReplicationError)
    run(Link(honest, reader))
    assert reader.core.blocks == {5: b"block #5"}


def test_an_answer_to_no_request() -> None:
    reader, puppet, _ = reader_after_head()
    puppet.say(Data(77, 0, block=BlockPart(1, b"x")))
    assert isinstance(fault_of(reader), ReplicationError)


def test_a_second_answer_to_a_request() -> None:
    reader, puppet, honest = reader_after_head()
    reader.want(5, 6)
    (request,) = puppet.requests()
    puppet.say(answer(honest, request))
    assert reader.core.blocks == {5: b"block #5"}
    puppet.say(answer(honest, request))
    assert isinstance(fault_of(reader), ReplicationError)


def test_a_refusal_of_no_request() -> None:
    reader, puppet, _ = reader_after_head()
    puppet.say(NoData(9, 1))
    assert isinstance(fault_of(reader), ReplicationError)


def test_pushes_are_ignored() -> None:
    reader, puppet, honest = reader_after_head()
    puppet.say(answer(honest, Request(0, 0, block=BlockRequest(3, 2))))
    assert reader.core.blocks == {}
    assert not reader.faults


def test_unknown_message_types_are_ignored() -> None:
    reader, puppet, _ = reader_after_head()
    for kind in (10, 99, 2**40):
        puppet.say_bytes(kind, b"\xff" * 10)
    assert not reader.faults


def test_refusals_of_everything_end() -> None:
    """A peer that announces all and gives nothing is asked a bounded number of times."""
    reader, puppet, honest = reader_after_head()
    reader.want(0, None)
    asked = 0
    while requests := puppet.requests():
        asked += len(requests)
        for request in requests:
            puppet.say(NoData(request.id, 1))
        puppet.say(Range(0, COUNT))
    assert asked <= COUNT + 32
    assert not reader.faults
    run(Link(honest, reader))
    assert len(reader.core.blocks) == COUNT


def test_an_upgrade_that_is_refused_is_asked_again_after_the_next_sync_only() -> None:
    honest = full_copy()
    reader = Node(MemoryCore(honest.core.key))
    puppet = Puppet(reader)
    announced(puppet)
    (request,) = puppet.requests()
    puppet.say(NoData(request.id, 1))
    puppet.say(Range(0, COUNT))
    assert puppet.requests() == []
    assert not reader.replicator.updating
    puppet.say(Sync(0, COUNT + 1, 0, True, has_manifest=True))
    assert len(puppet.requests()) == 1


def test_too_many_requests() -> None:
    node = full_copy()
    puppet = Puppet(node)
    node.replicator.pause(puppet.number)
    for id_ in range(1, MAX_QUEUED_REQUESTS + 1):
        puppet.say(Request(id_, 0, block=BlockRequest(0, 0)))
    assert not node.faults
    puppet.say(Request(MAX_QUEUED_REQUESTS + 1, 0, block=BlockRequest(0, 0)))
    assert isinstance(fault_of(node), ReplicationError)


def test_too_many_wants() -> None:
    node = full_copy()
    puppet = Puppet(node)
    node.replicator.pause(puppet.number)
    for _ in range(MAX_QUEUED_REQUESTS + 1):
        puppet.say(Want(0, 2**21))
    assert isinstance(fault_of(node), ReplicationError)


@pytest.mark.parametrize(
    "request_",
    [
        Request(1, 0, block=BlockRequest(3, 2**52)),
        Request(1, 0, block=BlockRequest(3, 41)),
        Request(1, 0, upgrade=UpgradeRequest(0, COUNT + 1)),
        Request(1, 0, upgrade=UpgradeRequest(2**52, 2**52)),
        Request(1, 0, upgrade=UpgradeRequest(5, 0)),
    ],
)
def test_requests_that_make_no_sense(request_: Request) -> None:
    node = full_copy()
    puppet = Puppet(node)
    puppet.heard()
    for id_ in range(1, MAX_INVALID_REQUESTS):
        puppet.say(replace(request_, id=id_))
        assert puppet.heard() == [NoData(id_, 2)]
    puppet.say(replace(request_, id=MAX_INVALID_REQUESTS))
    assert isinstance(fault_of(node), ReplicationError)


@pytest.mark.parametrize("index", [COUNT, 2**40, 2**53 - 1])
def test_requests_for_blocks_that_do_not_exist(index: int) -> None:
    node = full_copy()
    puppet = Puppet(node)
    puppet.heard()
    puppet.say(Request(1, 0, block=BlockRequest(index, 0)))
    assert puppet.heard() == [NoData(1, 1)]


def test_wants_of_a_peer_that_reads_again_are_answered_a_turn_at_a_time() -> None:
    """Their answers are much longer than they are, so all of them at once would fill the memory."""
    node = Node(MemoryCore.writable([b""] * 8000))
    del node.core.blocks[3]
    node.core.contiguous_length = 3
    puppet = Puppet(node)
    puppet.heard()
    node.replicator.pause(puppet.number)
    puppet.say(*[Want(0, 8000)] * 200)
    assert puppet.heard() == []
    node.replicator.resume(puppet.number, 0.0)
    size = 0
    while (event := node.replicator.next_event()) is not None:
        assert isinstance(event, Send)
        size += len(event.payload)
        node.replicator.pause(puppet.number)
    assert 64 * 1024 <= size < 64 * 1024 + 4096
    node.replicator.resume(puppet.number, 0.0)
    node.settle()
    sent = [send for send in node.sent if send.kind == BITFIELD]
    assert size + sum(len(send.payload) for send in sent) >= 200 * 8000 // 8
    assert not node.faults


def test_large_answers_that_lean_on_one_that_never_comes_do_not_pile_up() -> None:
    reader, puppet, honest = reader_after_head()
    reader.want(0, None)
    rotten = bytes(MAX_BYTES_IN_FLIGHT // 4)
    requests = puppet.requests()
    withheld = requests[0].block
    asked_again, held = 0, 0
    peer = reader.replicator._peers.by_id[puppet.number]
    while requests:
        for request in requests:
            assert request.block is not None
            if request.block != withheld and request.id in peer.requests.in_flight:
                puppet.say(Data(request.id, 0, block=BlockPart(request.block.index, rotten)))
                held = max(held, peer.requests.held_bytes)
        requests = puppet.requests()
        asked_again += 1
    assert MAX_BYTES_IN_FLIGHT < held <= MAX_HELD_BYTES
    assert asked_again < 40
    assert reader.core.blocks == {}
    # It may have been bad luck; what does not verify is never stored, and others give it.
    assert not reader.faults
    link = Link(honest, reader)
    puppet.node.replicator.remove_peer(puppet.number, 0.0)
    reader.settle()
    run(link)
    assert len(reader.core.blocks) == COUNT


def test_small_answers_that_lean_on_one_that_never_comes_fill_the_window_only() -> None:
    honest = Node(MemoryCore.writable([b"%d" % i for i in range(3000)]))
    reader = Node(MemoryCore(honest.core.key))
    link = Link(honest, reader)
    run(link)
    link.close()
    puppet = Puppet(reader)
    puppet.say(Sync(0, 3000, 3000, False, has_manifest=True), Range(0, 3000))
    puppet.heard()
    reader.want(0, None)
    requests = puppet.requests()
    withheld, total = requests[0].block, 0
    while requests:
        total += len(requests)
        for request in requests:
            assert request.block is not None
            if request.block != withheld:
                puppet.say(Data(request.id, 0, block=BlockPart(request.block.index, b"rotten")))
        requests = puppet.requests()
    assert total <= MAX_REQUESTS_IN_FLIGHT
    peer = reader.replicator._peers.by_id[puppet.number]
    assert peer.requests.room < 16
    link = Link(honest, reader)
    reader.replicator.remove_peer(puppet.number, 0.0)
    reader.settle()
    run(link)
    assert len(reader.core.blocks) == 3000


@pytest.mark.parametrize("length", [0, 7], ids=["that nobody can prove", "that are asked for"])
def test_one_fork_claimed_after_the_other_costs_little(length: int) -> None:
    honest = full_copy()
    reader = Node(MemoryCore(honest.core.key), allow_truncation=False)
    run(Link(honest, reader))
    puppet = Puppet(reader)
    for fork in range(1, 1000):
        puppet.say(Sync(fork, length, 0, True, has_manifest=True))
    peer = reader.replicator._peers.by_id[puppet.number]
    asked = len(peer.requests.in_flight)
    assert (asked, len(reader.forks)) == ((0, 64) if length == 0 else (64, 0))
    assert len(peer.probed) == MAX_CLAIMED_HISTORIES == 64
    assert not reader.faults


def test_a_tree_that_shrinks_again_and_again_costs_little() -> None:
    honest = full_copy()
    reader = Node(MemoryCore(honest.core.key), allow_truncation=False)
    run(Link(honest, reader))
    puppet = Puppet(reader)
    for _ in range(500):
        puppet.say(Sync(0, 9, 0, True), Sync(0, 8, 0, True))
    peer = reader.replicator._peers.by_id[puppet.number]
    assert len(peer.requests.in_flight) == MAX_CLAIMED_HISTORIES
    assert not reader.faults


def test_forks_that_are_never_proven_are_forgotten_and_true_ones_followed() -> None:
    honest = full_copy()
    reader = Node(MemoryCore(honest.core.key))
    link = Link(honest, reader)
    run(link)
    puppet = Puppet(reader)
    puppet.heard()
    for fork in range(1000, 2000):
        puppet.say(Sync(fork, 7, 0, True, has_manifest=True))
        (request,) = puppet.requests()
        puppet.say(NoData(request.id, 1))
    peer = reader.replicator._peers.by_id[puppet.number]
    assert len(peer.probed) <= MAX_CLAIMED_HISTORIES
    honest.core.truncate(5)
    honest.replicator.core_changed(0.0)
    honest.settle()
    run(link)
    assert (reader.core.head.fork, reader.core.head.length) == (1, 5)
    assert not reader.faults


@pytest.mark.parametrize("kind", range(10))
def test_truncated_messages(kind: int) -> None:
    reader, puppet, _ = reader_after_head()
    puppet.say_bytes(kind, b"\xfe\x00")
    assert isinstance(fault_of(reader), DecodeError)


BOMBS = [
    pytest.param(DATA, b"\x01\x01\x00\x05\xfe\xff\xff\xff\x7f", id="block of 2 GiB"),
    pytest.param(DATA, b"\x01\x01\x00\x05\x00\xfe\xff\xff\xff\x7f", id="nodes of a block"),
    pytest.param(DATA, b"\x02\x01\x00\x05\xfe\xff\xff\xff\x7f", id="nodes of a hash"),
    pytest.param(DATA, b"\x08\x01\x00\x00\x05\x00\x00\xfe\xff\xff\xff\x7f", id="signature"),
    pytest.param(BITFIELD, b"\x00\xfe\xff\xff\xff\x7f", id="words"),
    pytest.param(
        BITFIELD, b"\x00\xfe" + (MAX_BITFIELD_WORDS + 1).to_bytes(4, "little"), id="a word more"
    ),
]


@pytest.mark.parametrize(("kind", "payload"), BOMBS)
def test_lengths_over_the_limit(kind: int, payload: bytes) -> None:
    reader, puppet, _ = reader_after_head()
    puppet.say_bytes(kind, payload)
    assert isinstance(fault_of(reader), DecodeError)


def test_far_announcements_cost_no_memory() -> None:
    reader, puppet, _ = reader_after_head()
    for start in range(2**30, 2**53 - 2**40, 2**46):
        puppet.say(Range(start, 2**40))
        puppet.say(Range(start, 2**40, drop=True))
        puppet.say(Bitfield(start & ~31, b"\xff" * 64))
    puppet.say(Range(0, 2**53 - 1))
    puppet.say(Range(17, 2**53 - 18, drop=True))
    peer = reader.replicator._peers.by_id[puppet.number]
    assert len(peer.blocks._bits) * 8 <= COUNT + MAX_BLOCKS_REMEMBERED_AHEAD
    assert peer.blocks.contiguous == 17
    assert not reader.faults


def test_announcements_past_the_limit_are_asked_for_again() -> None:
    blocks = RemoteBlocks(0)
    blocks.set_range(10, 2**20)
    assert blocks.clipped
    assert blocks.has(MAX_BLOCKS_REMEMBERED_AHEAD - 1)
    assert not blocks.has(MAX_BLOCKS_REMEMBERED_AHEAD)


@pytest.mark.parametrize(
    ("want", "expected"),
    [
        (Want(0, 2**53 - 1), RANGE),
        (Want(2**52, 2**52), RANGE),
        (Want(0, 0), RANGE),
    ],
)
def test_strange_wants_of_a_full_copy(want: Want, expected: int) -> None:
    node = full_copy()
    puppet = Puppet(node)
    puppet.heard()
    puppet.say(want)
    (message,) = puppet.heard()
    assert encode_message(message)[0] == expected


def test_strange_wants_of_a_sparse_copy() -> None:
    node = full_copy()
    del node.core.blocks[3]
    node.core.contiguous_length = 3
    puppet = Puppet(node)
    puppet.heard()
    for want in (Want(2**52, 2**52), Want(COUNT, 5), Want(7, 0, any=True)):
        puppet.say(want)
        assert puppet.heard() == []
    puppet.say(Want(3, 10, any=True))
    assert puppet.heard() == [Range(4, 1)]
    puppet.say(Want(7, 2**52))
    (message,) = puppet.heard()
    assert isinstance(message, Bitfield)
    assert message.start == 0
    assert len(message.bits) == 8
    assert not node.faults


def test_a_faulty_peer_is_forgotten_at_once() -> None:
    reader, puppet, honest = reader_after_head()
    reader.want(0, None)
    requests = puppet.requests()
    sent: list[Send] = reader.sent
    reader.replicator.receive_untrusted(puppet.number, NO_DATA, b"", 0.0)
    for request in requests:
        kind, payload = encode_message(answer(honest, request))
        reader.replicator.receive_untrusted(puppet.number, kind, payload, 0.0)
    sent.clear()
    reader.settle()
    assert reader.core.blocks == {}
    assert sent == []
    assert len(reader.faults) == 1
    for kind in (REQUEST, WANT):
        puppet.say_bytes(kind, b"\x01\x01\x00\x00\x00")
    assert len(reader.faults) == 1
