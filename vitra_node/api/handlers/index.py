"""Reading the index, and writing to it past the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from protocol.errors import RemoteProtocolError

from ...errors import NotFound
from ..control.parameters import Changes, Count
from ..session import Session
from ..shapes import entry_shape, listed_entry_shape

if TYPE_CHECKING:
    from ...ledger.index import Index


async def get(session: Session, *, path: str, version: Count | None = None) -> dict[str, Any]:
    """The entry at a path; fails with NotFound when there is none.

    ``version`` is a length of the index: the entry as it was then.
    """
    with _at(version):
        entry = await _index(session, version).get(path)
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
    version: Count | None = None,
) -> list[dict[str, Any]]:
    """The entries one level below a path, in key order; ``version`` as in ``index.get``."""
    with _at(version):
        index = _index(session, version)
        entries = await index.list(path, reverse=reverse, limit=limit, offset=offset)
    return [listed_entry_shape(entry) for entry in entries]


async def dangerous_batch(session: Session, *, changes: Changes) -> dict[str, Any]:
    """Write to the index behind the contract's back, which every monitor then reports as fraud.

    It exists so that the consequences can be seen. Only the executor's own node can do it.
    """
    await session.database.index.dangerous_batch(changes)
    return {"length": session.database.index.length}


def _index(session: Session, version: int | None) -> Index:
    session.require_data()
    index = session.database.index
    return index if version is None else index.checkout(version)


@contextmanager
def _at(version: int | None) -> Iterator[None]:
    """An operation is one batch, within which the index has no state that could be read."""
    try:
        yield
    except RemoteProtocolError as error:
        if version is None:
            raise
        raise NotFound(
            f"The index cannot be read at length {version}: {error}.",
            advice="Take the length behind the last change of an operation.",
        ) from error
