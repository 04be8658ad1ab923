"""Which nodes of its tree a writer keeps in memory.

Keys that come in order, such as those of a growing history, leave nodes behind that no operation
needs again. Keys in no order come back to every node. The writer counts what it had to load: where
that is more than a little, to forget nodes does not pay.
"""

from __future__ import annotations

from ..limits import MAX_LIVE_BEE_NODES, MIN_LIVE_BEE_NODES
from .tree import Node


class LiveNodes:
    """Counts the nodes in memory, and forgets those that no operation came by of late.

    Attributes:
      count: about how many there are; deletions leave it too high until the next look.
      turn: what to set ``Node.used`` to when an operation comes by.
    """

    def __init__(self) -> None:
        self.count = 0
        self.turn = 0
        self._allowed = MIN_LIVE_BEE_NODES
        # Since the last look: how many there were, and how many were loaded.
        self._count_before = 0
        self._loaded = 0

    @property
    def are_too_many(self) -> bool:
        """Whether it is time for ``make_room``, once no batch is open."""
        return self.count > self._allowed

    def load(self, node: Node) -> Node:
        """Count a node that was read from its block; returns it."""
        self.count += 1
        self._loaded += 1
        node.used = self.turn
        return node

    def clear(self) -> None:
        """All nodes are gone."""
        self.count = self._count_before = self._loaded = 0

    def make_room(self, root: Node) -> bool:
        """Forget nodes below ``root``, or allow for more; says whether to forget all of them."""
        grown = self.count - self._count_before
        was_full = self._allowed == MAX_LIVE_BEE_NODES
        if 8 * self._loaded > grown and not was_full:
            self._allowed = min(4 * self._allowed, MAX_LIVE_BEE_NODES)
        else:
            self.count = _forget_unused(root, self.turn)
            self.turn += 1
            room = max(MIN_LIVE_BEE_NODES, self.count // 2)
            self._allowed = min(self.count + room, MAX_LIVE_BEE_NODES)
        self._count_before = self.count
        self._loaded = 0
        # To look again and again for the few that are unused would cost more than to load the rest.
        return was_full and self.count > MAX_LIVE_BEE_NODES * 3 // 4


def _forget_unused(root: Node, turn: int) -> int:
    """Drop all nodes below ``root`` that were not used in ``turn``; gives how many are left."""
    left = 0
    nodes = [root]
    while nodes:
        left += 1
        for child in nodes.pop().children:
            if child.node is not None:
                if child.node.used == turn:
                    nodes.append(child.node)
                else:
                    child.node = None
    return left
