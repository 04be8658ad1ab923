"""Taking a key out of the tree and filling up the nodes that have too few keys then.

A node other than the root keeps at least 4 keys. Which sibling helps out, and which neighbour
replaces a key of an inner node, is part of the format: every writer must make the same blocks.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import BeeBlockError
from ..limits import MAX_BEE_KEYS
from .reading import BlockReads
from .tree import Child, Node

MIN_KEYS = MAX_BEE_KEYS // 2

Load = Callable[[Child, int], BlockReads[Node]]


def take_out(stack: list[Node], position: int, load: Load) -> BlockReads[Node]:
    """Remove key ``position`` of the last node of ``stack`` and balance the tree.

    Args:
      stack: the path from the root to the node that has the key; used up.
      load: gives the node behind a child that lies so many levels below the root.

    Returns: the root, which is another one if the tree lost a generation. Everything that the
    operation has to write is marked as changed.
    """
    node = stack[-1]
    if node.children:
        yield from _replace_from_leaf(node, position, stack, load)
    else:
        node.remove_key(position)
    for passed in stack:
        passed.changed = True
    return (yield from _balance(stack, load))


def _edge(child: Child, depth: int, last: bool, load: Load) -> BlockReads[list[Node]]:
    """The path from a child down to its first or last leaf."""
    path = [(yield from load(child, depth))]
    while path[-1].children:
        path.append((yield from load(path[-1].children[-1 if last else 0], depth + len(path))))
    return path


def _replace_from_leaf(
    node: Node, position: int, stack: list[Node], load: Load
) -> BlockReads[None]:
    """Let the fuller of the two neighbouring leaves give a key; the left one if they are equal."""
    depth = len(stack)
    left = yield from _edge(node.children[position], depth, True, load)
    right = yield from _edge(node.children[position + 1], depth, False, load)
    if len(left[-1].codes) < len(right[-1].codes):
        stack.extend(right)
        node.replace_key(position, *right[-1].remove_key(0))
    else:
        stack.extend(left)
        node.replace_key(position, *left[-1].remove_key(-1))


def _balance(stack: list[Node], load: Load) -> BlockReads[Node]:
    root = stack[0]
    while len(stack) > 1:
        node = stack.pop()
        if len(node.codes) >= MIN_KEYS:
            return root
        parent = stack[-1]
        i = next(i for i, child in enumerate(parent.children) if child.node is node)
        left = (yield from load(parent.children[i - 1], len(stack))) if i > 0 else None
        right = None
        if i + 1 < len(parent.children):
            right = yield from load(parent.children[i + 1], len(stack))
        for sibling in (left, right):
            if sibling is not None and bool(sibling.children) != bool(node.children):
                raise BeeBlockError("a leaf and an inner node are siblings")
        if left is not None and len(left.codes) > MIN_KEYS:
            _borrow_from_left(parent, i, left, node)
            return root
        if right is not None and len(right.codes) > MIN_KEYS:
            _borrow_from_right(parent, i, node, right)
            return root
        if left is not None:
            _merge(parent, i - 1, left, node)
        else:
            assert right is not None, "an inner node has two children or more"
            _merge(parent, i, node, right)
    if not root.codes and root.children:
        return (yield from load(root.children[0], 1))
    return root


def _borrow_from_left(parent: Node, i: int, left: Node, node: Node) -> None:
    """Turn a key through the parent: left's last, to the parent, to the front of the node."""
    left.changed = True
    node.insert_key(0, parent.codes[i - 1], parent.names[i - 1])
    if left.children:
        node.children.insert(0, left.children.pop())
    parent.replace_key(i - 1, *left.remove_key(-1))


def _borrow_from_right(parent: Node, i: int, node: Node, right: Node) -> None:
    """Turn a key through the parent: right's first, to the parent, to the end of the node."""
    right.changed = True
    node.insert_key(len(node.codes), parent.codes[i], parent.names[i])
    if right.children:
        node.children.append(right.children.pop(0))
    parent.replace_key(i, *right.remove_key(0))


def _merge(parent: Node, i: int, left: Node, right: Node) -> None:
    """Put child i + 1 of the parent, and the key between, into child i."""
    left.changed = True
    code, name = parent.remove_key(i)
    left.codes += [code, *right.codes]
    left.names += [name, *right.names]
    left.children += right.children
    left.keys_part = None
    # Address 0 tells an earlier block of the batch that nobody refers to this node any more.
    parent.children.pop(i + 1).seq = 0
