"""The nodes we know, in rows by how much of our id they share.

Row ``r`` holds nodes whose id has the same first ``r`` bits as ours and another bit after them; so
the further a row, the nearer its nodes. A row holds at most ``ROW_NODES``, in the order of their
ids. Near targets are found by walking the rows, which sorts roughly; who needs the true order
computes distances.

Wire facts: specs/13-dht.md section 4; npm ``kademlia-routing-table``.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...limits import MAX_SUBNET_NODES_PER_ROW
from ..addresses import ID_BYTES, Address, distance, is_loopback, subnet

ROW_NODES = 20
ROWS = 8 * ID_BYTES


@dataclass(slots=True)
class Node:
    """A node that spoke to us.

    Attributes:
      id: 32 bytes that follow from the address.
      address: where it is.
      added: tick at which it was added.
      seen: tick at which it last spoke.
      pinged: tick at which it last spoke, or we last asked whether it lives.
      sampled: tick at which it last told us our address.
      hinted: tick at which somebody last said that it is gone, or -1.
    """

    id: bytes
    address: Address
    added: int
    seen: int
    pinged: int
    sampled: int
    hinted: int = -1


def _by_id(node: Node) -> bytes:
    return node.id


class RoutingTable:
    """Rows of nodes around ``own_id`` (32 bytes).

    Args:
      own_id: 32 bytes.
      limit_subnets: whether a row takes only a few nodes of one /24 network; loopback is exempt.
    """

    def __init__(self, own_id: bytes, *, limit_subnets: bool = True) -> None:
        self.own_id = own_id
        self._limit_subnets = limit_subnets
        self._rows: dict[int, list[Node]] = {}
        self._by_id: dict[bytes, Node] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._by_id.values())

    def get(self, node: bytes) -> Node | None:
        """The node with this id, if it is known."""
        return self._by_id.get(node)

    def row_of(self, other: bytes) -> int:
        """How many bits ``other`` shares with our id; our own id belongs into the last row."""
        return min(ROWS - distance(self.own_id, other).bit_length(), ROWS - 1)

    def row(self, number: int) -> list[Node]:
        """The nodes of a row, by id."""
        return self._rows.get(number, [])

    def has_room(self, node: Node) -> bool:
        """Whether the node's row has a place for it."""
        return len(self.row(self.row_of(node.id))) < ROW_NODES

    def allows(self, node: Node) -> bool:
        """Whether its row has few enough nodes of its network."""
        host = node.address.host
        if not self._limit_subnets or is_loopback(host):
            return True
        network = subnet(host)
        row = self.row(self.row_of(node.id))
        return sum(subnet(n.address.host) == network for n in row) < MAX_SUBNET_NODES_PER_ROW

    def add(self, node: Node) -> bool:
        """Put the node into its row; false when the row is full or has enough of its network."""
        if node.id in self._by_id or not self.has_room(node) or not self.allows(node):
            return False
        insort(self._rows.setdefault(self.row_of(node.id), []), node, key=_by_id)
        self._by_id[node.id] = node
        return True

    def remove(self, node: bytes) -> None:
        """Forget the node with this id, if it is known."""
        if self._by_id.pop(node, None) is not None:
            number = self.row_of(node)
            self._rows[number] = [other for other in self._rows[number] if other.id != node]

    def closest(self, target: bytes, count: int = ROW_NODES) -> list[Node]:
        """Up to ``count`` nodes near ``target``, roughly the nearest first."""
        found: list[Node] = []
        start = self.row_of(target)
        for number in (*range(start, -1, -1), *range(start + 1, ROWS)):
            row = self._rows.get(number)
            if row:
                found += row[: count - len(found)]
                if len(found) >= count:
                    break
        return found

    def rebuilt(self, own_id: bytes) -> RoutingTable:
        """The same nodes around another id of ours."""
        table = RoutingTable(own_id, limit_subnets=self._limit_subnets)
        table.add_all(self)
        return table

    def add_all(self, nodes: Iterable[Node]) -> None:
        """Put in as many as there is room for."""
        for node in nodes:
            self.add(node)
