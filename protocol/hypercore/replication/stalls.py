"""Peers that are slow or silent: their work goes to others.

Nobody is punished for being slow. A peer that answers nothing makes way for others if there are
any; an idle peer takes over requests that others are late with.
"""

from __future__ import annotations

from .asking import MAX_REFUSALS, PATIENCE_SECONDS, Asking
from .peer import Cause, Peer, Standing
from .peers import Peers

# A peer that answered nothing for this long, while asked, makes way for others.
STALL_SECONDS = 5.0
# A stalled peer gets another chance after this time.
PROBATION_SECONDS = 30.0
# A peer with nothing of its own to do takes over requests of others that are this late.
_LATE_SECONDS = 0.5
_LATE_ROUND_TRIPS = 4
_MAX_TAKEN_OVER = 16


class Stalls:
    """Watches the clock for one log."""

    def __init__(self, peers: Peers, asking: Asking) -> None:
        self._peers = peers
        self._asking = asking

    def next_timer(self) -> float | None:
        """When ``handle_timer`` has something to do."""
        times = []
        idle = busy = False
        for peer in self._peers.by_id.values():
            if peer.standing is Standing.STALLED:
                times.append(peer.answered_at + PROBATION_SECONDS)
            elif peer.requests.in_flight:
                times.append(peer.answered_at + STALL_SECONDS)
                busy = busy or peer.requests.blocks > 0
            elif peer.is_source and peer.refusals < MAX_REFUSALS:
                idle = True
            patience_ends = peer.heard_at + PATIENCE_SECONDS
            if self._peers.now < patience_ends and self._asking.is_awaited(peer):
                times.append(patience_ends)
        if idle and busy:
            times.append(self._peers.now + _LATE_SECONDS)
        return min(times, default=None)

    def handle_timer(self) -> None:
        """Deal with peers that stopped answering, and with requests that are late."""
        now = self._peers.now
        for peer in list(self._peers.by_id.values()):
            if peer.standing is Standing.STALLED:
                if now >= peer.answered_at + PROBATION_SECONDS:
                    peer.move(Cause.PROBATION)
                    self._asking.stir(peer)
            elif peer.requests.in_flight and now >= peer.answered_at + STALL_SECONDS:
                self._handle_silence(peer)
        for peer in list(self._peers.by_id.values()):
            if peer.is_source and not peer.requests.in_flight and peer.refusals < MAX_REFUSALS:
                self._take_over(peer)

    def _handle_silence(self, peer: Peer) -> None:
        peer.answered_at = self._peers.now
        for outstanding in list(peer.requests.in_flight.values()):
            if outstanding.asker is not None:
                peer.requests.cancel(outstanding)
                outstanding.asker.unanswered(peer, outstanding)
        others = (other for other in self._peers.by_id.values() if other is not peer)
        if peer.standing is Standing.ALIGNED and any(other.is_source for other in others):
            peer.move(Cause.SILENCE)
            for outstanding in list(peer.requests.in_flight.values()):
                self._asking.cancel(peer, outstanding)
            self._asking.give_up(peer)

    def _take_over(self, peer: Peer) -> None:
        """An idle peer takes late requests of others."""
        late = max(_LATE_SECONDS, _LATE_ROUND_TRIPS * peer.requests.window.round_trip)
        taken = 0
        for other in self._peers.by_id.values():
            if other is peer or other.requests.blocks == 0:
                continue
            for outstanding in list(other.requests.in_flight.values()):
                is_late = self._peers.now - outstanding.sent_at >= late
                if not is_late or outstanding.block < 0 or outstanding.upgrade is not None:
                    continue
                if not peer.blocks.has(outstanding.block):
                    continue
                self._asking.cancel(other, outstanding)
                self._asking.ask_for_block(peer, outstanding.block)
                taken += 1
                if taken == _MAX_TAKEN_OVER:
                    return

    def left(self, peer: Peer) -> None:
        """The peer is gone: what it was asked for is for others."""
        self._asking.give_up(peer)
        if not any(other.is_source for other in self._peers.by_id.values()):
            for other in self._peers.by_id.values():
                if other.standing is Standing.STALLED:
                    other.move(Cause.PROBATION)
