"""The replay: from the blocks of an index to one of three verdicts. The map of this package.

    changes    what a contract asks for, and the writes that makes      (shared with the executor)
    records    acks, participants, genesis, as bytes                    (shared with the executor)
    operations what a contract gets of an oplog's block                 (shared with the executor)
    replay     the rules below                                          (this file)
    comparison the writes of a contract against the entries of an index
    rollback   the protocol's own operation: back to an earlier source   (shared with the executor)
    replay_requests, replay_state, frauds: what goes in, what is kept, what comes out

``replay`` is a generator without I/O: it yields requests (``replay_requests``), is sent their
answers, and returns a ``Verdict``. Everything that audits drives this one function: tests of the
executor, ``verify``, ``monitor`` and ``proof check``.

States, and what may come next. Anything else is the violation named in the last column.

    state         entry             -> state         else
    SOURCE        contract source   -> FIRST_INPUT   UnexpectedPath
    FIRST_INPUT   participant       -> INPUTS        UnexpectedPath; genesis ack:
                                                     NoGenesisInputsDeclared
    INPUTS        participant       -> INPUTS        UnexpectedPath
    INPUTS        genesis ack       -> BETWEEN
    BETWEEN       ack               -> CHANGES       UnexpectedPath
    CHANGES       anything but acks,
                  while the ack
                  counts more       -> CHANGES       (compared with what the contract writes)
    CHANGES       all counted       -> BETWEEN
    BETWEEN and CHANGES may end the index; elsewhere its end is "cannot tell".

Rules for an ack, in the order in which they are checked (violation in brackets):

    1. It stands under the key of its origin and seq, follows its schema, and names its operation
       by two hashes [InvalidSchema].
    2. Its oplog is a participant at that point [NonParticipant].
    3. Its seq is the next of that oplog [ProcessedOutOfOrder].
    4. Its ts is not less than that of the ack before [TimestampDecreased].
    5. The oplog's tree hash with the operation as its last block is the one it names, else *cannot
       tell*: the writer may have signed another history. In the history that it names, the
       operation's block is the one that it names [OperationMismatch].
    6. The contract ends as it reports: well or not, with the same text [MonitorApplyFailed,
       OutcomeMismatch]. For operations of the protocol itself, ``rollback`` takes its place.
    7. Behind it stand exactly the effective writes of the contract, in the order of their keys
       [ChangeMismatch, ChangeNotProducedByExecutor, ChangeNotProducedByMonitor,
       ChangesOutOfOrder], and it counts them [NumChangesMismatch].
    8. It names a runtime exactly when a source was set [InvalidSchema].
    9. The blocks hold the tree pages that one Hyperbee batch of these entries makes
       [IndexPagesMismatch]: else readers of the index could be led past an entry.

Operations run in groups under one source and one set of participants: a group ends with an
operation that changes either. Nothing of a group counts before all before it is verified, so the
first broken rule in the order of the index is the one reported.

Databases of the original (no runtime in the genesis): rules 4, 8 and 9, the hashes of 1 and 5, the
texts of 6 and the order of 7 do not apply; nothing in them promised any of this.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...encoding.paths import CONTRACT_SOURCE
from ...errors import LocalProtocolError, RecordError
from ...limits import MAX_REPLAY_GROUP_OPERATIONS
from ..changes import Write, effective_writes, outcome_of
from ..frauds import (
    CannotTell,
    UncertaintyCode,
    Verdict,
    Verified,
    Violated,
    Violation,
    ViolationCode,
)
from ..operations import UNREADABLE_OPERATION
from ..records import decode_input_untrusted, decode_source_untrusted
from ..rollback import decode_vote_untrusted, is_vote_key
from .ack_rules import Members, check_runtime
from .comparison import (
    Transaction,
    Unfinished,
    compare_legacy_writes,
    compare_outcomes,
    compare_writes,
    legacy_writes,
)
from .entries import Entries
from .genesis import replay_genesis
from .group import (
    Group,
    Item,
    changes_rules,
    read_operations,
    read_transactions,
    run_contract,
)
from .requests import (
    AppliedOperation,
    BuildPages,
    HasKeys,
    IndexEntry,
    Validated,
)
from .rollback import settle_system_operation
from .state import START, ReplayState
from .stop import Broken, Step, Unknown


def replay(
    length: int,
    state: ReplayState = START,
    *,
    max_operations: int | None = None,
    check_pages: bool = True,
    stop: int | None = None,
) -> Step[Verdict]:
    """Replay an index from ``state`` up to ``length`` blocks.

    Args:
      length: length of the index under a head that its writer signed.
      state: where an earlier replay ended; the result holds only as far as that one did.
      max_operations: stop with *verified* after this many operations.
      check_pages: rule 9. Without it the index must not be read by key on the word of the result.
      stop: a block with an ack; stop with *verified* there. What stands before it is judged as in
        a replay of the whole index, which knows that an ack follows.

    Yields: requests, and ``Validated`` news after each group.
    """
    return _Replay(length, state, max_operations, check_pages, stop).run()


class _Replay:
    """One run. The attributes are the working copy of a ``ReplayState``."""

    def __init__(
        self,
        length: int,
        state: ReplayState,
        max_operations: int | None,
        check_pages: bool,
        stop: int | None,
    ) -> None:
        self.stop = length if stop is None else min(stop, length)
        self.check_pages = check_pages
        self.last_operation = None if max_operations is None else state.operations + max_operations
        self.position = state.position
        self.genesis_done = state.genesis_done
        self.record_format = state.record_format
        self.runtime_id = state.runtime_id
        self.source_seq = state.source_seq
        self.participants = dict(state.participants)
        self.next_seqs = dict(state.next_seqs)
        self.last_ts = state.last_ts
        self.operations = state.operations
        self.votes = dict(state.votes)
        self.source: str | None = None
        self.entries = Entries(length, self.stop)

    def state(self) -> ReplayState:
        """The end of the last verified transaction."""
        return ReplayState(
            position=self.position,
            genesis_done=self.genesis_done,
            record_format=self.record_format,
            runtime_id=self.runtime_id,
            source_seq=self.source_seq,
            participants=dict(self.participants),
            next_seqs=dict(self.next_seqs),
            last_ts=self.last_ts,
            operations=self.operations,
            votes=dict(self.votes),
        )

    @property
    def legacy(self) -> bool:
        return self.record_format == 0

    def run(self) -> Step[Verdict]:
        try:
            if not self.genesis_done:
                yield from self._genesis()
            while self.position < self.stop and self._room() > 0:
                yield from self._group()
        except Broken as stop:
            return Violated(stop.violation, self.state())
        except Unknown as stop:
            return CannotTell(stop.code, stop.reason, stop.seq, self.state())
        return Verified(self.state())

    def _room(self) -> int:
        """How many operations the next group may have."""
        if self.last_operation is None:
            return MAX_REPLAY_GROUP_OPERATIONS
        return min(MAX_REPLAY_GROUP_OPERATIONS, self.last_operation - self.operations)

    def _genesis(self) -> Step[None]:
        genesis = yield from replay_genesis(self.entries, self.position)
        if not genesis.ack.legacy:
            yield from self._check_pages(self.position, genesis.entries)
        self.source, self.source_seq = genesis.source, genesis.source_seq
        self.participants = dict.fromkeys(genesis.participants, True)
        self.runtime_id = genesis.ack.runtime_id
        self.record_format = genesis.ack.record_format
        self.position += len(genesis.entries)
        self.genesis_done = True
        yield Validated((), self.state())

    # One group ------------------------------------------------------------------------------------

    def _group(self) -> Step[None]:
        """Replay operations that run under one source and one set of participants."""
        members = Members(self.participants, dict(self.next_seqs), self.last_ts, self.legacy)
        group = Group()
        yield from read_transactions(
            group, self.entries, self.position, self.stop, members, self._room()
        )
        yield from read_operations(group, self.legacy)
        if any(item.is_applied for item in group.items):
            source = yield from self._source_in_force()
            yield from run_contract(group, source, self.runtime_id)
        acks = []
        for item in group.items:
            try:
                yield from self._judge(item)
            except (Broken, Unknown) as stop:
                group.stopped_by = stop
                break
            acks.append(item.transaction.ack)
        self.entries.forget(self.position)
        if acks:
            yield Validated(tuple(acks), self.state())
        if group.stopped_by is not None:
            raise group.stopped_by

    def _source_in_force(self) -> Step[str]:
        if self.source is None:
            reader = Entries(self.source_seq + 1)
            entry = yield from reader.read(self.source_seq)
            try:
                self.source = decode_source_untrusted(entry.value or b"")
            except RecordError as error:
                reason = f"Index block {self.source_seq} holds no contract source: {error}."
                raise Unknown(UncertaintyCode.UNEXPECTED_SEQ, reason, self.source_seq) from None
        return self.source

    # One operation --------------------------------------------------------------------------------

    def _judge(self, item: Item) -> Step[None]:
        """Rules 6 to 9; then the operation counts."""
        transaction = item.transaction
        ack = transaction.ack
        try:
            if self.legacy:
                yield from self._compare_legacy(item)
            else:
                yield from self._compare(item)
        except Broken as stop:
            raise Broken(
                stop.violation.at_operation(transaction.seq, ack.origin, ack.seq, item.block)
            ) from None
        self.next_seqs[ack.origin] = ack.seq + 1
        self.last_ts = ack.ts
        self.operations += 1
        for entry in transaction.entries:
            self._take_effect(entry, ack.runtime_id)
        self.position = transaction.stop

    def _compare(self, item: Item) -> Step[None]:
        transaction, result = item.transaction, item.result
        if item.is_system:
            outcome = yield from settle_system_operation(
                item.op, transaction.ack.origin, transaction.seq, self.state()
            )
        elif result is None:
            outcome = outcome_of(UNREADABLE_OPERATION, ())
        else:
            outcome = outcome_of(_error_of(result), result.changes)
        _raise_found(compare_outcomes(transaction, outcome.error, False), transaction)
        deleted = [key for key, value in outcome.writes if value is None]
        present = yield from self._present(transaction.seq, deleted)
        expected = effective_writes(outcome.writes, present.__contains__)
        _raise_found(compare_writes(expected, transaction), transaction)
        sets_source = any(key == CONTRACT_SOURCE for key, _ in expected)
        check_runtime(transaction.entry, transaction.ack, sets_source)
        yield from self._check_pages(transaction.seq, (transaction.entry, *transaction.entries))

    def _compare_legacy(self, item: Item) -> Step[None]:
        transaction, result = item.transaction, item.result
        assert result is not None, "an operation of the original that is unreadable ends the group"
        error = _error_of(result)
        _raise_found(compare_outcomes(transaction, error, True), transaction)
        try:
            writes = legacy_writes(result.changes) if error is None else {}
        except LocalProtocolError as refusal:
            reason = f"The original allowed what cannot be replayed: {refusal}."
            raise Unknown(UncertaintyCode.CONTRACT_NOT_RUN, reason, transaction.seq) from None
        deleted = [key for key, (_, deletion) in writes.items() if deletion]
        present = yield from self._present(transaction.seq, deleted)
        expected = {
            key: value
            for key, (value, deletion) in writes.items()
            if not deletion or key in present
        }
        _raise_found(compare_legacy_writes(expected, len(writes), transaction), transaction)

    def _present(self, version: int, keys: list[bytes]) -> Step[set[bytes]]:
        """Which of the keys are in the index at a version."""
        if not keys:
            return set()
        answer: Sequence[bool] | None = yield HasKeys(version, tuple(keys))
        if answer is None:
            reason = f"The index as it was at block {version} cannot be read."
            raise Unknown(UncertaintyCode.CANNOT_FETCH_INDEX, reason, version)
        return {key for key, there in zip(keys, answer, strict=True) if there}

    def _check_pages(self, version: int, entries: Sequence[IndexEntry]) -> Step[None]:
        if not self.check_pages:
            return
        writes: tuple[Write, ...] = tuple(entry.write for entry in entries)
        answer: Sequence[bytes] | None = yield BuildPages(version, writes)
        if answer is None:
            reason = f"The tree of the index at block {version} cannot be read."
            raise Unknown(UncertaintyCode.CANNOT_FETCH_INDEX, reason, version)
        for number, entry in enumerate(entries):
            if number >= len(answer) or entry.block != answer[number]:
                reason = f"Index block {entry.seq} holds other tree pages than its entries make."
                raise Broken(
                    Violation(
                        ViolationCode.INDEX_PAGES_MISMATCH,
                        reason,
                        seq=entry.seq,
                        actual=entry.write,
                    )
                )

    def _take_effect(self, entry: IndexEntry, runtime_id: str | None) -> None:
        """Let a verified write change what holds for the operations after it."""
        if is_vote_key(entry.key):
            self._count_vote(entry)
        if not changes_rules(entry.key) or entry.value is None:
            return
        if entry.key == CONTRACT_SOURCE:
            self.source = decode_source_untrusted(entry.value)
            self.source_seq = entry.seq
            self.runtime_id = runtime_id
            # They were votes against the source that is gone.
            self.votes = {}
        else:
            record = decode_input_untrusted(entry.key, entry.value)
            self.participants[record.public_key] = record.active

    def _count_vote(self, entry: IndexEntry) -> None:
        vote = decode_vote_untrusted(entry.key, entry.value)
        if vote.target is not None and vote.against == self.source_seq:
            self.votes[vote.origin] = vote.target
        else:
            self.votes.pop(vote.origin, None)


def _error_of(result: AppliedOperation) -> str | None:
    return None if result.success else result.error or ""


def _raise_found(finding: Violation | Unfinished | None, transaction: Transaction) -> None:
    if isinstance(finding, Unfinished):
        raise Unknown(UncertaintyCode.UNFINISHED_TRANSACTION, finding.reason, transaction.seq)
    if finding is not None:
        raise Broken(finding)
