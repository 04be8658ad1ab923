"""Reading the index, and writing to it past the contract."""

from __future__ import annotations

from typing import Any

from ...errors import NotFound
from ..parameters import Changes, Count
from ..session import Session
from ..shapes import entry_shape, listed_entry_shape


async def get(session: Session, *, path: str) -> dict[str, Any]:
    """The entry at a path; fails with NotFound when there is none."""
    session.require_data()
    entry = await session.database.index.get(path)
    if entry is None:
        raise NotFound(
            f"The index has nothing at {path}.", advice="See what there is with `vitra ls`."
        )
    return entry_shape(entry)


async def list_(
    session: Session,
    *,
    path: str = "/",
    reverse: bool = False,
    limit: Count | None = None,
    offset: Count = 0,
) -> list[dict[str, Any]]:
    """The entries one level below a path, in key order."""
    session.require_data()
    entries = await session.database.index.list(path, reverse=reverse, limit=limit, offset=offset)
    return [listed_entry_shape(entry) for entry in entries]


async def dangerous_batch(session: Session, *, changes: Changes) -> dict[str, Any]:
    """Write to the index behind the contract's back, which every monitor then reports as fraud.

    It exists so that the consequences can be seen. Only the executor's own node can do it.
    """
    await session.database.index.dangerous_batch(changes)
    return {"length": session.database.index.length}
