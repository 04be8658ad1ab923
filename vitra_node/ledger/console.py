"""What contracts tell the operator of the node that runs them.

A contract's ``console`` lines reach the log ``vitra.contract`` of the node that executes the
operation, or that made the call; nodes that replay say nothing. A stranger may write contracts and
operations, so what reaches the log is bounded in rate, and every line is one line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..contracts.engine import ApplyResult, ConsoleLine
from ..contracts.errors import ContractCallError

log = logging.getLogger("vitra.contract")

# Enough to debug with; a log of a week stays readable and below a gigabyte.
MAX_LINES_AT_ONCE = 200
LINES_A_SECOND = 5

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


@dataclass(frozen=True, slots=True)
class ContractNews:
    """What a contract wrote and how it failed, in one operation or call.

    Attributes:
      what: names the operation or the call.
      error: why it failed, None if it did not.
      position: line and column (from 1) in the source where the error came from, if known.
    """

    what: str
    printed: Sequence[ConsoleLine]
    error: str | None = None
    position: tuple[int, int] | None = None


class ContractConsole:
    """The way from the contract of one database to the operator.

    Args:
      database: public key of the database, named in every line.
      clock: milliseconds; it bounds the rate.
      watch: is told everything besides, unbounded; for tests of contracts.
    """

    def __init__(
        self,
        database: bytes,
        clock: Callable[[], int],
        watch: Callable[[ContractNews], None] | None = None,
    ) -> None:
        self._database = database.hex()
        self._clock = clock
        self._watch = watch
        self._room = float(MAX_LINES_AT_ONCE)
        self._asked = clock()
        self._left_out = 0

    def operation(self, oplog: bytes, seq: int, result: ApplyResult) -> None:
        """An operation was executed."""
        if result.printed or self._watch is not None:
            what = f"operation {seq} of oplog {oplog.hex()}"
            self._tell(ContractNews(what, result.printed, result.error, result.position))

    def call(self, method: str, printed: Sequence[ConsoleLine]) -> None:
        """A method was called."""
        if printed:
            self._tell(ContractNews(f"call of {method}", printed))

    def failed_call(self, method: str, error: ContractCallError) -> None:
        """A method threw."""
        news = ContractNews(f"call of {method}", error.printed, str(error), error.position)
        self._tell(news)

    def _tell(self, news: ContractNews) -> None:
        if self._watch is not None:
            self._watch(news)
        for line in news.printed:
            if self._has_room():
                log.log(
                    _LEVELS[line.level], "%s, %s: %s", self._database, news.what, _plain(line.text)
                )

    def _has_room(self) -> bool:
        now = self._clock()
        self._room += max(now - self._asked, 0) * LINES_A_SECOND / 1000
        self._room = min(self._room, MAX_LINES_AT_ONCE)
        self._asked = now
        if self._room < 1:
            self._left_out += 1
            return False
        self._room -= 1
        if self._left_out:
            log.warning("%s: %d lines were left out", self._database, self._left_out)
            self._left_out = 0
        return True


def _plain(text: str) -> str:
    """One line without control characters, which could imitate other lines of the log."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
