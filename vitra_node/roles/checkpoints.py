"""Where a monitor begins: the checkpoint that an earlier one left in the store, if it fits."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from protocol.errors import RecordError
from protocol.transparency.audits.checkpoint import (
    Checkpoint,
    decode_checkpoint_untrusted,
    encode_checkpoint,
)
from protocol.transparency.replay.state import ReplayState

from ..contracts.runtime import RUNTIME_ID
from ..storage.environments.records import Records
from ..storage.errors import StorageError
from ..storage.log.hypercore import Hypercore

log = logging.getLogger("vitra.monitor")

# Table of ``records``; the key is that of the index.
TABLE = "monitor"


@dataclass
class Checkpoints:
    """The one checkpoint of a database.

    It is written in the transactions of the store, so it is there whole or not at all.
    """

    records: Records
    core: Hypercore
    _saved: int = 0

    def load(self) -> ReplayState | None:
        """Where to go on; None to begin at the start. One that does not fit is dropped."""
        stored = self.records.table(TABLE).get(self.core.key)
        if stored is None:
            return None
        try:
            checkpoint = decode_checkpoint_untrusted(stored)
            misfit = checkpoint.misfit(self.core.storage, RUNTIME_ID)
        except RecordError as error:
            misfit = str(error)
        if misfit is None:
            self._saved = checkpoint.state.position
            return checkpoint.state
        self.drop(misfit)
        return None

    def save(self, state: ReplayState) -> None:
        """Store where a replay of the index as it is now stands, unless one got further.

        It is durable a moment later. A store that takes nothing costs no verdict.
        """
        if state.position <= self._saved:
            return
        checkpoint = Checkpoint(self.core.key, RUNTIME_ID, self.core.head, state)
        try:
            self._submit(encode_checkpoint(checkpoint))
        except StorageError as error:
            log.warning("the monitor's checkpoint cannot be stored: %s", error)
        else:
            self._saved = state.position

    def drop(self, reason: str) -> None:
        """Forget the checkpoint; the reason is for the log."""
        log.warning("the monitor's checkpoint is dropped, all is verified again: %s", reason)
        self._saved = 0
        try:
            self._submit(None)
        except StorageError as error:
            log.warning("the monitor's checkpoint cannot be dropped: %s", error)

    def _submit(self, value: bytes | None) -> None:
        self.records.submit([self.records.table(TABLE).record(self.core.key, value)])
