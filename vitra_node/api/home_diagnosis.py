"""Questions about a data directory itself: its store, its keys, and what runs its contract."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from ..contracts.runtime import RUNTIME_ID
from ..errors import VitraError
from .diagnosis import OFF, OK, PROBLEM, Finding
from .directories.keys import are_sealed
from .failures import failure_of
from .session import Session

# Below this a node is near its end: each commit needs room for its journal and for new pages.
MIN_FREE_BYTES: Final = 64 * 1024 * 1024
_MIB: Final = 1024 * 1024

NO_NODE: Final = Finding(
    PROBLEM, "No node serves this directory, so nothing is exchanged.", "Start one: `vitra serve`."
)


async def examine(session: Session) -> list[tuple[str, Finding]]:
    """The findings by name, in the order to look at them."""
    directory = session.directory
    in_memory = Finding(OFF, "The database is in memory.")
    return [
        ("store", in_memory if directory is None else _store(session, directory)),
        ("keys", in_memory if directory is None else _keys(directory)),
        ("runtime", await _runtime(session)),
    ]


def _store(session: Session, directory: Path) -> Finding:
    waiting = len(session.database.store.restored_logs())
    if waiting:
        return Finding(
            PROBLEM,
            f"Logs of our own that were restored, and wait to be written again: {waiting}.",
            "Let a peer connect that was there last: it shows whether anything is newer.",
        )
    used = sum(each.stat().st_blocks * 512 for each in directory.glob("cores.*"))
    free = shutil.disk_usage(directory).free
    text = f"The store opens and takes {used // _MIB} MiB; free on its disk: {free // _MIB} MiB."
    if free < MIN_FREE_BYTES:
        return Finding(PROBLEM, text, "Free some space before the disk is full.")
    return Finding(OK, text)


def _keys(directory: Path) -> Finding:
    try:
        sealed = are_sealed(directory)
    except VitraError as error:
        return Finding(PROBLEM, error.failed, error.advice)
    return Finding(
        OK,
        "The keys are under a passphrase."
        if sealed
        else "The keys are for this user alone, without a passphrase.",
    )


async def _runtime(session: Session) -> Finding:
    if not session.database.index.length:
        return Finding(OFF, "There is no contract here yet.")
    try:
        methods = await session.database.methods()
    except Exception as error:
        failure = failure_of(error)
        assert failure is not None, "cancellation is no Exception"
        return Finding(PROBLEM, f"The contract does not load: {failure.failed}", failure.advice)
    return Finding(OK, f"The contract loads; methods: {len(methods)}. Runtime: {RUNTIME_ID}.")
