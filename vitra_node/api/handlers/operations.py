"""Running a node for months: backups, and the index as lines of JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocol.encoding.paths import SYSTEM_PREFIX, format_key

from ...errors import UsageProblem
from ...progress import Progress
from ..directories.backups import back_up
from ..json_values import to_json
from ..session import Session

if TYPE_CHECKING:
    from ...ledger.index import Index

# Keys are UTF-8, in which this byte has no place.
ALL_KEYS_END = b"\xff"


async def backup(
    session: Session, progress: Progress, *, file: str, passphrase: str | None = None
) -> dict[str, Any]:
    """Write a backup of the directory to a new file; with a passphrase, the keys too."""
    path = Path(file)
    if not path.is_absolute():
        raise UsageProblem("The file of a backup is named by an absolute path.")
    return await back_up(session.database, path, passphrase, progress)


@asynccontextmanager
async def export(session: Session, *, everything: bool = False) -> AsyncIterator[Any]:
    """All entries of the index as it is now, in order; with ``everything``, the protocol's too."""
    session.require_data()
    async with aclosing(_entries(session.database.index.snapshot(), everything)) as entries:
        yield entries


async def _entries(index: Index, everything: bool) -> AsyncGenerator[Any, None]:
    async for key, seq, value in index.entries(b"", ALL_KEYS_END):
        if everything or not key.startswith(SYSTEM_PREFIX):
            yield {"path": format_key(key), "seq": seq, "value": to_json(value)}
