"""How many requests are answered at once and each second, so that asking cannot wear a node out.

An honest peer asks for each block of a log about once, however fast it is; whoever asks for more is
after our time, not after the log. So a budget begins with some answers for every block of the log,
and gains a few each second. Who has used it up is served later, as it fills.
"""

from __future__ import annotations

from typing import NamedTuple


class BudgetRates(NamedTuple):
    """What a budget grants.

    Attributes:
      at_once: answers, whatever the length of the log.
      per_block: answers for each block of the log, once.
      per_second: answers that it gains.
    """

    at_once: int
    per_block: int
    per_second: float


class RequestBudget:
    """A token bucket that grows with the log; a token is an answer."""

    __slots__ = ("_at", "_length", "_rates", "_tokens")

    def __init__(self, rates: BudgetRates, length: int, now: float) -> None:
        """For a log of ``length`` blocks, full at ``now`` (seconds)."""
        self._rates = rates
        self._length = length
        self._at = now
        self._tokens = float(self._capacity)

    @property
    def _capacity(self) -> int:
        return self._rates.at_once + self._rates.per_block * self._length

    def left(self, length: int, now: float) -> int:
        """Answers that may be given now, in a log that has ``length`` blocks by now."""
        if length > self._length:
            self._tokens += (length - self._length) * self._rates.per_block
            self._length = length
        gained = (now - self._at) * self._rates.per_second
        self._at = now
        self._tokens = min(self._tokens + gained, self._capacity)
        return int(self._tokens)

    def spend(self, answers: int) -> None:
        """So many answers were given."""
        self._tokens -= answers
