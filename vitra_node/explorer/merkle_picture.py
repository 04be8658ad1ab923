"""The way of a block up to its signed head, laid out to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.crypto.hashes import TreeNode, leaf_node, parent_node, tree_hash
from protocol.hypercore.merkle.flat_tree import sibling
from protocol.transparency.proofs.inclusion import InclusionProof

NODE_WIDTH, NODE_HEIGHT = 150, 44
_GAP, _LEVEL = 22, 86
_MARGIN = 12


@dataclass(frozen=True, slots=True)
class PictureNode:
    """One node: where its box stands, what it is, and its hash.

    Attributes:
      kind: ``block``, ``computed`` from what is below, ``given`` by the proof, or ``head``.
    """

    x: int
    y: int
    kind: str
    label: str
    hash: str


@dataclass(frozen=True, slots=True)
class MerklePicture:
    """Boxes and the lines between them, in the order of drawing; sizes in pixels."""

    width: int
    height: int
    nodes: tuple[PictureNode, ...]
    lines: tuple[tuple[int, int, int, int], ...]
    verified: bool


def picture_of(proof: InclusionProof, *, verified: bool) -> MerklePicture:
    """Draw from the block at the bottom to the head at the top."""
    path, siblings = _path(proof)
    peak = path[-1]
    roots = sorted((*proof.upgrade.nodes, peak))
    # Levels from the top: the head, the roots, then one for each step down to the block.
    columns = max(len(roots), 2 if siblings else 1)
    width = 2 * _MARGIN + columns * NODE_WIDTH + (columns - 1) * _GAP
    height = 2 * _MARGIN + (len(path) + 1) * _LEVEL + NODE_HEIGHT - _LEVEL
    nodes: list[PictureNode] = []
    lines: list[tuple[int, int, int, int]] = []

    head = _place(0, 1, 0, width)
    nodes.append(PictureNode(*head, "head", "signed head", tree_hash(roots).hex()))
    peak_at = (0, 0)
    for position, root in enumerate(roots):
        at = _place(position, len(roots), 1, width)
        lines.append(_line(head, at))
        kind = "computed" if root == peak else "given"
        if root == peak:
            peak_at = at
            kind = "block" if len(path) == 1 else "computed"
        label = f"block {proof.block.index}" if kind == "block" else f"root {root.index}"
        nodes.append(PictureNode(*at, kind, label, root.hash.hex()))
    above = peak_at
    for level, (node, other) in enumerate(zip(path[-2::-1], siblings[::-1], strict=True), 2):
        left, right = _place(0, 2, level, width), _place(1, 2, level, width)
        own, beside = (left, right) if node.index < other.index else (right, left)
        lines += [_line(above, own), _line(above, beside)]
        last = level == len(path)
        label = f"block {proof.block.index}" if last else f"node {node.index}"
        kind = "block" if last else "computed"
        nodes.append(PictureNode(*own, kind, label, node.hash.hex()))
        nodes.append(PictureNode(*beside, "given", f"node {other.index}", other.hash.hex()))
        above = own
    return MerklePicture(width, height, tuple(nodes), tuple(lines), verified)


def _path(proof: InclusionProof) -> tuple[list[TreeNode], list[TreeNode]]:
    """The nodes from the block up to its root, and the sibling of each but the last."""
    path = [leaf_node(proof.block.index, proof.block.value)]
    siblings: list[TreeNode] = []
    for node in proof.block.nodes:
        if node.index != sibling(path[-1].index):
            break
        siblings.append(node)
        path.append(parent_node(path[-1], node))
    return path, siblings


def _place(position: int, count: int, level: int, width: int) -> tuple[int, int]:
    """The upper left corner of a box: ``count`` boxes of a level stand centred side by side."""
    row = count * NODE_WIDTH + (count - 1) * _GAP
    x = (width - row) // 2 + position * (NODE_WIDTH + _GAP)
    return x, _MARGIN + level * _LEVEL


def _line(above: tuple[int, int], below: tuple[int, int]) -> tuple[int, int, int, int]:
    half = NODE_WIDTH // 2
    return above[0] + half, above[1] + NODE_HEIGHT, below[0] + half, below[1]
