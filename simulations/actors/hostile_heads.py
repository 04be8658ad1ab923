"""Peers that lie about what a writer signed: heads and proofs of their own, blocks of elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from protocol.crypto.hashes import TreeNode
from protocol.crypto.manifest import Manifest
from protocol.hypercore.core import EMPTY_HEAD, CoreReader, TreeHead
from protocol.hypercore.heads.contradiction import Rewrite, Statement
from protocol.hypercore.merkle.growth import append_blocks
from protocol.hypercore.merkle.proof import Data
from protocol.transparency.proofs.log_frauds import BlockRewriteFraudProof

from .hostile_log import HostileLog, OneMore


class Words:
    """What the gossip is told of a log: a ``SharedHeads`` without a table behind it."""

    def __init__(self, core: CoreReader, head: TreeHead, proof_text: str | None = None) -> None:
        self.key = core.key
        self.discovery_key = core.discovery_key
        self.manifest = core.manifest
        self.head = head
        self.ahead: Sequence[TreeHead] = ()
        self.proof_text = proof_text

    def question(self, head: TreeHead) -> int | None:
        """Nothing is asked."""
        return None

    def tree_at(self, length: int) -> Data | None:
        """Nothing is shown."""
        return None

    def see_untrusted(self, head: TreeHead, manifest: Manifest | None) -> None:
        """What others say is of no interest."""

    def see_tree_untrusted(self, data: Data) -> None:
        """See ``see_untrusted``."""

    def take_proof_untrusted(self, text: str) -> None:
        """See ``see_untrusted``."""

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Nothing changes."""
        return lambda: None


class _Gossips(HostileLog):
    """Serves the true log; its words about it are others'."""

    def __init__(self, core: CoreReader) -> None:
        super().__init__(core)
        self.told = 1
        self._words = self.words(core)

    @property
    def heads(self) -> Words:
        return self._words

    def words(self, core: CoreReader) -> Words:
        """What it says."""
        raise NotImplementedError


class UnsignedHead(_Gossips):
    """Tells of a head with one block more, which nobody signed."""

    def words(self, core: CoreReader) -> Words:
        return Words(core, OneMore(core).head)


class BorrowedSignature(_Gossips):
    """Tells of another history, with the signature of the true one."""

    def words(self, core: CoreReader) -> Words:
        return Words(core, OtherBlocks(core).head)


class EmptyProof(_Gossips):
    """Tells of a fraud, and proves it with one statement twice."""

    def words(self, core: CoreReader) -> Words:
        twice = Rewrite(Statement(core.head, ()), Statement(core.head, ()))
        proof = BlockRewriteFraudProof(core.key, core.manifest, twice)
        return Words(core, core.head, proof.to_json())


class OtherHistory(HostileLog):
    """Serves blocks of another history under the signature of the true one."""

    def __init__(self, core: CoreReader) -> None:
        super().__init__(OtherBlocks(core))
        self.told = 1


class OtherBlocks:
    """A ``CoreReader``: as long as another, with other blocks, and with its signature."""

    def __init__(self, core: CoreReader) -> None:
        self.key = core.key
        self.discovery_key = core.discovery_key
        self.manifest = core.manifest
        self._blocks = [b"another %d" % number for number in range(core.head.length)]
        nodes, head = append_blocks(EMPTY_HEAD, self._blocks)
        self._nodes = {node.index: node for node in nodes}
        self.head = replace(head, signature=core.head.signature)
        self.contiguous_length = core.head.length

    def node(self, index: int) -> TreeNode | None:
        """See ``CoreReader``."""
        return self._nodes.get(index)

    def block(self, index: int) -> bytes | None:
        """See ``CoreReader``."""
        return self._blocks[index]

    def has(self, index: int) -> bool:
        """See ``CoreReader``."""
        return index < len(self._blocks)

    def bitfield(self, start: int, length: int) -> bytes:
        """See ``CoreReader``."""
        held = bytearray((length + 7) // 8)
        for index in range(start, min(start + length, len(self._blocks))):
            at = index - start
            held[at // 8] |= 1 << at % 8
        return bytes(held)
