"""The monitor: replays the index as it grows, and tells what it validated or found."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from protocol.transparency.frauds import (
    CannotTell,
    UncertaintyCode,
    Verdict,
    Verified,
    Violated,
)
from protocol.transparency.records import Ack
from protocol.transparency.replay import requests as replay_requests
from protocol.transparency.replay.state import START, ReplayState

from ..frauds import ContractFraudProof
from ..log_frauds import LogForkFraudProof
from ..storage.log.hypercore import Hypercore
from .auditor import Auditor
from .checkpoints import Checkpoints

# How often a monitor writes down how far it is: what a crash costs it at most is this much work.
CHECKPOINT_SECONDS = 2.0

# Events that nobody has read yet; the replay waits behind them.
MAX_UNREAD_EVENTS = 64


@dataclass(frozen=True, slots=True)
class Validated:
    """Operations were verified.

    Attributes:
      acks: the acks of these operations, none for the genesis.
      operations: how many were verified since the beginning.
      index_length: up to where the index is verified.
      resumed: an earlier monitor verified all this, under a head that the index still extends;
        only the first event can say so, and has no acks.
    """

    acks: tuple[Ack, ...]
    operations: int
    index_length: int
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class ViolationFound:
    """The executor broke the contract; nothing is validated after this.

    Attributes:
      proof: what was found; it is also kept in the directory.
    """

    proof: ContractFraudProof


@dataclass(frozen=True, slots=True)
class Undecided:
    """There is no verdict beyond this point yet; the monitor goes on when the index grows.

    Attributes:
      code: the kind of the obstacle.
      reason: one sentence for people.
      index_length: up to where the index is verified.
    """

    code: str
    reason: str
    index_length: int


@dataclass(frozen=True, slots=True)
class ForkFound:
    """A log of the database was signed in two histories.

    Of an oplog it says who is at fault, a participant, and the monitor goes on. When the index was
    forked nothing is validated after this.

    Attributes:
      proof: the signed statements; it is also kept in the directory.
    """

    proof: LogForkFraudProof

    @property
    def is_of_index(self) -> bool:
        """Whether the executor is at fault."""
        return self.proof.whose == "executor"


MonitorEvent = Validated | ViolationFound | Undecided | ForkFound


class Monitor:
    """Iterate over it for the events, ``async for event in monitor``; made by ``db.monitor()``."""

    def __init__(
        self,
        core: Hypercore,
        auditor: Auditor,
        keep: Callable[[Violated, int], Awaitable[ContractFraudProof]],
        checkpoints: Checkpoints,
    ) -> None:
        resumed = checkpoints.load()
        self.state: ReplayState = START if resumed is None else resumed
        self._checkpoints = checkpoints
        self._is_resumed = resumed is not None
        self._progress = trio.Event()
        self._core = core
        self._auditor = auditor
        self._keep = keep
        self._told: Undecided | None = None
        self._forks: deque[LogForkFraudProof] = deque()
        self._forked = trio.Event()
        self._forked_again = trio.Event()
        self._send, self._receive = trio.open_memory_channel[MonitorEvent](MAX_UNREAD_EVENTS)

    def __aiter__(self) -> Monitor:
        return self

    async def __anext__(self) -> MonitorEvent:
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def forked(self, proof: LogForkFraudProof) -> None:
        """A log of the database is proven to be forked; it is told in its turn."""
        self._forks.append(proof)
        self._forked.set()
        self._forked_again.set()

    async def run(self) -> None:
        """Replay until a violation is found, or the index is forked."""
        # Closed without a checkpoint: one that is cancelled would take the place of a failure.
        with self._send:
            fork: ForkFound | None = None
            try:
                async with trio.open_nursery() as nursery:
                    if not self._core.writable:
                        nursery.start_soon(self._fetch_what_follows)
                    nursery.start_soon(self._follow_index, nursery.cancel_scope)
                    nursery.start_soon(self._save_now_and_then)
                    fork = await self._until_the_index_is_forked()
                    nursery.cancel_scope.cancel()
                if fork is not None:
                    # Last, when nothing is left that could tell of an operation after it.
                    await self._send.send(fork)
            finally:
                self._checkpoints.save(self.state)

    async def _fetch_what_follows(self) -> None:
        """Have the index from here on fetched ahead of the replay, also into a sparse copy."""
        with self._core.tail(self.state.position):
            await trio.sleep_forever()

    async def _save_now_and_then(self) -> None:
        while True:
            await self._progress.wait()
            self._progress = trio.Event()
            self._checkpoints.save(self.state)
            await trio.sleep(CHECKPOINT_SECONDS)

    async def _follow_index(self, scope: trio.CancelScope) -> None:
        if self._is_resumed:
            state = self.state
            await self._send.send(Validated((), state.operations, state.position, True))
        while True:
            await self._core.wait_for_length(max(self.state.position, 1))
            length = self._core.length
            if not await self._replay(length):
                scope.cancel()
                return
            await self._growth_or_fork(length)

    async def _growth_or_fork(self, length: int) -> None:
        """Return when there is more to replay, or something is known that may decide."""
        async with trio.open_nursery() as nursery:

            async def first(wait: Callable[[], Awaitable[object]]) -> None:
                await wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(first, lambda: self._core.wait_for_length(length + 1))
            nursery.start_soon(first, self._forked_again.wait)
        self._forked_again = trio.Event()

    async def _until_the_index_is_forked(self) -> ForkFound:
        """Tell of forked oplogs; gives the fork of the index, which is not told yet."""
        while True:
            await self._forked.wait()
            self._forked = trio.Event()
            while self._forks:
                event = ForkFound(self._forks.popleft())
                if event.is_of_index:
                    return event
                await self._send.send(event)

    async def _replay(self, length: int) -> bool:
        """Replay up to a length; False when there is nothing more to find."""
        verdict = await self._auditor.run(length, self.state, on_validated=self._on_validated)
        if self._is_resumed and _may_be_the_checkpoints_fault(verdict):
            verdict = await self._from_the_start(length)
        self.state = verdict.state
        if isinstance(verdict, Violated):
            await self._send.send(ViolationFound(await self._keep(verdict, length)))
            return False
        if isinstance(verdict, CannotTell):
            told = Undecided(verdict.code.value, verdict.reason, verdict.state.position)
            if told != self._told:
                await self._send.send(told)
            self._told = told
        else:
            assert isinstance(verdict, Verified)
        return True

    async def _from_the_start(self, length: int) -> Verdict:
        """Nobody is accused on the word of a checkpoint: replay all that it spared us."""
        self._is_resumed = False
        self._checkpoints.drop("what follows it breaks a rule, and that is looked at twice")
        return await self._auditor.run(length, on_validated=self._on_validated)

    async def _on_validated(self, news: replay_requests.Validated) -> None:
        self.state = state = news.state
        self._progress.set()
        await self._send.send(Validated(news.acks, state.operations, state.position))


def _may_be_the_checkpoints_fault(verdict: Verdict) -> bool:
    if isinstance(verdict, CannotTell):
        return verdict.code is UncertaintyCode.UNEXPECTED_SEQ
    return isinstance(verdict, Violated)
