"""The processes that audit parts of an index for this node: started, given parts, answered, ended.

They get their blocks over pipes, not from the data file: so it works the same for a database in
memory, for blocks that a peer has to bring, and beside the journal and a node that goes on writing;
and nothing but this process ever holds the store. Measured, the pipes are a twentieth of the work.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio

from protocol.transparency.audits.segments import Segment
from protocol.transparency.frauds import CannotTell, UncertaintyCode, Verdict, Violated
from protocol.transparency.replay.state import START

from ...nursery import open_owned_nursery
from ...progress import Counter
from ...storage.errors import BlockNotAvailable
from ..stored_operations import StoredOperations
from .messages import (
    LENGTH_BYTES,
    MAX_ANSWER_BYTES,
    FrameError,
    decode_body_untrusted,
    decode_verdict_untrusted,
    encode_frame,
    frame_length,
    part_message,
)
from .parts import Part
from .patient_core import PatientCore

# A process needs no more at once than what a replay reads ahead.
_MAX_BLOCKS_PER_ANSWER = 4096

_READ_BYTES = 256 * 1024

# How long a process may take to end by itself.
_END_SECONDS = 1.0


class WorkerLost(Exception):
    """A process ended, or said something it should not, before it gave its verdicts."""


class AuditWorker:
    """One process.

    Resource handling: made by ``open_worker``, ended with its block, however that ends.
    Error handling: after ``WorkerLost`` it is of no use any more.
    """

    def __init__(self, core: PatientCore, operations: StoredOperations, cache: Path | None) -> None:
        self._core = core
        self._operations = operations
        # Its other end closes when this process dies, however it dies.
        leash, self._leash = os.pipe2(os.O_CLOEXEC)
        try:
            # A child of this thread and not of one that trio starts, which has no say in its end.
            self._process = subprocess.Popen(
                _command(leash),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                bufsize=0,
                pass_fds=(leash,),
            )
        except BaseException:
            os.close(self._leash)
            raise
        finally:
            os.close(leash)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to = trio.lowlevel.FdStream(os.dup(self._process.stdin.fileno()))
        self._from = trio.lowlevel.FdStream(os.dup(self._process.stdout.fileno()))
        self._process.stdin.close()
        self._process.stdout.close()
        self._received = bytearray()
        folder = None if cache is None else str(cache.absolute())
        self._greeting: bytes | None = encode_frame("start", core.key, core.length, folder)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def replay(self, part: Part) -> list[Verdict]:
        """Have a part replayed; see ``replay_part``.

        Raises:
          WorkerLost: see there.
        """
        try:
            if self._greeting is not None:
                await self._to.send_all(self._greeting)
                self._greeting = None
            await self._to.send_all(part_message(part))
            while True:
                items = await self._hear()
                match items:
                    case ["verdicts", list(rows)]:
                        return [decode_verdict_untrusted(row) for row in rows]
                    case ["fault", str(reason)]:
                        raise WorkerLost(reason)
                await self._to.send_all(encode_frame("answer", await self._answer(items)))
        except FrameError as error:
            raise WorkerLost(f"it does not keep to the form of its messages: {error}") from error
        except (trio.BrokenResourceError, BrokenPipeError) as error:
            raise WorkerLost(self._end()) from error

    async def _answer(self, items: list[Any]) -> Any:
        match items:
            case ["blocks", int(start), int(stop)]:
                return await self._blocks(start, stop)
            case ["operations", list(names)]:
                return await self._facts(names)
            case ["forked", bytes(origin)]:
                return await self._operations.is_forked(origin)
        raise FrameError(f"an unknown question {items[0]!r}")

    async def _blocks(self, start: int, stop: int) -> list[bytes]:
        """As many as are here; if the first is not, it is waited for."""
        core = self._core
        stop = min(stop, start + _MAX_BLOCKS_PER_ANSWER, core.length)
        blocks = core.local_blocks(start, stop, MAX_ANSWER_BYTES)
        if not blocks and start < stop:
            with suppress(BlockNotAvailable):
                blocks = [await core.get(start)]
        await trio.lowlevel.checkpoint()
        return blocks

    async def _facts(self, names: list[Any]) -> list[Any]:
        asked: list[tuple[bytes, int]] = []
        for name in names:
            match name:
                case [bytes(origin), int(seq)]:
                    asked.append((origin, seq))
                case _:
                    raise FrameError("something that names no operation")
        found = await self._operations.some(asked, MAX_ANSWER_BYTES)
        return [None if facts is None else [facts.block, facts.oplog_head] for facts in found]

    async def _hear(self) -> list[Any]:
        length = frame_length(await self._take(LENGTH_BYTES))
        return decode_body_untrusted(await self._take(length))

    async def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            part = await self._from.receive_some(_READ_BYTES)
            if not part:
                raise WorkerLost(self._end())
            self._received += part
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _end(self) -> str:
        """Reap the process and say what it died of."""
        try:
            # It has closed its pipes, so it is about to end.
            code = self._process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return f"it ended with code {code}" if code >= 0 else f"it was killed by signal {-code}"

    async def finish(self) -> None:
        """Let the process end by itself, and with it its contract worker."""
        await self._to.aclose()
        with trio.move_on_after(_END_SECONDS):
            while await self._from.receive_some(_READ_BYTES):
                pass

    async def close(self) -> None:
        """Kill and reap the process; a contract worker it still has ends when its pipes close."""
        self._process.kill()
        # A killed process ends at once, so this does not wait noticeably.
        self._process.wait()
        os.close(self._leash)
        with trio.CancelScope(shield=True):
            await self._to.aclose()
            await self._from.aclose()


def _command(leash: int) -> list[str]:
    """This interpreter, with the packages that this process runs."""
    package = __package__ or ""
    root = str(Path(__file__).parents[package.count(".") + 1])
    code = f"import sys; sys.path.insert(1, {root!r}); from {package}.guest import main; main()"
    return [sys.executable, "-P", "-c", code, str(leash)]


@asynccontextmanager
async def open_worker(
    core: PatientCore, operations: StoredOperations, cache: Path | None
) -> AsyncIterator[AuditWorker]:
    """A process that audits for this one while the block runs."""
    worker = AuditWorker(core, operations, cache)
    try:
        yield worker
        await worker.finish()
    finally:
        await worker.close()


async def replay_parts(
    parts: Sequence[Part],
    jobs: int,
    open_one: Callable[[], AbstractAsyncContextManager[AuditWorker]],
    counter: Counter,
) -> list[list[Verdict]]:
    """Replay parts in so many processes, in the order of the index; gives their verdicts in it.

    What lies behind the first violation is not replayed any more, and left out. A process that is
    lost takes with it what it was replaying, which then cannot be told; another takes its place.
    ``counter`` counts the parts that are done.
    """
    found: list[list[Verdict]] = [[] for _ in parts]
    waiting = iter(enumerate(parts))
    scopes: dict[int, trio.CancelScope] = {}
    # Parts from here on do not matter any more.
    end = len(parts)

    async def work() -> None:
        nonlocal end
        while True:
            lost = False
            async with open_one() as worker:
                for number, part in waiting:
                    if number >= end:
                        return
                    with trio.CancelScope() as scope:
                        scopes[number] = scope
                        try:
                            found[number] = await worker.replay(part)
                        except WorkerLost as error:
                            found[number] = [_lost(part, error)]
                            lost = True
                    del scopes[number]
                    counter.done += 1
                    if scope.cancelled_caught:
                        return
                    if any(isinstance(verdict, Violated) for verdict in found[number]):
                        end = min(end, number + 1)
                        for other in [each for each in scopes if each >= end]:
                            scopes[other].cancel()
                    if lost:
                        break
            if not lost:
                return

    # Around the other, so that the one failure of a store comes out as it was raised.
    async with open_owned_nursery(), trio.open_nursery() as nursery:
        for _ in range(min(jobs, len(parts))):
            nursery.start_soon(work)
    return found[:end]


def _lost(part: Part, error: WorkerLost) -> CannotTell:
    state = part.state if isinstance(part, Segment) else START
    seq = state.position if isinstance(part, Segment) else part.blocks[0]
    reason = f"A process that audits blocks from {seq} on was lost: {error}."
    return CannotTell(UncertaintyCode.CONTRACT_NOT_RUN, reason, seq, state)
