"""Peers that lie, flood and talk out of turn: the same sessions as everybody's, over false logs."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import trio

from protocol.crypto.hashes import TreeNode
from protocol.crypto.manifest import Manifest
from protocol.crypto.signatures import single_signature
from protocol.hypercore.core import CoreReader, TreeHead
from protocol.hypercore.merkle.growth import append_blocks
from protocol.hypercore.merkle.proof import BlockPart, BlockRequest, Data, Request
from protocol.hypercore.merkle.prover import CannotProve, build_proof
from protocol.hypercore.replication.messages import (
    BITFIELD,
    DATA,
    RANGE,
    REQUEST,
    SYNC,
    Bitfield,
    Range,
    Sync,
    decode_request_untrusted,
    decode_sync_untrusted,
    encode_bitfield,
    encode_data,
    encode_range,
    encode_request,
    encode_sync,
)
from protocol.limits import (
    MAX_BITFIELD_WORDS,
    MAX_BLOCK_BYTES,
    MAX_INVALID_REQUESTS,
    MAX_QUEUED_REQUESTS,
)
from vitra_node.config import Address
from vitra_node.net.errors import ConnectionFailed
from vitra_node.net.sessions.peer_sink import PeerSink, ReplicatedCore, SharedHeads
from vitra_node.net.sessions.session import replicate
from vitra_node.world import World


class HostileLog:
    """A ``ReplicatedCore`` that announces everything; how it breaks the rules is up to others.

    Attributes:
      told: how many false things it has said.
    """

    def __init__(self, core: CoreReader) -> None:
        self.told = 0
        self._core = core
        self._sink: PeerSink

    @property
    def key(self) -> bytes:
        return self._core.key

    @property
    def discovery_key(self) -> bytes:
        return self._core.discovery_key

    @property
    def heads(self) -> SharedHeads | None:
        return None

    def attach(self, sink: PeerSink, now: float) -> int:
        self._sink = sink
        self._sync(0)
        length = self._core.head.length
        sink.send(RANGE, encode_range(Range(0, length)))
        self.told += self.begin(sink)
        return 1

    def _sync(self, remote_length: int) -> None:
        head = self._core.head
        sync = Sync(head.fork, head.length, remote_length, True, has_manifest=True)
        self._sink.send(SYNC, encode_sync(sync))

    def receive_untrusted(self, peer: int, messages: Iterable[tuple[int, bytes]]) -> None:
        for kind, payload in messages:
            if kind == SYNC:
                self._sync(decode_sync_untrusted(payload).length)
            elif kind == REQUEST:
                try:
                    data = build_proof(self._core, decode_request_untrusted(payload))
                except CannotProve:
                    continue
                answer = self.answer(data)
                self.told += answer != data
                self._sink.send(DATA, encode_data(answer))

    def begin(self, sink: PeerSink) -> int:
        """Say something at once; gives how many false things."""
        return 0

    def answer(self, honest: Data) -> Data:
        """The answer to send in place of an honest one."""
        return honest

    def detach(self, peer: int) -> None:
        pass

    def set_writable(self, peer: int, writable: bool) -> None:
        pass

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None:
        pass


# False proofs -------------------------------------------------------------------------------------


class FalseBlocks(HostileLog):
    """Sends blocks that differ in one byte."""

    def answer(self, honest: Data) -> Data:
        if honest.block is None:
            return honest
        value = bytes([honest.block.value[0] ^ 1]) + honest.block.value[1:]
        return replace(honest, block=replace(honest.block, value=value))


class FalseNodes(HostileLog):
    """Sends true blocks with a false node each, or a false block if there is no node."""

    def answer(self, honest: Data) -> Data:
        block = honest.block
        if block is None:
            return honest
        if not block.nodes:
            return replace(honest, block=replace(block, value=block.value + b"!"))
        node = block.nodes[-1]
        nodes = (*block.nodes[:-1], node._replace(hash=node.hash[::-1]))
        return replace(honest, block=replace(block, nodes=nodes))


class ForgedHead(FalseBlocks):
    """Claims one block more than there is, and has no signature for it; lies about the others."""

    def __init__(self, core: CoreReader) -> None:
        super().__init__(OneMore(core))


class OneMore:
    """A log with a block at its end that nobody has written."""

    def __init__(self, core: CoreReader) -> None:
        self._core = core
        self._block = b"never written"
        self._length = core.head.length
        nodes, head = append_blocks(core.head, [self._block])
        self._nodes = {node.index: node for node in nodes}
        self.head: TreeHead = replace(head, signature=single_signature(bytes(64)))

    @property
    def key(self) -> bytes:
        return self._core.key

    @property
    def discovery_key(self) -> bytes:
        return self._core.discovery_key

    @property
    def manifest(self) -> Manifest | None:
        return self._core.manifest

    @property
    def contiguous_length(self) -> int:
        return self._length + 1

    def node(self, index: int) -> TreeNode | None:
        return self._nodes.get(index) or self._core.node(index)

    def block(self, index: int) -> bytes | None:
        return self._block if index == self._length else self._core.block(index)

    def has(self, index: int) -> bool:
        return index == self._length or self._core.has(index)

    def bitfield(self, start: int, length: int) -> bytes:
        held = bytearray(self._core.bitfield(start, length))
        if start <= self._length < start + length:
            at = self._length - start
            held[at // 8] |= 1 << at % 8
        return bytes(held)


# Unrequested, too large, too much -----------------------------------------------------------------


class Unrequested(HostileLog):
    """Answers a request that was never made."""

    def begin(self, sink: PeerSink) -> int:
        block = BlockPart(0, b"take this", ())
        sink.send(DATA, encode_data(Data(999_999, 0, block=block)))
        return 1


class OversizeBlock(HostileLog):
    """Sends a block that nobody may send."""

    def begin(self, sink: PeerSink) -> int:
        block = BlockPart(0, bytes(MAX_BLOCK_BYTES + 1), ())
        sink.send(DATA, encode_data(Data(1, 0, block=block)))
        return 1


class OversizeBitfield(HostileLog):
    """Announces more blocks in one message than anybody may."""

    def begin(self, sink: PeerSink) -> int:
        sink.send(BITFIELD, encode_bitfield(Bitfield(0, bytes(4 * (MAX_BITFIELD_WORDS + 1)))))
        return 1


class RequestFlood(HostileLog):
    """Asks for blocks, and goes on asking before it was answered."""

    def begin(self, sink: PeerSink) -> int:
        for id_ in range(1, 5 * MAX_QUEUED_REQUESTS):
            request = Request(id_, 0, block=BlockRequest(id_ % 64, 0))
            sink.send(REQUEST, encode_request(request))
        return 1


class SenselessRequests(HostileLog):
    """Asks for what no log can have."""

    def begin(self, sink: PeerSink) -> int:
        for id_ in range(1, 4 * MAX_INVALID_REQUESTS):
            request = Request(id_, 0, block=BlockRequest(0, 40))
            sink.send(REQUEST, encode_request(request))
        return 1


# Listening ----------------------------------------------------------------------------------------

Attack = Callable[[CoreReader], HostileLog]


class HostileSource:
    """A ``CoreSource`` with the log of one connection."""

    def __init__(self, log: ReplicatedCore) -> None:
        self._log = log

    def find(self, discovery_key: bytes) -> ReplicatedCore | None:
        return self._log if discovery_key == self._log.discovery_key else None

    def active(self) -> Iterable[ReplicatedCore]:
        return ()

    def on_active(self, callback: Callable[[ReplicatedCore], None]) -> Callable[[], None]:
        return lambda: None


async def serve_hostile(
    core: CoreReader,
    attacks: list[Attack],
    world: World,
    host: str,
    ended: Callable[[HostileLog], None] = lambda _: None,
    *,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen, and attack whoever connects: each connection with the next attack of the list.

    ``nursery.start`` gives the address. ``ended`` is told of each attack whose connection is over.
    """
    turns: Iterator[Attack] = itertools.cycle(attacks)

    async def handle(stream: trio.abc.Stream, _: Address) -> None:
        attack = next(turns)(core)
        # It fails when the other side has had enough.
        with contextlib.suppress(ConnectionFailed):
            await replicate(stream, HostileSource(attack), initiator=False, world=world)
        ended(attack)

    async with trio.open_nursery() as nursery:
        (address,) = await nursery.start(world.serve_streams, host, 0, handle)
        task_status.started(address)
