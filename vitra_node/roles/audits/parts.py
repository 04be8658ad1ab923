"""A part of an audit, and its replay, wherever its blocks come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from protocol.errors import BeeBlockError, RecordError, RemoteProtocolError
from protocol.hyperbee.blocks import decode_block_untrusted
from protocol.hyperbee.cache import BlockCache
from protocol.hyperbee.reading import BlockReads
from protocol.transparency.audits.sampling import sampled_part
from protocol.transparency.audits.segments import Segment
from protocol.transparency.frauds import CannotTell, UncertaintyCode, Verdict
from protocol.transparency.replay.requests import Validated
from protocol.transparency.replay.state import FIRST_ENTRY_SEQ, START, ReplayState
from protocol.transparency.replay.state_at import state_at

from ...progress import Counter
from ...storage.errors import BlockNotAvailable
from ..auditor import Auditor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sampled:
    """Blocks that a sample takes; an operation is replayed for each that holds its ack.

    Attributes:
      blocks: their numbers, in order.
    """

    blocks: tuple[int, ...]


Part: TypeAlias = Segment | Sampled


class BlockSource(Protocol):
    """What gives the blocks of an index to whoever replays a part of it."""

    async def get(self, index: int) -> bytes:
        """A block; raises BlockNotAvailable when it cannot be had."""


async def replay_part(
    part: Part, auditor: Auditor, core: BlockSource, length: int, counter: Counter
) -> list[Verdict]:
    """Replay a part of an index of so many blocks.

    Gives one verdict for a segment, and one for each operation of a sample. ``counter`` is at the
    block up to which the index was looked at.
    """
    if isinstance(part, Segment):
        return [await _replay(auditor, part.state, length, part.stop, counter)]
    verdicts = []
    cache = BlockCache()
    for seq in part.blocks:
        verdict = await _replay_sampled(auditor, core, cache, seq, length, counter)
        if verdict is not None:
            verdicts.append(verdict)
    return verdicts


async def _replay_sampled(
    auditor: Auditor,
    core: BlockSource,
    cache: BlockCache,
    seq: int,
    length: int,
    counter: Counter,
) -> Verdict | None:
    state = START
    try:
        stop = await read(core, sampled_part(seq, length, cache), cache)
        if stop is None:
            return None
        if seq > FIRST_ENTRY_SEQ:
            state = await read(core, state_at(seq, cache), cache)
    except BlockNotAvailable as error:
        return _unavailable(error, seq, state)
    except (RecordError, BeeBlockError) as error:
        reason = f"The index before block {seq} cannot be read: {error}."
        return CannotTell(UncertaintyCode.UNEXPECTED_SEQ, reason, seq, state)
    return await _replay(auditor, state, length, stop, counter)


async def _replay(
    auditor: Auditor, state: ReplayState, length: int, stop: int, counter: Counter
) -> Verdict:
    reached = state

    async def note(news: Validated) -> None:
        nonlocal reached
        reached = news.state
        counter.done = reached.position

    try:
        return await auditor.run(length, state, on_validated=note, stop=stop)
    except BlockNotAvailable as error:
        return _unavailable(error, reached.position, reached)
    except RemoteProtocolError as error:
        # What stands before this part is broken, which is for the replay of that to find.
        reason = f"What index block {reached.position} builds on cannot be read: {error}."
        return CannotTell(UncertaintyCode.UNEXPECTED_SEQ, reason, reached.position, reached)


def _unavailable(error: BlockNotAvailable, seq: int, state: ReplayState) -> CannotTell:
    reason = f"The index at block {seq} cannot be replayed: {error}."
    return CannotTell(UncertaintyCode.CANNOT_FETCH_INDEX, reason, seq, state)


async def read(core: BlockSource, reads: BlockReads[T], cache: BlockCache | None = None) -> T:
    """Run a reader of the index; it hears of blocks that are none of a Hyperbee.

    What it read is added to ``cache``, for which it has to look itself.

    Raises:
      BlockNotAvailable: a block cannot be had.
      RecordError, BeeBlockError: see the reader.
    """
    try:
        seq = next(reads)
        while True:
            data = await core.get(seq)
            try:
                block = decode_block_untrusted(data, seq)
            except BeeBlockError as error:
                seq = reads.throw(error)
            else:
                if cache is not None:
                    cache.add(block)
                seq = reads.send(block)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        reads.close()
