"""Copies of a log are the log."""

from __future__ import annotations

from vitra_node.storage.log.hypercore import Hypercore


def same_log(log: Hypercore, copy: Hypercore) -> bool:
    """Whether a copy has the same head, and holds every block as it was written."""
    return copy.head == log.head and all(
        (block := copy.local_block(index)) is not None and block == log.local_block(index)
        for index in range(log.length)
    )
