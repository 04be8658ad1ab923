"""Method calls on their way through the contract, all that wait in one frame.

    caller -> line -> contract -> what it emits: a line again -> one append -> caller

Calls that go together are shown one state of the database: the newest, which holds everything that
any of their callers can have seen. What they emit is published in the order in which they were
made; see ``publishing``. An error of one of them is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from ..contracts.calls import MAX_CALLS_TOGETHER, CallOutcome
from ..contracts.engine import CallRequest, Value
from ..contracts.errors import ContractCallError
from ..errors import NotAllowed, NotFound
from ..ledger.call_host import CallHost
from ..ledger.console import ContractConsole
from ..ledger.contract_runner import ContractRunner
from ..ledger.index import Index
from ..ledger.oplogs import Oplog, OplogSet
from ..transactions import Transaction
from .publishing import PendingCall, Publishing
from .waiting_line import WaitingLine

# The contract's own exports that are not for callers.
RESERVED_METHODS = ("apply", "process")


class Calling:
    """Runs methods against the newest index.

    Args:
      local: the oplog that methods are told of as this node's own.
      publishing: where calls go that emit operations.
    """

    def __init__(
        self,
        index: Index,
        oplogs: OplogSet,
        runner: ContractRunner,
        local: Callable[[], Oplog | None],
        console: ContractConsole,
        publishing: Publishing,
    ) -> None:
        self._index = index
        self._oplogs = oplogs
        self._runner = runner
        self._local = local
        self._console = console
        self._publishing = publishing
        self._line: WaitingLine[PendingCall] = WaitingLine()
        # The calls in the contract's process, and what takes them out of it.
        self._running: list[PendingCall] = []
        self._stop = trio.CancelScope()

    async def call(self, method: str, params: Value) -> Transaction:
        """Call a method, and have published what it emits."""
        call = PendingCall(method, params)
        self._line.add(call)
        try:
            return await call.transaction()
        finally:
            # Nobody waits for a method that runs for ever.
            if call.has_left and all(each.has_left for each in self._running):
                self._stop.cancel()

    async def run(self) -> None:
        """Run calls for ever."""
        try:
            while True:
                calls = await self._line.take(MAX_CALLS_TOGETHER)
                try:
                    await self._run(calls)
                except Exception as error:
                    if len(calls) == 1:
                        calls[0].fail(error)
                    else:
                        await self._run_singly(calls)
        finally:
            self._line.close()

    async def _run_singly(self, calls: Sequence[PendingCall]) -> None:
        """Nothing could be run: each gets an error of its own."""
        for call in calls:
            try:
                await self._run([call])
            except Exception as error:
                call.fail(error)

    async def _run(self, calls: Sequence[PendingCall]) -> None:
        self._running = [call for call in calls if not call.has_left]
        with trio.CancelScope() as self._stop:
            await self._run_together(self._running)
        self._running = []

    async def _run_together(self, calls: Sequence[PendingCall]) -> None:
        source = await self._index.contract_source()
        compiled = await self._runner.compiled(source)
        names = [known.name for known in compiled.methods]
        calls = [call for call in calls if _is_callable(call, names)]
        if not calls:
            return
        snapshot = self._index.snapshot()
        outcomes = await self._runner.call_together(
            source,
            [CallRequest(call.method, call.params) for call in calls],
            CallHost(snapshot, self._oplogs, self._local),
            version=(snapshot.length, snapshot.core.fork),
        )
        assert len(outcomes) == len(calls)
        for call, outcome in zip(calls, outcomes, strict=True):
            try:
                self._take(call, outcome)
            except Exception as error:
                call.fail(error)

    def _take(self, call: PendingCall, outcome: CallOutcome) -> None:
        """Pass on what a call came to; raises its error."""
        if isinstance(outcome, ContractCallError):
            self._console.failed_call(call.method, outcome)
        if isinstance(outcome, Exception):
            raise outcome
        self._console.call(call.method, outcome.printed)
        call.response = outcome.response
        if outcome.operations:
            call.emit(outcome.operations)
            self._publishing.publish(call)
        else:
            response = outcome.response
            call.finish(Transaction(None, call.method, call.params, response, [], self._index))


def _is_callable(call: PendingCall, names: Sequence[str]) -> bool:
    """Whether the contract has such a method; else the call fails."""
    if call.method in RESERVED_METHODS:
        call.fail(
            NotAllowed(
                f"{call.method!r} is run by the executor; it cannot be called.",
                unchanged="Nothing was published.",
                advice="See what can be called with `vitra methods`.",
            )
        )
    elif call.method not in names:
        call.fail(
            NotFound(
                f"The contract has no method {call.method!r}.",
                unchanged="Nothing was published.",
                advice=f"It has: {', '.join(names) or 'none'}.",
            )
        )
    return not call.is_settled
