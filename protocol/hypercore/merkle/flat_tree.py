"""Flat-tree arithmetic: a binary tree of any size as a list of integers.

Leaves have the even indexes (block i is 2 i), parents lie between their children::

            3
        1       5
      0   2   4   6

Lengths are counted in blocks, everything else is an index. Wire facts: specs/04-merkle-log.md
section 2; npm ``flat-tree``.
"""

from __future__ import annotations


def depth(index: int) -> int:
    """Height of a node above the leaves: the number of trailing one bits."""
    return (~index & (index + 1)).bit_length() - 1


def offset(index: int) -> int:
    """Position of a node among those of its depth, from the left."""
    return index >> (depth(index) + 1)


def node_index(depth: int, offset: int) -> int:
    """The index of a node given by its height and its position from the left."""
    return ((2 * offset + 1) << depth) - 1


def leaf_count(index: int) -> int:
    """How many leaves a full tree below ``index`` has."""
    return ~index & (index + 1)


def parent(index: int) -> int:
    """The node right above."""
    half = ~index & (index + 1)
    return index - half if index & (2 * half) else index + half


def sibling(index: int) -> int:
    """The other child of the parent."""
    span = 2 * (~index & (index + 1))
    return index - span if index & span else index + span


def is_left_child(index: int) -> bool:
    """Whether the sibling lies to the right."""
    return not index & (2 * (~index & (index + 1)))


def left_child(index: int) -> int:
    """The left node below ``index``, which is no leaf."""
    return index - ((~index & (index + 1)) >> 1)


def right_child(index: int) -> int:
    """The right node below ``index``, which is no leaf."""
    return index + ((~index & (index + 1)) >> 1)


def children(index: int) -> tuple[int, int] | None:
    """The two nodes right below, or None for a leaf."""
    return (left_child(index), right_child(index)) if index & 1 else None


def left_span(index: int) -> int:
    """The leftmost leaf below ``index``."""
    return index & (index + 1)


def right_span(index: int) -> int:
    """The rightmost leaf below ``index``."""
    return index + (~index & (index + 1)) - 1


def end_length(index: int) -> int:
    """How many blocks a log has that ends with the rightmost leaf below ``index``."""
    return (index + (~index & (index + 1)) + 1) >> 1


def contains(index: int, other: int) -> bool:
    """Whether ``other`` is ``index`` or lies below it."""
    return abs(other - index) < (~index & (index + 1))


def full_roots(length: int) -> list[int]:
    """The peaks of a tree of ``length`` leaves, left to right: one per one bit of the length."""
    roots = []
    start = 0
    while length:
        leaves = 1 << (length.bit_length() - 1)
        roots.append(start + leaves - 1)
        start += 2 * leaves
        length -= leaves
    return roots


def upgrade_indexes(start: int, end: int) -> list[int]:
    """The nodes that take the roots at ``start`` blocks to the roots at ``end`` blocks, in order.

    Every one is appended as a root and merged with the root before it as long as the two are
    siblings.
    """
    indexes = []
    for root in full_roots(end):
        if end_length(root) <= start:
            continue
        if left_span(root) >= 2 * start:
            indexes.append(root)
            continue
        # The one root that covers the old end: climb to it from the last old leaf.
        node = 2 * start - 2
        while node != root:
            if is_left_child(node):
                indexes.append(sibling(node))
            node = parent(node)
    return indexes
