"""Following the keys of a Hyperbee: ``async for change in bee.watch()``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from protocol.errors import LocalProtocolError
from protocol.hyperbee import Bounds
from protocol.hypercore.core import TreeHead

if TYPE_CHECKING:
    from .hyperbee import Hyperbee


@runtime_checkable
class ChangingCore(Protocol):
    """A core that tells when it has changed; a ``Hypercore`` is one."""

    @property
    def fork(self) -> int:
        """How often the core was truncated."""

    def changes(self) -> AsyncIterator[TreeHead]:
        """The newest head whenever it has changed."""


class BeeChange(NamedTuple):
    """Something in the watched range is not as it was.

    Attributes:
      current: the tree as it is now; read-only.
      previous: as it was at the change before, or when watching began; None when the log was
        truncated meanwhile, so that there is nothing to compare with.
    """

    current: Hyperbee
    previous: Hyperbee | None


class BeeWatch:
    """Iterates over the changes of a range of keys; see ``Hyperbee.watch``."""

    def __init__(self, bee: Hyperbee, bounds: Bounds) -> None:
        core = bee.core
        if not isinstance(core, ChangingCore):
            raise LocalProtocolError("only the newest tree in a Hypercore can be watched")
        self._bee = bee
        self._bounds = bounds
        self._heads = core.changes()
        self._seen = bee.snapshot()
        self._fork = core.fork

    def __aiter__(self) -> BeeWatch:
        return self

    async def __anext__(self) -> BeeChange:
        bounds = self._bounds
        while True:
            head = await anext(self._heads)
            current, previous = self._bee.snapshot(), self._seen
            self._seen = current
            if head.fork != self._fork:
                self._fork = head.fork
                return BeeChange(current, None)
            changes = current.diff(
                previous, gt=bounds.gt, gte=bounds.gte, lt=bounds.lt, lte=bounds.lte, limit=1
            )
            async for _ in changes:
                return BeeChange(current, previous)
