"""The executor: applies each operation with the contract, and publishes acks and changes.

    oplog -> feed -> group -> contract -> batches -> one append of the index -> feeds advance

Each participant's oplog is read by a feed, in order. A group takes one operation of each feed in
turn until it is full or nothing waits. The contract runs over the group; what it changes becomes
one Hyperbee batch for each operation, its ack first; all batches of a group are one append, with
one signature and one commit. What was executed is known from the index alone, so a restart finds
its place by one look-up for each oplog, and no crash can execute an operation twice.

An operation that this machine cannot run (or whose contract it cannot even compile) holds up its
own oplog, until the source changes. The others go on: so participants can vote the source back
(``protocol.transparency.rollback``), which calls no contract.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import trio

from protocol.encoding.paths import CONTRACT_SOURCE
from protocol.errors import RecordError
from protocol.transparency.changes import Outcome, effective_writes, outcome_of
from protocol.transparency.operations import (
    UNREADABLE_OPERATION,
    Plain,
    decode_operation_untrusted,
)
from protocol.transparency.records import Ack, decode_source_untrusted, op_batch
from protocol.transparency.replay.group import changes_rules
from protocol.transparency.replay.state_at import runtime_at
from protocol.transparency.rollback import (
    Refused,
    is_system_operation,
    read_rollback_untrusted,
    settle_rollback,
    source_in_block_untrusted,
)

from ..contracts.engine import AckView, ApplyRequest, ApplyResult, Value
from ..contracts.errors import ContractError, HostFault, RuntimeMissing
from ..contracts.runtime import missing_runtime
from ..ledger.console import ContractConsole
from ..ledger.contract_runner import ContractRunner
from ..ledger.index import Index
from ..ledger.index_host import IndexHost
from ..ledger.index_writer import IndexBatches
from ..ledger.oplogs import Oplog, OplogSet
from ..ledger.votes import standing_votes
from ..storage.errors import LogViolated, WriterConflict
from .feed import OplogFeed, PublishedOperation

log = logging.getLogger("vitra.executor")

# One commit costs about as much as ten operations; beyond a hundred the gain is small and the
# first operation of a group waits longer for its ack.
MAX_GROUP_OPERATIONS = 100


class ExecutorStopped(Exception):
    """Nothing more can be executed here: the index was signed elsewhere too."""


class _CannotRun(Exception):
    """The machine could not run the contract for an operation; nothing was decided about it."""

    def __init__(self, operation: PublishedOperation, fault: Exception) -> None:
        super().__init__(
            f"Operation {operation.seq} of oplog {operation.oplog.key.hex()} could not be run: "
            f"{str(fault).rstrip('.')}. It was not executed, and no operation after it in that "
            "oplog will be until the contract source changes or the node is started again."
        )
        self.oplog = operation.oplog


class Executor:
    """Executes the operations of all participants of one database.

    Args:
      clock: milliseconds since 1970, for the acks.
      on_fault: called with what the machine could not run, and with None when that is past.
    """

    def __init__(
        self,
        index: Index,
        oplogs: OplogSet,
        runner: ContractRunner,
        clock: Callable[[], int],
        on_fault: Callable[[str | None], None],
        console: ContractConsole,
    ) -> None:
        self._index = index
        self._oplogs = oplogs
        self._runner = runner
        self._clock = clock
        self._on_fault = on_fault
        self._console = console
        self._feeds: dict[bytes, OplogFeed] = {}
        self._woken = trio.Event()
        # Oplogs whose next operation cannot be run here under the present source.
        self._held: set[bytes] = set()
        self._source = ""
        self._source_seq = 0
        # The runtime that others replay it with; None in databases of the original.
        self._source_runtime: str | None = None
        self._last_ts = 0
        # Which feed has the first turn in the next group.
        self._turn = 0
        self.executed = 0

    async def run(self) -> None:
        """Execute operations for ever.

        Raises:
          ExecutorStopped: the index was signed elsewhere too.
        """
        await self._read_source()
        async with trio.open_nursery() as nursery:
            await self._follow_participants(nursery)
            while True:
                group = self._next_group()
                if group:
                    await self._execute_or_hold(group, nursery)
                else:
                    await self._woken.wait()
                self._woken = trio.Event()

    # Reading oplogs -------------------------------------------------------------------------------

    async def _follow_participants(self, nursery: trio.Nursery) -> None:
        """Start a feed for each active oplog, and end those of the others."""
        await self._oplogs.refresh(self._index)
        for oplog in self._oplogs:
            feed = self._feeds.get(oplog.key)
            if oplog.active and feed is None:
                feed = OplogFeed(oplog, await self._next_seq(oplog), self._wake)
                self._feeds[oplog.key] = feed
                nursery.start_soon(feed.run)
            elif feed is not None and not oplog.active:
                feed.stop()
                del self._feeds[oplog.key]

    async def _next_seq(self, oplog: Oplog) -> int:
        """The operation after the last one that the index has an ack for."""
        last = await self._index.last_ack(oplog.key)
        if last is None:
            return 0
        seq, ack = last
        assert isinstance(ack, dict)
        self._last_ts = max(self._last_ts, int(ack["ts"]))
        return seq + 1

    def _wake(self) -> None:
        self._woken.set()

    def _next_group(self) -> list[PublishedOperation]:
        """Operations to execute together, one of each feed in turn; they stay in their feeds."""
        feeds = [
            feed
            for key, feed in sorted(self._feeds.items())
            if feed.waiting and key not in self._held
        ]
        if not feeds:
            return []
        self._turn = (self._turn + 1) % len(feeds)
        feeds = feeds[self._turn :] + feeds[: self._turn]
        group: list[PublishedOperation] = []
        depth = 0
        while len(group) < MAX_GROUP_OPERATIONS:
            ready = [feed.waiting[depth] for feed in feeds if len(feed.waiting) > depth]
            if not ready:
                break
            group.extend(ready[: MAX_GROUP_OPERATIONS - len(group)])
            depth += 1
        return group

    # Executing ------------------------------------------------------------------------------------

    async def _execute_or_hold(
        self, group: Sequence[PublishedOperation], nursery: trio.Nursery
    ) -> None:
        try:
            await self._execute(group, nursery)
        except _CannotRun as fault:
            log.error("%s", fault)
            self._held.add(fault.oplog.key)
            self._on_fault(str(fault))
        except (LogViolated, WriterConflict) as error:
            raise ExecutorStopped(f"Nothing more is executed here: {error}.") from error

    async def _read_source(self) -> None:
        """Take over the source in force; what could not be run under the one before may run now."""
        entry = await self._index.get_key(CONTRACT_SOURCE)
        self._source = await self._index.contract_source()
        self._source_seq = 0 if entry is None else entry.seq
        try:
            self._source_runtime = await self._index.drive(runtime_at(self._index.length))
        except RecordError:
            # Written past the contract; monitors have their own opinion of it.
            self._source_runtime = None
        if self._held:
            self._held.clear()
            self._on_fault(None)

    async def _execute(self, group: Sequence[PublishedOperation], nursery: trio.Nursery) -> None:
        ts = self._last_ts = max(self._last_ts, self._clock())
        outcomes = await self._apply(group, ts)
        new_runtime_id = await self._new_runtime_id(group, outcomes)
        rules_changed = False
        async with self._index.writing() as batches:
            for operation, (result, outcome) in zip(group, outcomes, strict=False):
                metadata = None if result is None else result.metadata
                rules_changed |= self._stage(
                    batches, operation, outcome, metadata, ts, new_runtime_id
                )
            await batches.append()
        for operation, _ in zip(group, outcomes, strict=False):
            self._feeds[operation.oplog.key].take()
        self.executed += len(outcomes)
        if rules_changed:
            await self._follow_participants(nursery)
            await self._read_source()

    def _stage(
        self,
        batches: IndexBatches,
        operation: PublishedOperation,
        outcome: Outcome,
        metadata: Value,
        ts: int,
        new_runtime_id: str | None,
    ) -> bool:
        """Add the batch of one operation; returns whether it changed source or membership."""
        writes = effective_writes(outcome.writes, batches.has)
        keys = [key for key, _ in writes]
        ack = Ack(
            origin=operation.oplog.key,
            seq=operation.seq,
            ts=ts,
            success=outcome.success,
            error=outcome.error,
            metadata=metadata,
            num_changes=len(writes),
            op_hash=operation.op_hash,
            oplog_head=operation.oplog_head,
            runtime_id=new_runtime_id if CONTRACT_SOURCE in keys else None,
        )
        batches.add(op_batch(ack, writes))
        return any(changes_rules(key) for key in keys)

    async def _new_runtime_id(
        self,
        group: Sequence[PublishedOperation],
        outcomes: Sequence[tuple[ApplyResult | None, Outcome]],
    ) -> str | None:
        """The runtime of the source that the last operation set, if it did."""
        for _, outcome in outcomes[-1:]:
            for key, value in outcome.writes:
                if key == CONTRACT_SOURCE and value is not None:
                    try:
                        compiled = await self._runner.compiled(decode_source_untrusted(value))
                    except ContractError as fault:
                        raise _CannotRun(group[len(outcomes) - 1], fault) from fault
                    return compiled.runtime_id
        return None

    async def _apply(
        self, group: Sequence[PublishedOperation], ts: int
    ) -> list[tuple[ApplyResult | None, Outcome]]:
        """Run the contract over a group; fewer outcomes when one of them changed the rules."""
        readable: list[tuple[PublishedOperation, Plain] | None] = []
        for operation in group:
            try:
                op = decode_operation_untrusted(operation.block)
            except RecordError:
                readable.append(None)
                continue
            if is_system_operation(op):
                if not readable:
                    return [(None, await self._settle_system_operation(operation, op))]
                # It is a group of its own, and the next one.
                break
            readable.append((operation, op))
        results = iter(await self._run([each for each in readable if each is not None], ts))
        outcomes: list[tuple[ApplyResult | None, Outcome]] = []
        for request in readable:
            if outcomes and any(changes_rules(key) for key, _ in outcomes[-1][1].writes):
                # What follows is judged under the new rules, be it readable or not.
                break
            if request is None:
                outcomes.append((None, Outcome(UNREADABLE_OPERATION)))
                continue
            result = next(results, None)
            if result is None:
                break
            self._console.operation(request[0].oplog.key, request[0].seq, result)
            outcomes.append((result, outcome_of(result.error, result.changes)))
        return outcomes

    async def _run(
        self, operations: Sequence[tuple[PublishedOperation, Plain]], ts: int
    ) -> list[ApplyResult]:
        """Apply; when the machine fails at the first of them, twice, that one is held."""
        if not operations:
            return []
        first = operations[0][0]
        try:
            compiled = await self._runner.compiled(self._source)
        except ContractError as fault:
            raise _CannotRun(first, fault) from fault
        if self._source_runtime not in (None, compiled.runtime_id):
            # What another runtime gives might look like a fraud to those who replay.
            raise _CannotRun(first, RuntimeMissing(missing_runtime(self._source_runtime or "")))
        requests = [
            ApplyRequest(
                op,
                AckView(operation.oplog.key.hex(), operation.seq, ts),
                run_process=compiled.has_process,
            )
            for operation, op in operations
        ]
        try:
            return await self._runner.apply(self._source, requests, IndexHost(self._index))
        except HostFault as fault:
            raise _CannotRun(first, fault) from fault

    async def _settle_system_operation(self, operation: PublishedOperation, op: Plain) -> Outcome:
        """What an operation of the protocol comes to; its ack will be the next index block."""
        source = b""
        try:
            target = read_rollback_untrusted(op, self._index.length, self._source_seq)
            if target is not None:
                block = await self._index.core.get(target)
                source = source_in_block_untrusted(target, block)
        except Refused as refused:
            return refused.outcome
        listed = await self._index.participants()
        votes = await standing_votes(self._index, self._source_seq)
        active = [key for key, is_active in listed.items() if is_active]
        return settle_rollback(operation.oplog.key, target, source, votes, active, self._source_seq)
