"""A log in memory, and nodes that replicate it without any stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from protocol.crypto.hashes import TreeNode, discovery_key
from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import Manifest, default_manifest, manifest_key
from protocol.hypercore.core import EMPTY_HEAD, CoreChange, TreeHead
from protocol.hypercore.merkle.growth import append_blocks, head_at, sign_head
from protocol.hypercore.replication.events import Fault, ForkObserved, Send, Verified
from protocol.hypercore.replication.replicator import Replicator

WRITER = KeyPair.from_seed(b"\x07" * 32)


class MemoryCore:
    """A ``CoreReader`` over dictionaries; with a key pair it can grow."""

    def __init__(
        self, key: bytes, manifest: Manifest | None = None, key_pair: KeyPair | None = None
    ) -> None:
        self.key = key
        self.discovery_key = discovery_key(key)
        self.manifest = manifest
        self.key_pair = key_pair
        self.head: TreeHead = EMPTY_HEAD
        self.contiguous_length = 0
        self.nodes: dict[int, TreeNode] = {}
        self.blocks: dict[int, bytes] = {}

    @classmethod
    def writable(cls, blocks: Iterable[bytes] = (), key_pair: KeyPair = WRITER) -> MemoryCore:
        """A log of the given blocks with a version 1 manifest."""
        manifest = default_manifest(key_pair.public_key)
        core = cls(manifest_key(manifest), manifest, key_pair)
        core.append(list(blocks))
        return core

    def append(self, blocks: list[bytes]) -> None:
        """Sign and store more blocks."""
        assert self.manifest is not None
        assert self.key_pair is not None
        if not blocks:
            return
        start = self.head.length
        nodes, head = append_blocks(self.head, blocks)
        signed = sign_head(self.manifest, self.key, self.key_pair, head)
        self.apply(CoreChange(nodes, list(enumerate(blocks, start)), signed))

    def truncate(self, length: int) -> None:
        """Cut the log and sign the next fork."""
        assert self.manifest is not None
        assert self.key_pair is not None
        head = head_at(self, length, self.head.fork + 1)
        signed = sign_head(self.manifest, self.key, self.key_pair, head)
        self.apply(CoreChange(head=signed, truncated_to=length))

    def apply(self, change: CoreChange) -> None:
        """Store a change."""
        if change.truncated_to is not None:
            length = change.truncated_to
            self.blocks = {i: b for i, b in self.blocks.items() if i < length}
            self.nodes = {i: n for i, n in self.nodes.items() if i + (~i & (i + 1)) <= 2 * length}
            self.contiguous_length = min(self.contiguous_length, length)
        self.nodes.update((node.index, node) for node in change.nodes)
        self.blocks.update(change.blocks)
        self.head = change.head or self.head
        self.manifest = self.manifest or change.manifest
        while self.contiguous_length in self.blocks:
            self.contiguous_length += 1

    def node(self, index: int) -> TreeNode | None:
        return self.nodes.get(index)

    def block(self, index: int) -> bytes | None:
        return self.blocks.get(index)

    def has(self, index: int) -> bool:
        return index in self.blocks

    def bitfield(self, start: int, length: int) -> bytes:
        mask = sum(1 << i for i in range(length) if start + i in self.blocks)
        return mask.to_bytes(length // 8, "little")


class Node:
    """One log with its replicator, linked to other nodes by queues of messages."""

    def __init__(self, core: MemoryCore, *, allow_truncation: bool = True) -> None:
        self.core = core
        self.replicator = Replicator(core, allow_truncation=allow_truncation)
        self.outboxes: dict[int, deque[tuple[int, bytes]]] = {}
        self.faults: list[Fault] = []
        self.forks: list[ForkObserved] = []
        self.sent: list[Send] = []

    def open_channel(self, now: float = 0.0) -> int:
        """Add a peer; gives its number."""
        number = len(self.outboxes)
        self.outboxes[number] = deque()
        self.replicator.add_peer(number, now)
        self.settle()
        return number

    def hear(self, peer: int, kind: int, payload: bytes, now: float = 0.0) -> None:
        """Take a message of a peer."""
        self.replicator.receive_untrusted(peer, kind, payload, now)
        self.settle()

    def settle(self) -> None:
        """Do everything the replicator wants done."""
        while (event := self.replicator.next_event()) is not None:
            if isinstance(event, Send):
                self.sent.append(event)
                self.outboxes[event.peer].append((event.kind, event.payload))
            elif isinstance(event, Verified):
                self.core.apply(event.change)
            elif isinstance(event, Fault):
                self.faults.append(event)
            else:
                self.forks.append(event)

    def append(self, blocks: list[bytes], now: float = 0.0) -> None:
        self.core.append(blocks)
        self.replicator.core_changed(now)
        self.settle()

    def want(self, start: int, end: int | None, now: float = 0.0) -> int:
        number = self.replicator.want(start, end, now)
        self.settle()
        return number


class Link:
    """A channel between two nodes."""

    def __init__(self, a: Node, b: Node, now: float = 0.0) -> None:
        self.ends = ((a, a.open_channel(now)), (b, b.open_channel(now)))

    def waiting(self, direction: int) -> int:
        """Messages on their way; direction 0 is from the first node to the second."""
        node, peer = self.ends[direction]
        return len(node.outboxes[peer])

    def deliver(self, direction: int, now: float = 0.0) -> None:
        """Hand over the oldest message of a direction."""
        sender, number = self.ends[direction]
        receiver, peer = self.ends[1 - direction]
        kind, payload = sender.outboxes[number].popleft()
        receiver.hear(peer, kind, payload, now)

    def close(self, now: float = 0.0) -> None:
        for node, peer in self.ends:
            node.outboxes[peer].clear()
            node.replicator.remove_peer(peer, now)
            node.settle()


def run(*links: Link, now: float = 0.0) -> int:
    """Deliver until nothing is on its way; gives the number of messages."""
    count = 0
    while True:
        busy = [(k, d) for k in links for d in (0, 1) if k.waiting(d)]
        if not busy:
            return count
        for link, direction in busy:
            link.deliver(direction, now)
            count += 1
