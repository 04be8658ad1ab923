"""What is live on the pages: the node's state, and how far its execution was verified here."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from ..api.control.connection import Connection
from ..errors import VitraError

_log = logging.getLogger("vitra.explorer")

# A node that went away is looked for again at this pace.
RETRY_SECONDS = 1.0


@dataclass
class Verdict:
    """How far the execution was verified, as ``audit.events`` tells it.

    Attributes:
      operations: verified so far.
      index_length: up to where the index is verified.
      violation: the event that tells of a violation, once there is one.
      forks: events that tell of participants' logs with two histories.
      undecided: why there is no verdict beyond that, None while there is.
    """

    operations: int = 0
    index_length: int = 0
    violation: dict[str, Any] | None = None
    forks: list[dict[str, Any]] = field(default_factory=list)
    undecided: str | None = None

    def word(self, length: int | None) -> str:
        """``verified``, ``violated``, ``cannot tell`` or ``verifying``, for an index that long."""
        if self.violation is not None:
            return "violated"
        if self.undecided is not None:
            return "cannot tell"
        return "verified" if length is not None and self.index_length >= length else "verifying"


@dataclass
class Watch:
    """Follows one database while ``run`` runs.

    Attributes:
      state: the newest state that ``node.watch`` told, None while the node is away.
      verdict: how far it was verified.
      away: why there is no state, None while there is one.
    """

    connection: Connection
    state: dict[str, Any] | None = None
    verdict: Verdict = field(default_factory=Verdict)
    away: str | None = None
    _changed: trio.Event = field(default_factory=trio.Event)

    async def run(self) -> None:
        """Follow state and verdict until cancelled, whatever becomes of the node."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._for_ever, self._follow_state)
            nursery.start_soon(self._for_ever, self._follow_verdict)

    async def wait(self) -> None:
        """Return at the next change."""
        await self._changed.wait()

    async def _follow_state(self) -> None:
        async with self.connection.stream("node.watch") as states:
            async for state in states:
                self.state, self.away = state, None
                self._tell()

    async def _follow_verdict(self) -> None:
        self.verdict = Verdict()
        async with self.connection.stream("audit.events") as events:
            async for event in events:
                self._take(event)
                self._tell()
        # After a violation there is nothing more to verify.
        await trio.sleep_forever()

    def _take(self, event: dict[str, Any]) -> None:
        if event["event"] == "violation":
            self.verdict.violation = event
        elif event["event"] == "fork":
            self.verdict.forks.append(event)
        elif event["event"] == "validated":
            self.verdict.undecided = None
            self.verdict.operations = event["operations"]
            self.verdict.index_length = event["index_length"]
        else:
            self.verdict.undecided = event["reason"]

    async def _for_ever(self, follow: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await follow()
            except VitraError as error:
                _log.info("the node is away: %s", error)
                self.state, self.away = None, error.failed
                self._tell()
            await trio.sleep(RETRY_SECONDS)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
