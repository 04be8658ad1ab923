"""Logs of every kind of manifest, grown from one beginning into any number of histories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import (
    Manifest,
    default_manifest,
    manifest_key,
    multi_signer_manifest,
)
from protocol.hypercore.core import EMPTY_HEAD, CoreChange, TreeHead
from protocol.hypercore.merkle.growth import (
    append_blocks,
    assemble_head,
    head_at,
    sign_head,
    sign_partial,
    upgrade_nodes,
)

from .merkle_core import MemoryCore

PAIRS = [KeyPair.from_seed(bytes([number]) * 32) for number in range(1, 4)]
PUBLIC_KEYS = tuple(pair.public_key for pair in PAIRS)

_SINGLE = default_manifest(PUBLIC_KEYS[0])
_QUORUM = multi_signer_manifest(PUBLIC_KEYS)
_PATCHED = multi_signer_manifest(PUBLIC_KEYS, allow_patch=True)


@dataclass(frozen=True)
class Kind:
    """One kind of log: its manifest and key; ``patch`` makes the second signer sign ahead."""

    manifest: Manifest
    key: bytes
    patch: bool = False

    def core(self, blocks: list[bytes]) -> MemoryCore:
        """A full copy of a log of these blocks, signed."""
        core = MemoryCore(self.key, self.manifest)
        nodes, head = append_blocks(EMPTY_HEAD, blocks)
        core.apply(CoreChange(nodes, list(enumerate(blocks)), head))
        core.head = self.sign(core, head)
        return core

    def head(self, core: MemoryCore, length: int, fork: int = 0) -> TreeHead:
        """The signed head that the log had at a length."""
        return self.sign(core, head_at(core, length, fork))

    def sign(self, core: MemoryCore, head: TreeHead) -> TreeHead:
        """Sign as the manifest demands."""
        if len(self.manifest.signers) == 1:
            return sign_head(self.manifest, self.key, PAIRS[0], head)
        first = sign_partial(self.manifest, self.key, PAIRS[0], head)
        second = sign_partial(self.manifest, self.key, PAIRS[1], head)
        if self.patch and head.length < core.head.length and head.fork == core.head.fork:
            longer = replace(core.head, signature=None)
            ahead = longer.length - head.length
            nodes = upgrade_nodes(core, head.length, longer.length)
            assert nodes is not None
            second = sign_partial(self.manifest, self.key, PAIRS[1], longer, ahead, nodes)
        return assemble_head(self.manifest, self.key, head, [first, second])


KINDS: dict[str, Kind] = {
    "compat": Kind(_SINGLE, PUBLIC_KEYS[0]),
    "version 0": Kind(
        default_manifest(PUBLIC_KEYS[0], 0), manifest_key(default_manifest(PUBLIC_KEYS[0], 0))
    ),
    "version 1": Kind(_SINGLE, manifest_key(_SINGLE)),
    "two of three": Kind(_QUORUM, manifest_key(_QUORUM)),
    "with patches": Kind(_PATCHED, manifest_key(_PATCHED), patch=True),
}


def blocks(count: int, split: int, word: bytes) -> list[bytes]:
    """Blocks that are the same for every ``word`` before ``split``."""
    return [b"%s %d" % (b"same" if i < split else word, i) for i in range(count)]


def sparse(core: MemoryCore, keep: Callable[[int], bool]) -> MemoryCore:
    """A copy without blocks, that holds its roots and the nodes that ``keep`` names."""
    copy = MemoryCore(core.key, core.manifest)
    copy.head = core.head
    copy.nodes = {i: node for i, node in core.nodes.items() if keep(i)}
    copy.nodes |= {root.index: root for root in core.head.roots}
    return copy
