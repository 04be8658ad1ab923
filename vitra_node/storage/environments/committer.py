"""Group commit: whatever is ready goes into one transaction, and one sync covers it.

Rules:
  - A *round* is one transaction. While one is being written, the next one gathers.
  - Who has something to write either hands over ``Writes`` (``commit``) or enlists as a
    ``Participant``, which is asked for its writes when its round begins, as late as possible. So
    an appending log signs once a round, however many appends it merged.
  - A round is durable or it never happened. ``committed`` of its participants is called, then
    its waiters wake.
  - ``Writes`` that are not complete yet, since a signature comes from outside, are completed before
    anything is written; if one cannot be, that is a failed write.
  - After a failed write the committer takes nothing any more: what a disk holds after it refused
    a sync is unknown, and trying again would hide that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from queue import SimpleQueue
from typing import Protocol

import trio

from ..errors import EnvironmentFull, StorageError, StoreClosed, StoreReadOnly
from .environment import Environment, Writes

# Downloads wait while this much is queued behind a slow disk; one transaction of this size takes
# a few hundred milliseconds on a common SSD.
MAX_QUEUED_BYTES = 32 * 1024 * 1024


class Participant(Protocol):
    """Something that gathers changes and can say at the last moment what is to be written."""

    def collect(self) -> Writes:
        """Everything to be written now; called once in each round it enlisted for."""

    def committed(self) -> None:
        """What ``collect`` last returned is durable."""


class Round:
    """One transaction: wait on it to know that it is durable."""

    __slots__ = ("_done", "error", "participants", "writes")

    def __init__(self) -> None:
        self.participants: dict[Participant, None] = {}
        self.writes: list[Writes] = []
        self.error: StorageError | None = None
        self._done = trio.Event()

    async def wait(self) -> None:
        """Return when the round is durable. Being cancelled takes nothing back.

        Raises:
          StoreReadOnly: it could not be written.
        """
        await self._done.wait()
        if self.error is not None:
            raise StoreReadOnly(str(self.error)) from self.error

    async def ended(self) -> None:
        """Return when the round has ended, either way."""
        await self._done.wait()

    def finish(self, error: StorageError | None) -> None:
        """Wake the waiters; for the committer."""
        self.error = error
        self._done.set()


class Committer:
    """Writes rounds, one after the other. Made by ``open_committer``.

    Attributes:
      failure: the write that failed, if one did; from then on every call raises.
    """

    def __init__(self, environment: Environment) -> None:
        self.failure: StorageError | None = None
        self._environment = environment
        self._gathering = Round()
        self._queued_bytes = 0
        self._work = trio.Event()
        self._closing = False
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def enlist(self, participant: Participant, size_bytes: int = 0) -> Round:
        """Have ``participant`` asked for its writes when the next round begins.

        ``size_bytes`` is about how much it will write, for ``wait_for_room``.

        Raises:
          StoreReadOnly: an earlier write failed.
          StoreClosed: the store is closed.
        """
        gathering = self._open_round(size_bytes)
        gathering.participants[participant] = None
        return gathering

    def submit(self, writes: Writes) -> Round:
        """Put ``writes`` into the next round; raises like ``enlist``."""
        gathering = self._open_round(writes.size_bytes)
        gathering.writes.append(writes)
        return gathering

    async def commit(self, writes: Writes) -> None:
        """Write in the next round; durable on return. Raises like ``enlist``."""
        await self.submit(writes).wait()

    async def wait_for_room(self) -> None:
        """Return when little enough is queued; before more is taken from a peer. Never raises."""
        while self._queued_bytes > MAX_QUEUED_BYTES:
            await self._gathering.ended()

    def check_open(self) -> None:
        """Raise what a write would raise now."""
        if self.failure is not None:
            raise StoreReadOnly(f"the store is read-only: {self.failure}") from self.failure
        if self._closing:
            raise StoreClosed("the store is closed")

    def _open_round(self, size_bytes: int) -> Round:
        self.check_open()
        self._queued_bytes += size_bytes
        self._work.set()
        return self._gathering

    async def run(self) -> None:
        """Write rounds until ``close``; for ``open_committer``."""
        # Cancellation does not reach a sync, and what was handed over before is still written.
        with trio.CancelScope(shield=True):
            try:
                while True:
                    # Whoever runs in the same turn as the first to come joins its round. Who
                    # was woken by the last round is given one turn for that, so that tasks
                    # that write one thing after another meet in the same rounds.
                    if self._work.is_set():
                        await trio.lowlevel.checkpoint()
                    await self._work.wait()
                    if self._closing and not self._has_work():
                        return
                    await self._write_round()
            finally:
                self._jobs.put(None)

    def close(self) -> None:
        """Take nothing more; ``run`` returns when everything handed over is written."""
        self._closing = True
        self._work.set()

    def _has_work(self) -> bool:
        return bool(self._gathering.participants or self._gathering.writes)

    async def _write_round(self) -> None:
        current, self._gathering = self._gathering, Round()
        if not self._closing:
            self._work = trio.Event()
        self._queued_bytes = 0
        if self.failure is not None:
            current.finish(self.failure)
            return
        batches = [*current.writes, *(each.collect() for each in current.participants)]
        try:
            for writes in batches:
                if writes.complete is not None:
                    await trio.to_thread.run_sync(writes.complete)
            await self._write(batches)
        except StorageError as error:
            self.failure = error
            current.finish(error)
            return
        for participant in current.participants:
            participant.committed()
        current.finish(None)

    async def _write(self, batches: list[Writes]) -> None:
        while True:
            try:
                if self._environment.is_short(batches):
                    self._environment.write(batches)
                else:
                    await self._write_in_thread(batches)
                self._environment.settle()
                return
            except EnvironmentFull:
                # Nothing was written, and no read is open on this thread: the moment to grow.
                self._environment.grow()

    async def _write_in_thread(self, batches: list[Writes]) -> None:
        token = trio.lowlevel.current_trio_token()
        done = trio.Event()
        failures: list[BaseException] = []

        def job() -> None:
            try:
                self._environment.write(batches)
            except BaseException as error:
                failures.append(error)
            token.run_sync_soon(done.set)

        self._jobs.put(job)
        await done.wait()
        if failures:
            raise failures[0]

    async def serve_jobs(self) -> None:
        """Run jobs in one thread for life; for ``open_committer``.

        Starting each job in a fresh thread would cost as much as half a sync.
        """

        def serve() -> None:
            while (job := self._jobs.get()) is not None:
                job()

        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(serve, limiter=trio.CapacityLimiter(1))


@asynccontextmanager
async def open_committer(environment: Environment) -> AsyncIterator[Committer]:
    """A running committer; on leaving, everything handed over is written first.

    Resource handling:
      One task and, if the environment waits for a disk, one thread; both end with the context.
      The environment stays open.

    Error handling:
      A failed write does not end the context: it is raised where writes are handed over or
      waited for. An exception of the body comes out as it is, not wrapped in a group.
    """
    committer = Committer(environment)
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        if environment.waits_for_disk:
            nursery.start_soon(committer.serve_jobs)
        nursery.start_soon(committer.run)
        try:
            yield committer
        except BaseException as error:
            failure = error
        committer.close()
    if failure is not None:
        raise failure
