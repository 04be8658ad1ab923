"""How far long work has come, for whoever wants to show it.

The work says what it does and how far it is; those who show it look from time to time. So nothing
is sent anywhere for each block, and work that nobody watches pays for a counter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """What is being done at one moment.

    Attributes:
      what: a word or a few, such as ``Verifying``.
      done: how much of it is done.
      total: how much there is, None when nobody knows.
      unit: of what, in the plural, such as ``blocks``.
    """

    what: str
    done: int
    total: int | None
    unit: str


class Counter:
    """Counts one step; only the work that made it changes it.

    Attributes:
      done: how much is done.
    """

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = 0


class Progress:
    """Looks at one piece of long work, which may have several steps, also one inside another.

    ``now`` may be called on another thread while the steps are counted ones.
    """

    def __init__(self) -> None:
        self._look: Callable[[], Step] | None = None

    def now(self) -> Step | None:
        """What is being done now; None between steps, before the first and after the last."""
        look = self._look
        return None if look is None else look()

    @contextmanager
    def counted(self, what: str, unit: str, total: int | None = None) -> Iterator[Counter]:
        """A step that lasts as long as the block, which counts what it has done."""
        counter = Counter()
        with self.measured(what, unit, total, lambda: counter.done):
            yield counter

    @contextmanager
    def measured(
        self, what: str, unit: str, total: int | None, done: Callable[[], int]
    ) -> Iterator[None]:
        """A step that lasts as long as the block, of which ``done`` tells how far it is."""
        before = self._look
        self._look = lambda: Step(what, done(), total, unit)
        try:
            yield
        finally:
            self._look = before
