"""Reading the entries of an index in order, ahead of their use."""

from __future__ import annotations

from ..limits import MAX_REPLAY_READ_BLOCKS
from .frauds import UncertaintyCode
from .replay_requests import IndexEntry, ReadIndex
from .replay_stop import Step, Unknown


class Entries:
    """The entries of an index below ``length``; those not used yet are kept."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._ahead: dict[int, IndexEntry] = {}

    def read(self, seq: int) -> Step[IndexEntry]:
        """Give the entry in block ``seq``, which is below ``length``."""
        entry = self._ahead.get(seq)
        if entry is not None:
            return entry
        stop = min(self.length, seq + MAX_REPLAY_READ_BLOCKS)
        answer = yield ReadIndex(seq, stop)
        if not answer:
            raise Unknown(
                UncertaintyCode.CANNOT_FETCH_INDEX, f"Index block {seq} cannot be had.", seq
            )
        for number, entry in enumerate(answer, seq):
            if entry.seq != number:
                reason = f"Block {entry.seq} came in place of index block {number}."
                raise Unknown(UncertaintyCode.UNEXPECTED_SEQ, reason, seq)
            self._ahead[number] = entry
        first: IndexEntry = answer[0]
        return first

    def forget(self, below: int) -> None:
        """Drop entries that are verified."""
        for seq in [seq for seq in self._ahead if seq < below]:
            del self._ahead[seq]
