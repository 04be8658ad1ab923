"""An index cut into segments that are replayed apart, and the verdict that they come to together.

A segment begins at an ack, with the state that the index itself tells for that point
(``state_at``), and ends before the ack where the next one begins. Nothing is lost by it:

- Every rule looks at one transaction and the state before it, so a segment finds what a replay of
  the whole index finds there, if its state is the true one.
- It is, if the segment before ended in an equal state. Where it did not, ``join`` says from which
  state the rest has to be replayed again.
- The first violation in the order of the index counts. Also behind something that cannot be told:
  the state it was found with is the executor's own statement, and if that is not the true one the
  executor has broken a rule before.

Like the readers of a Hyperbee, the planner is a generator that yields the seq of a block it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...errors import BeeBlockError, RecordError
from ...hyperbee.reading import NO_BLOCKS, BlockReads, Blocks
from ...limits import MAX_CHANGES_PER_OPERATION
from ..frauds import CannotTell, Verdict, Verified, Violated
from ..replay.state import ReplayState
from ..replay.state_at import state_at, transaction_start

# To begin in the middle costs some tens of reads; below this a segment would be little else.
MIN_SEGMENT_BLOCKS: Final = 400

# Segments for each process: operations differ in what they cost, and the last one to be done
# leaves the other processes idle.
SEGMENTS_PER_JOB: Final = 8


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of an index.

    Attributes:
      state: what it begins with; its first block is ``state.position``.
      stop: the block it ends before: that of an ack, or the length of the index.
    """

    state: ReplayState
    stop: int


@dataclass(frozen=True, slots=True)
class ReplayAgain:
    """What ``join`` wants first: everything from ``state`` on, in place of the segments there.

    Attributes:
      kept: how many of the segments, from the first on, stay as they are.
      state: where they end.
    """

    kept: int
    state: ReplayState


def wanted_cuts(start: int, length: int, jobs: int) -> list[int]:
    """Blocks at which an index from ``start`` to ``length`` is best cut, for so many processes."""
    pieces = min(jobs * SEGMENTS_PER_JOB, (length - start) // MIN_SEGMENT_BLOCKS)
    return [start + (length - start) * number // pieces for number in range(1, pieces)]


def cut(
    first: ReplayState, length: int, cuts: Sequence[int], blocks: Blocks = NO_BLOCKS
) -> BlockReads[list[Segment]]:
    """Cut an index from the state ``first`` on, at the acks nearest before ``cuts``, in order.

    It is not cut where no ack stands or its state cannot be read; what is wrong there is for the
    replay to find.
    """
    starts = [first]
    for wanted in cuts:
        # What no transaction can reach over is not searched for one.
        lowest = max(starts[-1].position, wanted - MAX_CHANGES_PER_OPERATION - 1)
        try:
            start = yield from transaction_start(wanted, blocks, lowest)
            if start > lowest:
                starts.append((yield from state_at(start, blocks)))
        except (RecordError, BeeBlockError):
            continue
    stops = [*(state.position for state in starts[1:]), length]
    return [Segment(state, stop) for state, stop in zip(starts, stops, strict=True)]


def join(segments: Sequence[Segment], verdicts: Sequence[Verdict]) -> Verdict | ReplayAgain:
    """The verdict of an index from those of its segments.

    Verdicts of segments after the first violation may be left out.
    """
    unknown: CannotTell | None = None
    for number, verdict in enumerate(verdicts):
        if isinstance(verdict, Violated):
            return verdict
        if isinstance(verdict, CannotTell):
            unknown = unknown or verdict
        elif number + 1 < len(segments) and verdict.state != segments[number + 1].state:
            return ReplayAgain(number + 1, verdict.state)
    assert len(verdicts) == len(segments), "only a violation makes the rest not matter"
    return unknown or verdicts[-1]


def join_sample(verdicts: Sequence[Verdict], nothing: ReplayState) -> Verdict:
    """The verdict of a sample, whose parts say nothing about each other; in the order of the index.

    ``nothing`` is the state to give when there are none.
    """
    for kind in (Violated, CannotTell):
        for verdict in verdicts:
            if isinstance(verdict, kind):
                return verdict
    return verdicts[-1] if verdicts else Verified(nothing)
