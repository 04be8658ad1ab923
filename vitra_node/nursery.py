"""A nursery for the tasks that belong to an object, invisible to the object's user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def open_owned_nursery() -> AsyncIterator[trio.Nursery]:
    """Run background tasks while the block runs, and cancel them when it ends.

    A plain nursery puts whatever its block raises into an ``ExceptionGroup``. The user of a
    context manager that happens to own tasks should not see that: when exactly one exception is
    at the bottom, it comes out as it was raised.
    """
    failure: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                yield nursery
            finally:
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        failure = _only_leaf(group)
        if failure is None:
            raise
    if failure is not None:
        # Outside the handler, so that the group does not show as the exception's context.
        raise failure


def _only_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        if len(error.exceptions) != 1:
            return None
        error = error.exceptions[0]
    return error
