"""An audit of an index, or of a part of it, or of a sample: planned, replayed and joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import BeeBlockError, RecordError
from protocol.transparency.audits.sampling import sampled_blocks
from protocol.transparency.audits.segments import (
    ReplayAgain,
    Segment,
    cut,
    join,
    join_sample,
    wanted_cuts,
)
from protocol.transparency.frauds import CannotTell, UncertaintyCode, Verdict, Verified, Violated
from protocol.transparency.replay.state import FIRST_ENTRY_SEQ, START, ReplayState
from protocol.transparency.replay.state_at import state_at, transaction_start

from ...errors import UsageProblem
from ...ledger.contract_runner import ContractRunner
from ...ledger.index_view import IndexView
from ...progress import Progress
from ...storage.errors import BlockNotAvailable
from ...storage.log.hypercore import Hypercore
from ..auditor import Auditor
from ..stored_operations import StoredOperations
from .parts import Part, Sampled, read, replay_part
from .patient_core import PatientCore
from .workers import AuditWorker, open_worker, replay_parts

# Blocks that a sample takes are handed out in so many portions for each process.
_PORTIONS_PER_JOB = 6
# Few enough to see the first violation soon.
_MAX_PORTION_BLOCKS = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """Which operations an audit takes by chance; see ``protocol.transparency.audits.sampling``.

    Attributes:
      probability: with which each is taken, over 0 and at most 1.
      seed: decides which; any text.
    """

    probability: float
    seed: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What an audit looks at.

    Attributes:
      start: the index block from whose transaction on; what is before is taken as it stands.
      sample: takes operations by chance; all if None.
      jobs: how many processes replay; with 1 it is this one.
    """

    start: int = FIRST_ENTRY_SEQ
    sample: Sample | None = None
    jobs: int = 1


def scope_of(
    jobs: int, start: int, sample: float | None, seed: str | None, by_chance: Callable[[], str]
) -> Scope:
    """The scope that a caller names; ``by_chance`` gives the seed of a sample without one.

    Raises:
      UsageProblem: a seed without a sample.
    """
    if sample is not None:
        return Scope(start, Sample(sample, by_chance() if seed is None else seed), jobs)
    if seed is not None:
        raise UsageProblem(
            "A seed is for a sample, and there is none.", unchanged="Nothing was verified."
        )
    return Scope(start, None, jobs)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an audit came to.

    Attributes:
      verdict: with the state at the end of what was verified.
      start: the block it began with.
      operations: how many were verified.
    """

    verdict: Verdict
    start: int
    operations: int


class Audit:
    """One audit of an index as it is at ``length``.

    Args:
      operations: makes a source of operations, one for each that replays.
      seconds: how long a missing block is waited for; None for ever.
      progress: is told how far the replay is.
    """

    def __init__(
        self,
        core: Hypercore,
        length: int,
        operations: Callable[[], StoredOperations],
        runner: ContractRunner,
        cache: Path | None,
        seconds: float | None,
        progress: Progress | None = None,
    ) -> None:
        self._progress = progress or Progress()
        self._core = PatientCore(core, length, seconds)
        self._length = length
        self._operations = operations
        self._cache = cache
        self._auditor = Auditor(IndexView(self._core), operations(), runner, fetch_seconds=seconds)

    async def run(self, scope: Scope) -> Outcome:
        """Plan, replay, join."""
        try:
            first = await self._first_state(scope.start)
        except (RecordError, BeeBlockError, BlockNotAvailable) as error:
            reason = f"The index before block {scope.start} cannot be read: {error}."
            code = UncertaintyCode.UNEXPECTED_SEQ
            if isinstance(error, BlockNotAvailable):
                code = UncertaintyCode.CANNOT_FETCH_INDEX
            unknown = CannotTell(code, reason, scope.start, START)
            return Outcome(unknown, scope.start, 0)
        if scope.sample is not None:
            return await self._run_sample(first, scope.sample, scope.jobs)
        verdict = await self._run_segments(first, scope.jobs)
        operations = max(0, verdict.state.operations - first.operations)
        return Outcome(verdict, first.position, operations)

    async def _first_state(self, start: int) -> ReplayState:
        if start <= FIRST_ENTRY_SEQ:
            return START
        if start < self._length:
            start = await read(self._core, transaction_start(start))
            if start == FIRST_ENTRY_SEQ:
                return START
        return await read(self._core, state_at(start))

    async def _run_segments(self, first: ReplayState, jobs: int) -> Verdict:
        if first.position >= self._length:
            return Verified(first)
        segments = [Segment(first, self._length)]
        if jobs > 1:
            try:
                cuts = wanted_cuts(first.position, self._length, jobs)
                segments = await read(self._core, cut(first, self._length, cuts))
            except BlockNotAvailable:
                # What is missing is for the replay to name.
                jobs = 1
        found = [verdicts[0] for verdicts in await self._replay(segments, jobs)]
        while isinstance(joined := join(segments, found), ReplayAgain):
            rest = Segment(joined.state, self._length)
            segments = [*segments[: joined.kept], rest]
            found = [*found[: joined.kept], *(await self._replay([rest], 1))[0]]
        return joined

    async def _run_sample(self, first: ReplayState, sample: Sample, jobs: int) -> Outcome:
        start, length = first.position, self._length
        taken = sampled_blocks(
            self._core.key, sample.seed.encode(), sample.probability, start, length
        )
        if start == FIRST_ENTRY_SEQ:
            taken = [start, *(seq for seq in taken if seq != start)]
        size = min(_MAX_PORTION_BLOCKS, max(1, len(taken) // (jobs * _PORTIONS_PER_JOB)))
        parts = [Sampled(tuple(taken[at : at + size])) for at in range(0, len(taken), size)]
        found = [verdict for each in await self._replay(parts, jobs) for verdict in each]
        verified = sum(isinstance(each, Verified) and each.state.operations > 0 for each in found)
        return Outcome(join_sample(found, first), start, verified)

    async def _replay(self, parts: Sequence[Part], jobs: int) -> list[list[Verdict]]:
        """The verdicts of the parts, in order, up to the first violation."""
        if jobs > 1 and len(parts) > 1:
            with self._progress.counted("Verifying", "parts", len(parts)) as counter:
                return await replay_parts(parts, jobs, self._open_worker, counter)
        found = []
        with self._progress.counted("Verifying", "index blocks", self._length) as counter:
            for part in parts:
                found.append(
                    await replay_part(part, self._auditor, self._core, self._length, counter)
                )
                if any(isinstance(verdict, Violated) for verdict in found[-1]):
                    break
        return found

    def _open_worker(self) -> AbstractAsyncContextManager[AuditWorker]:
        return open_worker(self._core, self._operations(), self._cache)
