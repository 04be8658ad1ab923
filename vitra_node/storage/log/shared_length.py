"""``SharedLength``: what a log still has in common with how it was at some moment."""

from __future__ import annotations

from collections.abc import Callable


class SharedLength:
    """How many blocks the log still has in common with what it was.

    Attributes:
      length: number of blocks; only ever goes down.
      listeners: called after it went down.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.listeners: set[Callable[[], None]] = set()

    def truncate(self, length: int) -> None:
        """The log was cut to ``length`` blocks."""
        if length < self.length:
            self.length = length
            for listener in tuple(self.listeners):
                listener()
