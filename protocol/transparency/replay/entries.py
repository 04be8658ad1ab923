"""Reading the entries of an index in order, ahead of their use."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import BeeBlockError
from ...hyperbee.blocks import decode_block_untrusted
from ...limits import MAX_REPLAY_READ_BLOCKS
from ..frauds import UncertaintyCode, Violation, ViolationCode
from .requests import IndexEntry, ReadIndex
from .stop import Broken, Step, Unknown


def decode_entry(seq: int, block: bytes) -> IndexEntry:
    """Decode one block of the index.

    Raises:
      Broken: the block is none of a Hyperbee.
    """
    try:
        decoded = decode_block_untrusted(block, seq)
    except BeeBlockError as error:
        reason = f"Index block {seq} is no entry: {error}."
        raise Broken(Violation(ViolationCode.INVALID_SCHEMA, reason, seq=seq)) from None
    return IndexEntry(seq, decoded.key, decoded.value, block)


class Entries:
    """The entries of an index below ``length``; blocks not verified yet are kept.

    ``stop``: the block at which the reader is to end; it looks at hardly any behind it.
    """

    def __init__(self, length: int, stop: int | None = None) -> None:
        self.length = length
        self._stop = length if stop is None else stop
        self._ahead: dict[int, bytes | IndexEntry] = {}

    def read(self, seq: int) -> Step[IndexEntry]:
        """Give the entry in block ``seq``, which is below ``length``.

        Raises:
          Broken: the block is none of a Hyperbee.
          Unknown: the block cannot be had.
        """
        if seq not in self._ahead:
            yield from self._read_ahead(seq)
        entry = self._ahead[seq]
        if isinstance(entry, bytes):
            entry = self._ahead[seq] = decode_entry(seq, entry)
        return entry

    def _read_ahead(self, seq: int) -> Step[None]:
        stop = min(self.length, seq + MAX_REPLAY_READ_BLOCKS, max(seq, self._stop) + 1)
        answer: Sequence[bytes] = yield ReadIndex(seq, stop)
        if not answer:
            raise Unknown(
                UncertaintyCode.CANNOT_FETCH_INDEX, f"Index block {seq} cannot be had.", seq
            )
        for number, block in enumerate(answer, seq):
            self._ahead[number] = block

    def forget(self, below: int) -> None:
        """Drop entries that are verified."""
        for seq in [seq for seq in self._ahead if seq < below]:
            del self._ahead[seq]
