"""What one peer said, was told, and may be asked, about one log.

Where a peer stands is a state machine; every other room asks it before it sends a request::

    standing   meaning                                we ask it for
    SILENT     no ``sync`` yet                        nothing
    ALIGNED    its fork is ours                       upgrades, blocks, the manifest
    STALLED    aligned, but it stopped answering      nothing new
    APART      it has another fork                    a proof of that fork, once, if newer
    ACCUSED    an answer of it did not verify         a proof of its tree; then it is out
    SPLIT      it has another history, signed too     nothing: not the peer is at fault

    SILENT  --same fork-->  ALIGNED  --other fork-->  APART     and back with each sync
    ALIGNED --silence-->    STALLED  --answer, sync, time--> ALIGNED
    ALIGNED, STALLED, APART --bad proof--> ACCUSED    left by a fault, or
    ACCUSED, ALIGNED, STALLED --two histories--> SPLIT   which is never left
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from ...errors import RemoteProtocolError
from ...limits import ANSWERS_PER_PEER, MAX_QUEUED_REQUESTS
from ..merkle.proof import Request
from .bitfield import RemoteBlocks
from .messages import Sync, Want
from .outstanding import RequestLog
from .request_budget import BudgetRates, RequestBudget


class Standing(Enum):
    """Where a peer stands; see the table above."""

    SILENT = 0
    ALIGNED = 1
    STALLED = 2
    APART = 3
    ACCUSED = 4
    SPLIT = 5


class Cause(Enum):
    """What moves a peer to another standing."""

    SAME_FORK = 0
    OTHER_FORK = 1
    SILENCE = 2
    ANSWER = 3
    BAD_PROOF = 4
    PROBATION = 5
    TWO_HISTORIES = 6


# Pairs that are not listed change nothing.
TRANSITIONS: dict[tuple[Standing, Cause], Standing] = {
    (Standing.SILENT, Cause.SAME_FORK): Standing.ALIGNED,
    (Standing.SILENT, Cause.OTHER_FORK): Standing.APART,
    (Standing.ALIGNED, Cause.OTHER_FORK): Standing.APART,
    (Standing.ALIGNED, Cause.SILENCE): Standing.STALLED,
    (Standing.ALIGNED, Cause.BAD_PROOF): Standing.ACCUSED,
    (Standing.STALLED, Cause.OTHER_FORK): Standing.APART,
    (Standing.STALLED, Cause.ANSWER): Standing.ALIGNED,
    (Standing.STALLED, Cause.SAME_FORK): Standing.ALIGNED,
    (Standing.STALLED, Cause.PROBATION): Standing.ALIGNED,
    (Standing.STALLED, Cause.BAD_PROOF): Standing.ACCUSED,
    (Standing.APART, Cause.SAME_FORK): Standing.ALIGNED,
    (Standing.APART, Cause.BAD_PROOF): Standing.ACCUSED,
    (Standing.ACCUSED, Cause.TWO_HISTORIES): Standing.SPLIT,
    (Standing.ALIGNED, Cause.TWO_HISTORIES): Standing.SPLIT,
    (Standing.STALLED, Cause.TWO_HISTORIES): Standing.SPLIT,
}


class Peer:
    """One channel.

    Attributes:
      id: its number.
      standing: where it stands.
      said: the last ``sync`` it sent, or None.
      came_with: the first one, which tells what it knew before it met us, or None.
      told: the last ``sync`` we sent, or None.
      told_contiguous: the contiguous length we announced last.
      blocks: the blocks it announced.
      wanted: regions for which it was sent a ``want``.
      requests: ours to it.
      picked: blocks to ask it for next, last first.
      dry_at: the change counters at which there was nothing to pick.
      news: counts its announcements.
      answered_at: when it last answered, or was first asked after that.
      heard_at: when it last answered or sent a ``sync``, or was asked for a head after that.
      refused: the ``sync`` whose upgrade it could then not prove.
      refusals: requests of ours it could not answer.
      accusation: what it did wrong, when ACCUSED.
      probed: forks it was asked to prove, or said to have and could not.
      comparisons: how often it was asked for its tree because it is no longer than ours.
      shown_at: lengths at which it was asked for its tree because of a head that others showed.
      queue: its requests that wait for our answer, by id.
      budget: how many of them may be answered now.
      wants: those of it that wait for our answer.
      invalid_requests: how many of its requests could not be answered at all.
      paused: too much waits to be sent to it.
    """

    __slots__ = (
        "accusation", "answered_at", "blocks", "budget", "came_with", "comparisons", "dry_at",
        "heard_at", "id", "invalid_requests", "news", "paused", "picked", "probed", "queue",
        "refusals", "refused", "requests", "said", "shown_at", "standing", "told",
        "told_contiguous", "wanted", "wants",
    )  # fmt: skip

    def __init__(self, id_: int, length: int, now: float) -> None:
        self.id = id_
        self.standing = Standing.SILENT
        self.said: Sync | None = None
        self.came_with: Sync | None = None
        self.told: Sync | None = None
        self.told_contiguous = 0
        self.blocks = RemoteBlocks(length)
        self.wanted: set[int] = set()
        self.requests = RequestLog()
        self.picked: list[int] = []
        self.dry_at: tuple[int, int] | None = None
        self.news = 0
        self.answered_at = now
        self.heard_at = now
        self.refused: Sync | None = None
        self.refusals = 0
        self.accusation: RemoteProtocolError | None = None
        self.probed: set[int] = set()
        self.comparisons = 0
        self.shown_at: set[int] = set()
        self.queue: dict[int, Request] = {}
        self.budget = RequestBudget(BudgetRates(*ANSWERS_PER_PEER), length, now)
        self.wants: deque[Want] = deque()
        self.invalid_requests = 0
        self.paused = False

    def move(self, cause: Cause) -> None:
        """Change the standing as the table says."""
        self.standing = TRANSITIONS.get((self.standing, cause), self.standing)

    @property
    def is_source(self) -> bool:
        """Whether it may be asked for upgrades and blocks."""
        return self.standing is Standing.ALIGNED and self.said is not None and self.said.uploading

    @property
    def queue_is_full(self) -> bool:
        """Whether one more request of it is a flood."""
        return len(self.queue) >= MAX_QUEUED_REQUESTS
