"""All peers that a swarm has heard of, no more than it can bear."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..limits import MAX_SWARM_PEERS
from .chance import Chance
from .peer_info import PeerInfo


class KnownPeers:
    """Peers by public key.

    Lookups name whoever announced, and announcing costs nothing. When there is no room left, a
    peer that was never connected, drawn at random, is forgotten for a new one; so names that were
    made up cannot keep real ones out for long.
    """

    def __init__(self, chance: Chance, is_connected: Callable[[bytes], bool]) -> None:
        self._chance = chance
        self._is_connected = is_connected
        self._peers: dict[bytes, PeerInfo] = {}

    def __iter__(self) -> Iterator[PeerInfo]:
        return iter(self._peers.values())

    def __len__(self) -> int:
        return len(self._peers)

    def find(self, public_key: bytes) -> PeerInfo | None:
        """What is known of a key, or None."""
        return self._peers.get(public_key)

    def obtain(self, public_key: bytes, on_evicted: Callable[[PeerInfo], None]) -> PeerInfo:
        """What is known of a key, from now on.

        ``on_evicted`` hears of the peer that had to be forgotten for it.
        """
        peer = self._peers.get(public_key)
        if peer is None:
            if len(self._peers) >= MAX_SWARM_PEERS:
                self._evict(on_evicted)
            peer = self._peers[public_key] = PeerInfo(public_key)
        return peer

    def forget_if_idle(self, peer: PeerInfo) -> None:
        """Forget a peer that nobody waits for."""
        if peer.is_idle and not self._is_connected(peer.public_key):
            self._peers.pop(peer.public_key, None)

    def _evict(self, on_evicted: Callable[[PeerInfo], None]) -> None:
        doubtful = [
            peer
            for peer in self._peers.values()
            if not (peer.proven or peer.explicit or peer.banned)
            and not self._is_connected(peer.public_key)
        ]
        if doubtful:
            peer = doubtful[self._chance.below(len(doubtful))]
            del self._peers[peer.public_key]
            on_evicted(peer)
