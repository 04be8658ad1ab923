"""Finding the block that holds a byte, in the tree nodes that are stored.

Where blocks are empty, several positions mean the same byte; this gives the one that npm
``hypercore`` 11 gives.
"""

from __future__ import annotations

from ..errors import LocalProtocolError
from .core import CoreReader, TreeHead
from .flat_tree import children, end_length, leaf_count


def seek_byte(
    core: CoreReader, head: TreeHead, byte_offset: int, padding_bytes: int = 0
) -> tuple[int, int] | None:
    """The block with byte ``byte_offset`` of the log at ``head``, and the offset inside it.

    ``padding_bytes`` of each block do not count. The end of the log is block ``head.length``.

    Returns: None when a tree node on the way is not stored.

    Raises:
      LocalProtocolError: negative, or past the end of the log.
    """
    if byte_offset == 0:
        return 0, 0
    left = byte_offset
    for root in head.roots if left > 0 else ():
        size = root.size - padding_bytes * leaf_count(root.index)
        if left < size:
            return _seek_below(core, root.index, left, padding_bytes)
        if left == size:
            return end_length(root.index), 0
        left -= size
    raise LocalProtocolError(f"there is no byte {byte_offset} in the log")


def _seek_below(
    core: CoreReader, index: int, left: int, padding_bytes: int
) -> tuple[int, int] | None:
    while (pair := children(index)) is not None:
        node = core.node(pair[0])
        if node is None:
            return None
        size = node.size - padding_bytes * leaf_count(node.index)
        if left == size:
            return end_length(node.index), 0
        if left < size:
            index = pair[0]
        else:
            left -= size
            index = pair[1]
    return index // 2, left
