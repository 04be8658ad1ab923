"""A Hypercore in a dict: the smallest ``CoreReader``, for tests of the Merkle log alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from protocol.crypto.hashes import TreeNode, discovery_key
from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import Manifest, default_manifest, manifest_key
from protocol.hypercore.core import EMPTY_HEAD, CoreChange, TreeHead
from protocol.hypercore.merkle.flat_tree import end_length
from protocol.hypercore.merkle.growth import append_blocks, head_at, sign_head

KEY_PAIR = KeyPair.from_seed(bytes([1]) * 32)


class MemoryCore:
    """Satisfies ``CoreReader``; ``apply`` stores a change, ``append`` and ``truncate`` write."""

    def __init__(self, key: bytes, manifest: Manifest | None = None) -> None:
        self.key = key
        self.discovery_key = discovery_key(key)
        self.manifest = manifest
        self.head: TreeHead = EMPTY_HEAD
        self.nodes: dict[int, TreeNode] = {}
        self.blocks: dict[int, bytes] = {}

    @property
    def contiguous_length(self) -> int:
        length = 0
        while length in self.blocks:
            length += 1
        return length

    def node(self, index: int) -> TreeNode | None:
        return self.nodes.get(index)

    def block(self, index: int) -> bytes | None:
        return self.blocks.get(index)

    def has(self, index: int) -> bool:
        return index in self.blocks

    def bitfield(self, start: int, length: int) -> bytes:
        bits = sum(1 << i for i in range(length) if start + i in self.blocks)
        return bits.to_bytes(length // 8, "little")

    def apply(self, change: CoreChange) -> None:
        if change.truncated_to is not None:
            self._drop(change.truncated_to)
        for node in change.nodes:
            self.nodes[node.index] = node
        self.blocks.update(change.blocks)
        if change.head is not None:
            self.head = change.head
        if change.manifest is not None:
            self.manifest = change.manifest

    def _drop(self, length: int) -> None:
        self.nodes = {i: n for i, n in self.nodes.items() if end_length(i) <= length}
        self.blocks = {i: b for i, b in self.blocks.items() if i < length}

    def append(self, blocks: Iterable[bytes], key_pair: KeyPair = KEY_PAIR) -> None:
        assert self.manifest is not None
        blocks = list(blocks)
        nodes, head = append_blocks(self.head, blocks)
        signed = sign_head(self.manifest, self.key, key_pair, head)
        self.apply(CoreChange(nodes, list(enumerate(blocks, self.head.length)), signed))

    def truncate(self, length: int, key_pair: KeyPair = KEY_PAIR) -> None:
        assert self.manifest is not None
        head = head_at(self, length, self.head.fork + 1)
        self._drop(length)
        signed = sign_head(self.manifest, self.key, key_pair, head) if length else head
        self.head = replace(signed, fork=head.fork)


def block_values(count: int, start: int = 0) -> list[bytes]:
    """The blocks of the published vectors: ``block #i``."""
    return [b"block #%d" % i for i in range(start, start + count)]


def written_core(count: int, manifest: Manifest | None = None) -> MemoryCore:
    """A full log of ``count`` vector blocks, version 1 unless a manifest is given."""
    manifest = manifest or default_manifest(KEY_PAIR.public_key)
    core = MemoryCore(manifest_key(manifest), manifest)
    core.append(block_values(count))
    return core


def compat_core(count: int) -> MemoryCore:
    """A full log whose key is its writer's public key."""
    core = MemoryCore(KEY_PAIR.public_key, default_manifest(KEY_PAIR.public_key))
    core.append(block_values(count))
    return core
