"""Logs of our own that came out of a backup: read-only until a peer shows that nothing is newer.

Whoever writes on from an old copy signs a second history of the log, which is a fork and cannot be
taken back. So a restored log is kept from writing until a connected peer has told how long it knew
the log to be before it met us, and everything up to there is here. A peer that knew less than the
backup says nothing about what came after it, and does not count.
"""

from __future__ import annotations

from ..environments.environment import Environment, Writes, prefix_range
from ..environments.schema import RESTORED_TABLE, restored_key
from ..log.hypercore import Hypercore

_LENGTH_BYTES = 8


def mark_restored(writes: Writes, discovery_key: bytes, length: int) -> None:
    """Note that a log was restored with so many blocks."""
    writes.put(restored_key(discovery_key), length.to_bytes(_LENGTH_BYTES, "big"))


def restored_length(environment: Environment, discovery_key: bytes) -> int | None:
    """With how many blocks a log was restored; None when it may be written."""
    value = environment.get(restored_key(discovery_key))
    return None if value is None else int.from_bytes(value, "big")


def restored_logs(environment: Environment) -> list[bytes]:
    """The discovery keys of all logs that wait for a peer."""
    rows = environment.items(*prefix_range(RESTORED_TABLE))
    return [key[len(RESTORED_TABLE) :] for key, _ in rows]


async def wait_confirmed(core: Hypercore, length: int) -> None:
    """Return when a peer has shown that what is here is the newest of a log.

    ``length`` is the one it was restored with. Fetches what is newer.

    Raises:
      StoreClosed: the store was closed meanwhile.
    """
    with core.tail(0):
        while not _is_confirmed(core, length):
            await core.wait_for_activity()


def _is_confirmed(core: Hypercore, length: int) -> bool:
    peers = core.replication
    return (
        # Who knows of no block may have missed the first one.
        peers.is_known_elsewhere(max(length, 1))
        and peers.remote_length <= core.length
        and not peers.updating
        and core.contiguous_length == core.length
    )
