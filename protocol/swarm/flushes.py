"""Waiting until everything that can be found now has been tried.

A flush first waits until its topics are asked for, then for the peers that wait to be called or are
being called by then. Whoever is found later is not waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass
class _Flush:
    topics: set[bytes]
    peers: set[bytes] | None = None


class Flushes:
    """The flushes of one swarm that are not done."""

    def __init__(self) -> None:
        self._count = 0
        self._pending: dict[int, _Flush] = {}

    def start(self, topics: Iterable[bytes]) -> int:
        """A new one for these topics; gives its number."""
        self._count += 1
        self._pending[self._count] = _Flush(set(topics))
        return self._count

    def cancel(self, flush: int) -> None:
        """Nobody waits for it any more."""
        self._pending.pop(flush, None)

    def peer_settled(self, public_key: bytes) -> None:
        """A peer was called, or is not going to be."""
        for flush in self._pending.values():
            if flush.peers is not None:
                flush.peers.discard(public_key)

    def take_done(
        self, is_settled: Callable[[bytes], bool], busy: Callable[[], Iterable[bytes]]
    ) -> list[int]:
        """Those that are done now.

        Args:
          is_settled: whether a topic has been asked for.
          busy: gives the keys of the peers that wait or are being called.
        """
        done = []
        for number, flush in self._pending.items():
            flush.topics = {topic for topic in flush.topics if not is_settled(topic)}
            if flush.topics:
                continue
            if flush.peers is None:
                flush.peers = set(busy())
            if not flush.peers:
                done.append(number)
        for number in done:
            del self._pending[number]
        return done
