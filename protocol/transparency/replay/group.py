"""One group of a replay: operations that run under one source and one set of participants.

The three steps here gather what the judgement needs. Each may find that the group ends earlier:
it then cuts the items off there and leaves the reason in ``stopped_by``, which counts only once
all items before it are verified.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...crypto.hashes import leaf_hash
from ...encoding.msgpack import Value, unpack_untrusted
from ...encoding.paths import CONTRACT_SOURCE, INPUTS_PREFIX
from ...errors import DecodeError, RecordError
from ...limits import (
    MAX_CHANGE_BYTES_PER_OPERATION,
    MAX_CHANGES_PER_OPERATION,
    MAX_REPLAY_GROUP_BYTES,
)
from ..changes import size_of
from ..frauds import UncertaintyCode, Violation, ViolationCode
from ..operations import decode_operation_untrusted
from ..rollback import is_system_operation
from .ack_rules import Members, begins_transaction, check_ack
from .comparison import Transaction
from .entries import Entries
from .requests import (
    AppliedOperation,
    ContractRun,
    IndexEntry,
    IsForked,
    OperationFacts,
    OperationName,
    OperationToApply,
    ReadOperations,
    RunContract,
)
from .stop import Broken, Step, Unknown


@dataclass(slots=True)
class Item:
    """A transaction on its way through its group.

    Attributes:
      transaction: the ack and what stands behind it.
      block: the operation, once read.
      op: the operation decoded.
      readable: whether it could be decoded.
      is_system: whether it is the protocol's own, so that the contract is not given it.
      result: what the contract did; None where it is not given the operation.
    """

    transaction: Transaction
    block: bytes = b""
    op: Value = None
    readable: bool = True
    is_system: bool = False
    result: AppliedOperation | None = None

    @property
    def is_applied(self) -> bool:
        """Whether the contract is given it."""
        return self.readable and not self.is_system


@dataclass(slots=True)
class Group:
    """The transactions being replayed, and why no more follow them (None: nothing is wrong)."""

    items: list[Item] = field(default_factory=list)
    stopped_by: Broken | Unknown | None = None

    def cut(self, number: int, stopped_by: Broken | Unknown | None) -> None:
        """Let the group end before item ``number``."""
        del self.items[number:]
        self.stopped_by = stopped_by


def changes_rules(key: bytes) -> bool:
    """Whether a write of this key changes what holds for the operations after it."""
    return key.startswith(INPUTS_PREFIX) or key == CONTRACT_SOURCE


def read_transactions(
    group: Group, entries: Entries, position: int, stop: int, members: Members, room: int
) -> Step[None]:
    """Take at most ``room`` acks from ``position`` to before ``stop``, and what stands behind them.

    Rules 1 to 4.

    ``members`` moves along.
    """
    size = 0
    try:
        while position < stop and len(group.items) < room and size < MAX_REPLAY_GROUP_BYTES:
            transaction = yield from _read_transaction(entries, position, members)
            group.items.append(Item(transaction))
            position = transaction.stop
            size += sum(len(entry.block) for entry in transaction.entries)
            if any(changes_rules(entry.key) for entry in transaction.entries):
                break
    except (Broken, Unknown) as stop:
        group.stopped_by = stop


def _read_transaction(entries: Entries, seq: int, members: Members) -> Step[Transaction]:
    entry = yield from entries.read(seq)
    ack = check_ack(entry, members)
    behind: list[IndexEntry] = []
    size = 0
    at_end = True
    for position in range(seq + 1, entries.length):
        # What stands behind the writes that the ack counts is not its transaction's; whoever
        # begins to replay there must come to the same finding.
        if len(behind) == ack.num_changes:
            break
        following = yield from entries.read(position)
        # No contract may write so much, so what is read is enough to tell.
        too_much = len(behind) > MAX_CHANGES_PER_OPERATION or size > MAX_CHANGE_BYTES_PER_OPERATION
        if (too_much and not members.legacy) or begins_transaction(following.key):
            at_end = False
            break
        behind.append(following)
        size += size_of(following.write)
    return Transaction(seq, ack, entry, behind, at_end)


def read_operations(group: Group, legacy: bool) -> Step[None]:
    """Read the operations and decode them; rule 5."""
    if not group.items:
        return
    acks = [item.transaction.ack for item in group.items]
    answer: Sequence[OperationFacts | None] = yield ReadOperations(
        tuple(OperationName(ack.origin, ack.seq, ack.op_hash, ack.oplog_head) for ack in acks)
    )
    if 0 < len(answer) < len(group.items):
        group.cut(len(answer), None)
    for number, (item, facts) in enumerate(zip(group.items, answer, strict=True)):
        try:
            item.block = yield from _check_operation(item.transaction, facts)
            item.readable, item.op = _decode(item, legacy)
            item.is_system = not legacy and is_system_operation(item.op)
        except (Broken, Unknown) as stop:
            group.cut(number, stop)
            return


def _check_operation(transaction: Transaction, facts: OperationFacts | None) -> Step[bytes]:
    ack, seq = transaction.ack, transaction.seq
    if facts is not None and (ack.op_hash is None or ack.oplog_head == facts.oplog_head):
        _check_hash(transaction, facts.block)
        return facts.block
    # The ack names a history of the oplog that is not the one here. Its writer may have signed
    # both; nothing but that history, signed, tells whether the executor was shown it.
    oplog = ack.origin.hex()
    if (yield IsForked(ack.origin, ack.seq)):
        reason = f"Oplog {oplog} is forked: its writer is at fault."
        raise Unknown(UncertaintyCode.OPLOG_FORKED, reason, seq)
    if facts is None or facts.oplog_head is None:
        reason = f"Operation {ack.seq} of oplog {oplog} cannot be had."
        raise Unknown(UncertaintyCode.CANNOT_FETCH_OP, reason, seq)
    reason = (
        f"The ack names another history of oplog {oplog} than the one known here: the "
        "executor made it up, or the oplog's writer signed two and hides one."
    )
    raise Unknown(UncertaintyCode.OPERATION_DISPUTED, reason, seq)


def _check_hash(transaction: Transaction, block: bytes) -> None:
    """In the history that the ack names, the last block is the one that it names."""
    ack = transaction.ack
    if ack.op_hash is None or ack.op_hash == leaf_hash(block):
        return
    violation = Violation(
        ViolationCode.OPERATION_MISMATCH,
        f"The ack names another operation than number {ack.seq} of oplog {ack.origin.hex()}.",
        seq=transaction.seq,
        actual=transaction.entry.write,
    )
    raise Broken(violation.at_operation(transaction.seq, ack.origin, ack.seq, block))


def _decode(item: Item, legacy: bool) -> tuple[bool, Value]:
    """Whether the operation is readable, and the operation."""
    try:
        if legacy:
            return True, unpack_untrusted(item.block)
        return True, decode_operation_untrusted(item.block)
    except DecodeError as error:
        reason = f"What the original made of this operation is not known: {error}."
        seq = item.transaction.seq
        raise Unknown(UncertaintyCode.CONTRACT_NOT_RUN, reason, seq) from None
    except RecordError:
        return False, None


def run_contract(group: Group, source: str, runtime_id: str | None) -> Step[None]:
    """Have the contract applied to all operations that are for it."""
    runnable = [item for item in group.items if item.is_applied]
    answer: ContractRun = yield RunContract(
        source,
        runtime_id,
        runnable[0].transaction.seq,
        tuple(
            OperationToApply(item.op, item.transaction.ack, item.transaction.seq)
            for item in runnable
        ),
    )
    results: Iterator[AppliedOperation] = iter(answer.results)
    for number, item in enumerate(group.items):
        if not item.is_applied:
            continue
        item.result = next(results, None)
        if item.result is None:
            reason = f"The contract was not run: {answer.fault or 'no reason given'}."
            seq = item.transaction.seq
            group.cut(number, Unknown(UncertaintyCode.CONTRACT_NOT_RUN, reason, seq))
            return
