"""An extract of a log: some of its blocks, each with its way up to one head that its writer signed.

The ways share nodes, and all of them the head, so an extract of many blocks is little more than the
blocks. It is what a proof carries instead of the log: whoever checks it knows nothing else.

How it is checked: from each root of the head down to the blocks, a node is computed from its
children wherever blocks lie below it, and taken from the extract where none do. Every node that the
extract holds has to be used, in order, so there is one extract of given blocks and head.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...crypto.hashes import HASH_BYTES, TreeNode, leaf_node, parent_node, tree_hash
from ...crypto.manifest import Manifest
from ...errors import ProofError, RecordError
from ...hypercore.core import CoreReader, TreeHead
from ...hypercore.heads.contradiction import check_head_untrusted
from ...hypercore.merkle.flat_tree import children, full_roots, left_span, right_span
from ...hypercore.merkle.prover import CannotProve, NoDataReason
from ...limits import (
    MAX_BLOCK_BYTES,
    MAX_EXTRACT_BLOCKS,
    MAX_EXTRACT_NODES,
    MAX_PROOF_NODES,
)
from .json_fields import as_bytes, as_count, base64_of, field, read_key
from .signed_nodes import (
    head_of,
    head_to_json,
    manifest_for,
    manifest_to_json,
    nodes_to_json,
    read_manifest,
    read_nodes,
)

Rows: TypeAlias = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class LogExtract:
    """Blocks of a log under a signed head; says nothing before it is checked.

    Attributes:
      log_key: key of the log, 32 bytes.
      manifest: who may sign; None where the key itself is the writer's public key.
      head: the signed head.
      blocks: numbers and blocks, in order.
      nodes: what else is needed to compute the roots of the head, from left to right, parents
        before what is beside their children.
    """

    log_key: bytes
    manifest: Manifest | None
    head: TreeHead
    blocks: Rows
    nodes: tuple[TreeNode, ...]

    def check_untrusted(self, log_key: bytes | None = None) -> ProvenLog:
        """Check it, against the key of a known log or for whatever log it names.

        Raises:
          ProofError: it is for another log, or any part of it does not verify.
        """
        manifest = manifest_for(self.log_key, self.manifest, log_key)
        check_head_untrusted(self.log_key, manifest, self.head)
        check = _Check(self)
        check.run()
        return ProvenLog(self.log_key, self.head, dict(self.blocks), check.known)

    def to_json(self) -> dict[str, Any]:
        """The extract as a JSON value; ``from_json_untrusted`` gives an equal one back."""
        return {
            "logKey": self.log_key.hex(),
            "manifest": manifest_to_json(self.manifest),
            "head": head_to_json(self.head),
            "blocks": [[index, base64_of(block)] for index, block in self.blocks],
            "nodes": nodes_to_json(self.nodes),
        }

    @classmethod
    def from_json_untrusted(cls, document: Any) -> LogExtract:
        """Read an extract; it still has to be checked.

        Raises:
          RecordError: a field is missing or of another type.
        """
        rows = field(document, "blocks")
        if not isinstance(rows, list) or len(rows) > MAX_EXTRACT_BLOCKS:
            raise RecordError("blocks is not a list of blocks")
        blocks = []
        for row in rows:
            if not isinstance(row, list) or len(row) != 2:
                raise RecordError("blocks holds something that is no block")
            blocks.append((as_count(row[0], "blocks"), as_bytes(row[1], "blocks")))
        return cls(
            log_key=read_key(document, "logKey"),
            manifest=read_manifest(document),
            head=head_of(field(document, "head"), MAX_PROOF_NODES),
            blocks=tuple(blocks),
            nodes=read_nodes(document, "nodes", MAX_EXTRACT_NODES),
        )


@dataclass(frozen=True, slots=True)
class ProvenLog:
    """What a checked extract says: these blocks stand there, and the log's writer signed for it.

    Attributes:
      log_key: key of the log, 32 bytes.
      head: the signed head.
      blocks: by number.
      nodes: all nodes of the tree that the check came by, by flat-tree index.
    """

    log_key: bytes
    head: TreeHead
    blocks: Mapping[int, bytes]
    nodes: Mapping[int, TreeNode]

    def tree_hash_at(self, length: int) -> bytes | None:
        """The tree hash that the log had at an earlier length, if the extract shows it.

        It always does for the length that ends with a block it holds.
        """
        nodes = [self.nodes.get(index) for index in full_roots(length)]
        if not 0 < length <= self.head.length or None in nodes:
            return None
        return tree_hash([node for node in nodes if node is not None])


def extract_blocks(core: CoreReader, indexes: Collection[int]) -> LogExtract:
    """Extract blocks of a stored log under its newest head.

    Raises:
      CannotProve: there is no signed head, or a block or node is not stored here.
    """
    head, manifest = core.head, core.manifest
    wanted = sorted(indexes)
    blocks = []
    for index in wanted:
        block = core.block(index) if index < head.length else None
        if block is None:
            raise _not_stored(f"block {index}")
        blocks.append((index, block))
    nodes: list[TreeNode] = []
    for root in head.roots:
        for index in _beside(root.index, wanted):
            node = core.node(index)
            if node is None:
                raise _not_stored(f"tree node {index}")
            nodes.append(node)
    if manifest is not None and manifest.is_compat(core.key):
        manifest = None
    return LogExtract(core.key, manifest, head, tuple(blocks), tuple(nodes))


def _not_stored(what: str) -> CannotProve:
    return CannotProve(NoDataReason.NOT_AVAILABLE, f"{what} is not stored here")


def _beside(index: int, wanted: list[int]) -> Iterator[int]:
    """The nodes below ``index`` that have none of the wanted blocks below them; not itself."""
    pair = children(index)
    if pair is None or not _touches(index, wanted):
        return
    for child in pair:
        if _touches(child, wanted):
            yield from _beside(child, wanted)
        else:
            yield child


def _touches(index: int, wanted: list[int]) -> bool:
    """Whether one of the wanted blocks, which are in order, lies below a node."""
    position = bisect_left(wanted, left_span(index) // 2)
    return position < len(wanted) and wanted[position] <= right_span(index) // 2


class _Check:
    """One check: computes the roots from blocks and nodes."""

    def __init__(self, extract: LogExtract) -> None:
        self.known: dict[int, TreeNode] = {}
        self._head = extract.head
        self._blocks = dict(extract.blocks)
        self._wanted = [index for index, _ in extract.blocks]
        self._given = iter(extract.nodes)

    def run(self) -> None:
        wanted = self._wanted
        if wanted != sorted(self._blocks) or any(i >= self._head.length for i in wanted):
            raise ProofError("the blocks are not in order, or lie beyond the head")
        if any(len(block) > MAX_BLOCK_BYTES for block in self._blocks.values()):
            raise ProofError("a block is larger than any log may hold")
        for root in self._head.roots:
            self.known[root.index] = root
            if _touches(root.index, wanted) and self._compute(root.index) != root:
                raise ProofError("the blocks do not lead to the signed head")
        if next(self._given, None) is not None:
            raise ProofError("there are nodes that belong nowhere")

    def _compute(self, index: int) -> TreeNode:
        pair = children(index)
        if pair is None:
            node = leaf_node(index // 2, self._blocks[index // 2])
        else:
            left, right = (
                self._compute(child) if _touches(child, self._wanted) else self._take(child)
                for child in pair
            )
            node = parent_node(left, right)
        self.known[index] = node
        return node

    def _take(self, index: int) -> TreeNode:
        node = next(self._given, None)
        if node is None or node.index != index or len(node.hash) != HASH_BYTES:
            raise ProofError(f"tree node {index} is missing")
        self.known[index] = node
        return node
