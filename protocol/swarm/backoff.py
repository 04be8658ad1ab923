"""When a peer that was lost, or could not be reached, is called again.

    attempts              0       1         2         3          more
    was connected once    short   short     medium    long       very long if explicit, else never
    was not               short   medium    long      long       the same

JS collects retries in coarse timers, so its real delays are 0.66 to 1.32 of these; ours are spread
over the same range, so that peers of a lost node do not come back all at once.
"""

from __future__ import annotations

from typing import NamedTuple

from .chance import Chance
from .peer_info import MAX_ATTEMPTS, PeerInfo


class Delay(NamedTuple):
    """Seconds, from ``base`` up to ``base + jitter``."""

    base: float
    jitter: float


SHORT = Delay(1.0, 1.0)
MEDIUM = Delay(5.0, 1.5)
LONG = Delay(15.0, 2.5)
VERY_LONG = Delay(600.0, 120.5)

_PROVEN = (SHORT, SHORT, MEDIUM, LONG)
_UNPROVEN = (SHORT, MEDIUM, LONG, LONG)
_EARLIEST = 0.66


def retry_seconds(peer: PeerInfo, chance: Chance) -> float | None:
    """After which time the peer may be called again; None: not until it is found again."""
    if peer.banned:
        return None
    if peer.attempts > MAX_ATTEMPTS:
        if not peer.explicit:
            return None
        delay = VERY_LONG
    else:
        delay = (_PROVEN if peer.proven else _UNPROVEN)[peer.attempts]
    seconds = delay.base + chance.fraction() * delay.jitter
    return seconds * _EARLIEST * (1 + chance.fraction())
