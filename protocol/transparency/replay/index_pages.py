"""Answers to the replay's questions about the tree of the index, from its blocks.

``IndexPages`` is no I/O either: like the readers and writers of a Hyperbee, its methods are
generators that yield the seq of a block they need and are sent that block, decoded.
"""

from __future__ import annotations

from ...errors import BeeBlockError, LocalProtocolError
from ...hyperbee.cache import BlockCache
from ...hyperbee.reading import BlockReads, get
from ...hyperbee.writer import BeeWriter, Delete, Put
from .requests import BuildPages, HasKeys


class IndexPages:
    """The tree of an index as a replay walks over it.

    Asked in order it keeps the tree in memory, and rarely needs a block.

    Args:
      cache: decoded blocks at hand; blocks it built go there too, so it must not be shared with
        readers that have not verified the index.
    """

    def __init__(self, cache: BlockCache | None = None) -> None:
        self._cache = BlockCache() if cache is None else cache
        self._writer = BeeWriter(0)

    def has_keys(self, request: HasKeys) -> BlockReads[list[bool] | None]:
        """Answer ``HasKeys``; None when the tree at that version cannot be read."""
        newest = request.version == self._writer.length
        answer: list[bool] = []
        try:
            for key in request.keys:
                look_up = (
                    self._writer.get(key) if newest else get(request.version, key, self._cache)
                )
                answer.append((yield from look_up) is not None)
        except BeeBlockError:
            return None
        return answer

    def build(self, request: BuildPages) -> BlockReads[list[bytes] | None]:
        """Answer ``BuildPages``; None when the tree at that version cannot be read.

        Gives no blocks for entries that no Hyperbee may hold, because they are too large.
        """
        if request.version != self._writer.length:
            self._writer = BeeWriter(request.version, cache=self._cache)
        writer = self._writer
        try:
            blocks = yield from writer.batch(
                Delete(key) if value is None else Put(key, value) for key, value in request.writes
            )
        except BeeBlockError:
            return None
        except LocalProtocolError:
            return []
        writer.appended()
        return blocks
