"""The B-tree as a writer holds it: nodes in memory, loaded when needed, then changed in place.

Between operations a node's children may be unknown (``Child.node`` is None) but are addressed.
While an operation runs, ``Node.changed`` marks what it touched. ``number_levels`` then gives the
changed nodes their new addresses; the resulting list of ``Child`` objects is what the block of the
operation will hold. A later operation of the same batch that changes a node again overwrites the
address in the same ``Child``, which is how the earlier block learns that its copy is stale.
"""

from __future__ import annotations

from .blocks import Level
from .varint import SHORT_VARINTS, encode_varint


class Child:
    """Where a node is, shared by its parent and by the level list of the block that wrote it.

    Attributes:
      pair: encoded address.
      seq: block of the address if it was written in the batch under way; else 0, or the seq of an
        earlier batch.
      node: the node once loaded.
    """

    __slots__ = ("node", "pair", "seq")

    def __init__(self, pair: bytes, node: Node | None) -> None:
        self.pair = pair
        self.seq = 0
        self.node = node


class Node:
    """One node.

    Attributes:
      codes: per key, the varint of the seq whose block holds the key.
      names: per key, its bytes once they were looked up, else None.
      children: empty in a leaf.
      changed: whether the operation under way must write the node.
      keys_part: the encoded key list, or None when keys changed since it was made.
      used: the turn of its writer in which an operation last came by; see ``LiveNodes``.
    """

    __slots__ = ("changed", "children", "codes", "keys_part", "names", "used")

    def __init__(
        self, codes: list[bytes], names: list[bytes | None], children: list[Child]
    ) -> None:
        self.codes = codes
        self.names = names
        self.children = children
        self.changed = False
        self.keys_part: bytes | None = None
        self.used = 0

    @classmethod
    def load(cls, level: Level) -> Node:
        """A node as stored; ``level`` stays as it is."""
        return cls(
            level.codes.copy(), level.names.copy(), [Child(pair, None) for pair in level.pairs]
        )

    def insert_key(self, position: int, code: bytes, name: bytes | None) -> None:
        """Add a key in front of the one at ``position``."""
        self.codes.insert(position, code)
        self.names.insert(position, name)
        self.keys_part = None

    def replace_key(self, position: int, code: bytes, name: bytes | None) -> None:
        """Put a key in the place of another."""
        self.codes[position] = code
        self.names[position] = name
        self.keys_part = None

    def remove_key(self, position: int) -> tuple[bytes, bytes | None]:
        """Take a key out (-1: the last one); gives its code and name."""
        self.keys_part = None
        return self.codes.pop(position), self.names.pop(position)

    def split(self) -> tuple[bytes, bytes | None, Node]:
        """Halve a node of 9 keys: gives the key in the middle and the node to its right."""
        middle = len(self.codes) >> 1
        right = Node(
            self.codes[middle + 1 :], self.names[middle + 1 :], self.children[middle + 1 :]
        )
        code, name = self.codes[middle], self.names[middle]
        del self.codes[middle:], self.names[middle:], self.children[middle + 1 :]
        self.keys_part = None
        self.changed = right.changed = True
        right.used = self.used
        return code, name, right

    def encode(self) -> bytes:
        """The node as a level of an index."""
        # 8 keys of at most 8 bytes, 9 children of at most 16: every length here is short.
        keys_part = self.keys_part
        if keys_part is None:
            keys = b"".join(self.codes)
            # An empty list is left out.
            keys_part = b"\x0a" + SHORT_VARINTS[len(keys)] + keys if keys else b""
            self.keys_part = keys_part
        if not self.children:
            return b"\x0a" + SHORT_VARINTS[len(keys_part)] + keys_part
        pairs = b"".join([child.pair for child in self.children])
        size = SHORT_VARINTS[len(pairs)]
        length = SHORT_VARINTS[len(keys_part) + 1 + len(size) + len(pairs)]
        return b"".join((b"\x0a", length, keys_part, b"\x12", size, pairs))


def number_levels(root: Node, seq: int, seq_code: bytes) -> list[Child | None]:
    """Address every changed node below ``root``, in pre-order, in block ``seq``.

    Returns: the levels. Level 0 is the root, which no ``Child`` refers to, hence None.
    """
    levels: list[Child | None] = [None]
    _number_children(root, seq, seq_code, levels)
    return levels


def _number_children(node: Node, seq: int, seq_code: bytes, levels: list[Child | None]) -> None:
    node.changed = False
    for child in node.children:
        below = child.node
        if below is not None and below.changed:
            child.seq = seq
            child.pair = seq_code + encode_varint(len(levels))
            levels.append(child)
            _number_children(below, seq, seq_code, levels)


def compact_levels(levels: list[Child | None], seq: int, seq_code: bytes) -> None:
    """Drop the levels that a later operation of the batch wrote again, and renumber the rest.

    The order that results (a hole is filled with the last level) is Hyperbee's, so that all
    writers make the same blocks.
    """
    levels[0] = None
    position = 0
    while position < len(levels):
        child = levels[position]
        if child is not None and child.seq == seq:
            child.pair = seq_code + encode_varint(position)
            position += 1
        elif position == len(levels) - 1:
            levels.pop()
        else:
            levels[position] = levels.pop()
