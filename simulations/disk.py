"""A disk that outlives its node, and loses power in the middle of a write when it is told to.

Transactions are atomic on the real one (a checksum decides whether a torn one counts; see
``tests/faults``), so what is cut off here is either all there or not at all; chance decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.environments.memory_environment import MemoryEnvironment
from vitra_node.storage.errors import StorageError


class SimulatedDisk(MemoryEnvironment):
    """Give it to ``Corestore.open``, again after each crash.

    Attributes:
      writes: how many transactions it has carried out.
    """

    def __init__(self, dice: Random) -> None:
        super().__init__()
        self.writes = 0
        self._dice = dice
        self._cut_at = -1
        self._cut: Callable[[], None] = lambda: None

    def hold_what_is_on(self, other: SimulatedDisk) -> None:
        """Become a copy of another disk."""
        self._put(list(other._values.items()))

    def lose_power(self, after: int, then: Callable[[], None]) -> None:
        """Call ``then`` in the middle of a transaction, so many from now.

        It must unplug the host: what holds a disk that failed may not speak any more.
        """
        self._cut_at = self.writes + after
        self._cut = then

    def keep_power(self) -> None:
        """Forget that it was to be lost."""
        self._cut_at = -1

    def write(self, batches: Sequence[Writes]) -> None:
        """See ``Environment``."""
        if self.writes == self._cut_at:
            self._cut_at = -1
            if self._dice.random() < 0.5:
                super().write(batches)
            self._cut()
            raise StorageError("the power is gone")
        super().write(batches)
        self.writes += 1

    def close(self) -> None:
        """What it holds stays."""
