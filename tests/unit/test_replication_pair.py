"""Replicators that talk to each other through queues."""

from __future__ import annotations

from ..replication_nodes import Link, MemoryCore, Node, run


def blocks(count: int, start: int = 0) -> list[bytes]:
    return [b"block #%d" % i for i in range(start, start + count)]


def test_a_copy_gets_everything() -> None:
    writer = Node(MemoryCore.writable(blocks(1000)))
    reader = Node(MemoryCore(writer.core.key))
    reader.want(0, None)
    count = run(Link(writer, reader))
    assert reader.core.blocks == writer.core.blocks
    assert reader.core.head == writer.core.head
    assert not reader.faults and not writer.faults
    assert count < 2100
