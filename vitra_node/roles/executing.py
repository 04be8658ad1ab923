"""Whether this node executes its database now, and what keeps it from doing so.

index                                            executes
another's                                        never
our own                                          from the start
our own, restored from a backup                  once a peer has shown that nothing is newer
our own, and an operation that cannot be run     all other oplogs; ``fault`` says which waits
our own, and signed elsewhere too                never again; ``fault`` says so
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from ..ledger.console import ContractConsole
from ..ledger.contract_runner import ContractRunner
from ..ledger.index import Index
from ..ledger.oplogs import OplogSet
from ..storage.corestore import Corestore
from ..storage.log.hypercore import Hypercore
from .executor import Executor, ExecutorStopped

log = logging.getLogger("vitra.database")

SIGNED_ELSEWHERE = (
    "The index was signed elsewhere too, with the key that is here; nothing more is executed."
)


class Executing:
    """The executor of a database, for as long as there may be one on this node.

    Attributes:
      fault: what cannot be executed, and why; None while it works.
      stopped: why nothing at all is executed here any more; None while it may be.

    Resource handling: its tasks run in the nursery it is given.
    """

    def __init__(
        self,
        executor_type: type[Executor],
        index: Index,
        oplogs: OplogSet,
        runner: ContractRunner,
        store: Corestore,
        clock: Callable[[], int],
        console: ContractConsole,
        nursery: trio.Nursery,
    ) -> None:
        self.fault: str | None = None
        self.stopped: str | None = None
        self._executor_type = executor_type
        self._index = index
        self._oplogs = oplogs
        self._runner = runner
        self._store = store
        self._clock = clock
        self._console = console
        self._nursery = nursery

    def start(self) -> None:
        """Execute if the index can be written, and wait for each log that can not be yet."""
        for core in self.unconfirmed():
            self._nursery.start_soon(self._resume_writing, core)
        if self._index.core.writable:
            self._nursery.start_soon(self._execute)

    def stopped_by_fork(self) -> None:
        """The index was signed elsewhere too."""
        self._stop(SIGNED_ELSEWHERE)

    def unconfirmed(self) -> list[Hypercore]:
        """Logs of our own that a backup brought back and no peer has confirmed."""
        own = [self._index.core, *(oplog.core for oplog in self._oplogs)]
        return [core for core in own if core.restored_length is not None]

    async def _execute(self) -> None:
        executor = self._executor_type(
            self._index, self._oplogs, self._runner, self._clock, self._set_fault, self._console
        )
        try:
            await executor.run()
        except* ExecutorStopped as group:
            stopped = group.exceptions[0]
            log.error("%s", stopped)
            self._stop(str(stopped))

    def _stop(self, why: str) -> None:
        self.fault = self.stopped = why

    def _set_fault(self, fault: str | None) -> None:
        self.fault = fault

    async def _resume_writing(self, core: Hypercore) -> None:
        """Once a peer shows that nothing newer exists, write again."""
        what = "the index" if core is self._index.core else f"oplog {core.key.hex()}"
        log.warning("%s was restored; it is read-only until a peer has confirmed it", what)
        await self._store.cores.resume_writing(core)
        log.warning("a peer has confirmed %s; it is written again", what)
        if core is self._index.core:
            self._nursery.start_soon(self._execute)
