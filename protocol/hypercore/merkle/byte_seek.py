"""Finding the block that holds a byte, in the tree nodes that are stored.

Where blocks are empty, several positions mean the same byte; this gives the one that npm
``hypercore`` 11 gives.

Where the way is not stored, a block on it has to be fetched, not an answer to a *seek* request: a
hash fixes only the sum of two sizes, so whoever answers a seek may divide the bytes as it likes,
while a block that verifies fixes the sizes of all nodes beside its path. Each such block leads at
least one level further down, with blocks of like size mostly to the end.
"""

from __future__ import annotations

from typing import NamedTuple

from ...errors import LocalProtocolError
from ..core import CoreReader, TreeHead
from .flat_tree import children, end_length, leaf_count, left_span


class Unknown(NamedTuple):
    """The way to a byte is not stored.

    Attributes:
      block: not stored either; the byte is in or near it, and it brings more of the way.
    """

    block: int


def seek_byte(
    core: CoreReader, head: TreeHead, byte_offset: int, padding_bytes: int = 0
) -> tuple[int, int] | Unknown:
    """The block with byte ``byte_offset`` of the log at ``head``, and the offset inside it.

    ``padding_bytes`` of each block do not count. The end of the log is block ``head.length``.

    Returns: ``Unknown`` when a tree node on the way is not stored.

    Raises:
      LocalProtocolError: negative, or past the end of the log.
    """
    if byte_offset == 0:
        return 0, 0
    left = byte_offset
    for root in head.roots if left > 0 else ():
        size = root.size - padding_bytes * leaf_count(root.index)
        if left < size:
            return _seek_below(core, root.index, size, left, padding_bytes)
        if left == size:
            return end_length(root.index), 0
        left -= size
    raise LocalProtocolError(f"there is no byte {byte_offset} in the log")


def _seek_below(
    core: CoreReader, index: int, below: int, left: int, padding_bytes: int
) -> tuple[int, int] | Unknown:
    while (pair := children(index)) is not None:
        node = core.node(pair[0])
        if node is None:
            # As if all blocks were of one size: ``left`` of the ``below`` bytes under this node.
            return Unknown(left_span(index) // 2 + leaf_count(index) * left // below)
        size = node.size - padding_bytes * leaf_count(node.index)
        if left == size:
            return end_length(node.index), 0
        if left < size:
            index, below = pair[0], size
        else:
            left -= size
            index, below = pair[1], below - size
    return index // 2, left
