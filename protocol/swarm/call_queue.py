"""Who is called next: the highest priority first, and anyone among equals."""

from __future__ import annotations

from collections.abc import Iterator

from .chance import Chance
from .peer_info import PeerInfo, Priority


class CallQueue:
    """Peers that wait to be called, each once."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._waiting: dict[Priority, list[PeerInfo]] = {p: [] for p in sorted(Priority)[::-1]}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __iter__(self) -> Iterator[PeerInfo]:
        for peers in self._waiting.values():
            yield from peers

    def add(self, peer: PeerInfo) -> None:
        """Let a peer wait that does not wait yet."""
        assert not peer.queued
        peer.queued = True
        self._waiting[peer.priority].append(peer)

    def take(self, only_explicit: bool) -> PeerInfo | None:
        """The next one, which waits no more; None when there is none.

        ``only_explicit``: leave those who were only found under a topic where they are.
        """
        for peers in self._waiting.values():
            places = [i for i, peer in enumerate(peers) if peer.explicit or not only_explicit]
            if places:
                place = places[self._chance.below(len(places))]
                peers[place], peers[-1] = peers[-1], peers[place]
                peer = peers.pop()
                peer.queued = False
                return peer
        return None

    def remove(self, peer: PeerInfo) -> None:
        """Let a peer wait no more."""
        if peer.queued:
            self._waiting[peer.priority].remove(peer)
            peer.queued = False

    def clear(self) -> None:
        """Let nobody wait."""
        for peer in list(self):
            self.remove(peer)
