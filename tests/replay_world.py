"""An executor and a monitor in memory, without Hyperbee, Merkle trees or JavaScript.

``History`` is an honest executor with a contract written in Python; tests falsify what it
published. ``drive`` answers the requests of a replay from a ``History``. Blocks of the index are
stand-ins without tree pages, and tree hashes of oplogs are made up (but unique).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

from protocol.crypto.hashes import blake2b_256, leaf_hash
from protocol.encoding.msgpack import Value, pack, unpack_untrusted
from protocol.encoding.paths import (
    ACKS_PREFIX,
    CONTRACT_SOURCE,
    GENESIS_ACK,
    INPUTS_PREFIX,
    ROLLBACK_PREFIX,
    format_key,
    input_key,
    parse_path,
)
from protocol.errors import RecordError
from protocol.hyperbee.blocks import BeeBlock, decode_block_untrusted, encode_block
from protocol.hyperbee.reading import run
from protocol.hyperbee.writer import BeeWriter, Delete, Put
from protocol.transparency.changes import Change, Outcome, Write, effective_writes, outcome_of
from protocol.transparency.frauds import Verdict
from protocol.transparency.operations import UNREADABLE_OPERATION, decode_operation_untrusted
from protocol.transparency.records import (
    Ack,
    decode_input_untrusted,
    genesis_batch,
    is_ack_key,
    op_batch,
)
from protocol.transparency.replay.index_pages import IndexPages
from protocol.transparency.replay.replay import replay
from protocol.transparency.replay.requests import (
    BuildPages,
    ContractRun,
    HasKeys,
    IsForked,
    OperationFacts,
    ReadIndex,
    ReadOperations,
    RunContract,
    Validated,
)
from protocol.transparency.replay.state import START, ReplayState
from protocol.transparency.rollback import is_system_operation

RUNTIME = "toy-1"

Read = Callable[[str], Any]
Apply = Callable[[Read, Any, Ack], list[Change]]
"""A contract: reads of paths, the operation, its ack; gives changes or raises."""


class ContractThrewError(Exception):
    """What a toy contract raises to fail an operation."""


@dataclass(frozen=True)
class Result:
    """What a toy contract did."""

    success: bool
    error: str | None
    changes: Sequence[Change]


def run_contract(apply: Apply, read: Read, op: Value, ack: Ack) -> Result:
    """Run a toy contract on one operation."""
    try:
        return Result(True, None, apply(read, op, ack))
    except ContractThrewError as error:
        return Result(False, f"Error: {error}", ())


def fake_block(write: Write) -> bytes:
    """A Hyperbee block of an entry, without tree pages."""
    return encode_block(write[0], write[1], b"")


def state_of(writes: Iterable[Write]) -> dict[bytes, bytes]:
    """The index after these writes, as a dict."""
    table: dict[bytes, bytes] = {}
    for key, value in writes:
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    return table


@dataclass
class History:
    """A database: its index (``writes[0]`` is block 1) and its oplogs."""

    contracts: dict[str, Apply]
    writes: list[Write] = field(default_factory=list)
    oplogs: dict[bytes, list[bytes]] = field(default_factory=dict)
    executed: dict[bytes, int] = field(default_factory=dict)
    now: int = 1_700_000_000_000
    forked: set[bytes] = field(default_factory=set)

    @classmethod
    def create(cls, apply: Apply, participants: Sequence[bytes]) -> History:
        history = cls({"v1": apply})
        history.writes += genesis_batch("v1", participants, RUNTIME)
        history.oplogs = {key: [] for key in participants}
        return history

    @property
    def length(self) -> int:
        """Number of blocks, the header included."""
        return len(self.writes) + 1

    def publish(self, origin: bytes, op: object) -> None:
        """Append an operation to an oplog; bytes stand for themselves."""
        block = op if isinstance(op, bytes) else pack(op)
        self.oplogs.setdefault(origin, []).append(block)

    def facts(self, origin: bytes, seq: int) -> OperationFacts | None:
        """Block and tree hash of an operation."""
        blocks = self.oplogs.get(origin, [])
        if seq >= len(blocks):
            return None
        return OperationFacts(blocks[seq], blake2b_256(b"".join(map(leaf_hash, blocks[: seq + 1]))))

    def execute(self, origin: bytes, *, metadata: Value = None, ts: int | None = None) -> Ack:
        """Do what an honest executor does with the next operation of an oplog."""
        seq = self.executed.get(origin, 0)
        facts = self.facts(origin, seq)
        assert facts is not None
        self.executed[origin] = seq + 1
        self.now = self.now + 3 if ts is None else ts
        ack = Ack(
            origin, seq, self.now, True, None, metadata, 0, leaf_hash(facts.block), facts.oplog_head
        )
        table = state_of(self.writes)
        source = unpack_untrusted(table[b".sys\x00contract\x00source"])
        assert isinstance(source, str)
        outcome = self.outcome_of(ack, facts.block, self.contracts[source], table)
        writes = effective_writes(outcome.writes, table.__contains__)
        sets_source = any(key == b".sys\x00contract\x00source" for key, _ in writes)
        ack = replace(
            ack,
            success=outcome.success,
            error=outcome.error,
            num_changes=len(writes),
            runtime_id=RUNTIME if sets_source else None,
        )
        self.writes += op_batch(ack, writes)
        return ack

    def outcome_of(
        self, ack: Ack, block: bytes, apply: Apply, table: dict[bytes, bytes]
    ) -> Outcome:
        """What an operation comes to on the index of now."""
        try:
            op = decode_operation_untrusted(block)
        except RecordError:
            return outcome_of(UNREADABLE_OPERATION, ())
        if is_system_operation(op):
            return self._vote(ack.origin, op, table)
        result = run_contract(apply, reader(table), op, ack)
        return outcome_of(result.error, result.changes)

    def _vote(self, origin: bytes, op: Any, table: dict[bytes, bytes]) -> Outcome:
        """The rule of rollback once more, read from the whole index."""
        sources = {seq: w[1] for seq, w in enumerate(self.writes, 1) if w[0] == CONTRACT_SOURCE}
        in_force, target = max(sources), op.get("to", "nothing")
        if op["op"] != "/.sys/rollback":
            return Outcome("Error: there is no such operation of the protocol")
        key = ROLLBACK_PREFIX + origin.hex().encode()
        if target is None:
            return Outcome(None, ((key, None),))
        if not isinstance(target, int) or isinstance(target, bool):
            return Outcome("Error: a rollback names an index block")
        if target not in sources:
            return Outcome(f"Error: index block {target} holds no contract source")
        if target == in_force:
            return Outcome(f"Error: index block {target} holds the contract source in force")
        ballot = pack({"to": target, "against": in_force})
        table = {**table, key: ballot}
        members = [k.split(b"\x00")[2] for k in table if k.startswith(INPUTS_PREFIX)]
        active = [k for k in members if self.is_active(bytes.fromhex(k.decode()))]
        agreeing = [k for k in active if table.get(ROLLBACK_PREFIX + k) == ballot]
        if len(agreeing) > len(active) / 2:
            return Outcome(None, ((CONTRACT_SOURCE, sources[target]), (key, ballot)))
        return Outcome(None, ((key, ballot),))

    def is_active(self, origin: bytes) -> bool:
        """Whether an oplog's operations count now."""
        value = state_of(self.writes).get(input_key(origin))
        return value is not None and decode_input_untrusted(input_key(origin), value).active

    def do(self, origin: bytes, op: object) -> Ack:
        """Publish and execute."""
        self.publish(origin, op)
        return self.execute(origin)


def reader(table: dict[bytes, bytes]) -> Read:
    """Reads of a contract from a table; acks are hidden from it."""

    def read(path: str) -> Any:
        key = parse_path(path)
        value = None if key.startswith(ACKS_PREFIX) else table.get(key)
        return None if value is None else unpack_untrusted(value)

    return read


def bee_blocks(writes: Sequence[Write]) -> list[bytes]:
    """The blocks of a real Hyperbee, header included: one batch for each transaction."""
    writer = BeeWriter(0)
    blocks: list[bytes] = []
    acks = (i for i, (key, _) in enumerate(writes) if is_ack_key(key) and key != GENESIS_ACK)
    starts = [0, *acks]
    for start, stop in pairwise([*starts, len(writes)]):
        batch = writer.batch(
            Delete(key) if value is None else Put(key, value) for key, value in writes[start:stop]
        )
        blocks += run(batch, partial(fetch_block, blocks))
        writer.appended()
    return blocks


def fetch_block(blocks: Sequence[bytes], seq: int) -> BeeBlock:
    """A block, decoded, for the readers of a Hyperbee."""
    return decode_block_untrusted(blocks[seq], seq)


def drive(
    history: History,
    state: ReplayState = START,
    *,
    length: int | None = None,
    max_operations: int | None = None,
    runner: Callable[[RunContract], ContractRun] | None = None,
    blocks: Sequence[bytes] | None = None,
    stop: int | None = None,
) -> tuple[Verdict, list[Validated]]:
    """Replay a history; gives the verdict and the news on the way.

    With ``blocks`` the index is a real one, and its tree pages are checked.
    """
    news: list[Validated] = []
    pages = IndexPages()
    fetch = partial(fetch_block, blocks or ())
    steps = replay(length or history.length, state, max_operations=max_operations, stop=stop)
    answer: Any = None
    try:
        while True:
            request = steps.send(answer)
            if isinstance(request, Validated):
                news.append(request)
                answer = None
            elif isinstance(request, RunContract):
                answer = (runner or (lambda r: run_toy(history, r)))(request)
            elif blocks and isinstance(request, ReadIndex):
                answer = blocks[request.start : request.stop]
            elif blocks and isinstance(request, HasKeys):
                answer = run(pages.has_keys(request), fetch)
            elif blocks and isinstance(request, BuildPages):
                answer = run(pages.build(request), fetch)
            else:
                answer = answer_request(history, request)
    except StopIteration as stop:
        return stop.value, news


def answer_request(history: History, request: object) -> Any:
    """Answer everything but ``RunContract`` and ``Validated``."""
    if isinstance(request, ReadIndex):
        # Short answers on purpose: a replay must not rely on getting all it asked for.
        stop = min(request.stop, request.start + 7)
        return [fake_block(write) for write in history.writes[request.start - 1 : stop - 1]]
    if isinstance(request, ReadOperations):
        return [history.facts(name.origin, name.seq) for name in request.names]
    if isinstance(request, HasKeys):
        table = state_of(history.writes[: request.version - 1])
        return [key in table for key in request.keys]
    if isinstance(request, BuildPages):
        return [fake_block(write) for write in request.writes]
    assert isinstance(request, IsForked), request
    return request.origin in history.forked


def run_toy(history: History, request: RunContract) -> ContractRun:
    """Run a group, each operation on the index as it was just before it."""
    apply = history.contracts[request.source]
    results = []
    for operation in request.operations:
        read = reader(state_of(history.writes[: operation.version - 1]))
        results.append(run_contract(apply, read, operation.op, operation.ack))
    return ContractRun(results)


def overlay_runner(history: History) -> Callable[[RunContract], ContractRun]:
    """A runner that reads the index once for a group and keeps its own changes on top, as the
    worker does."""

    def run(request: RunContract) -> ContractRun:
        apply = history.contracts[request.source]
        table = state_of(history.writes[: request.version - 1])
        results = []
        for operation in request.operations:
            result = run_contract(apply, reader(dict(table)), operation.op, operation.ack)
            results.append(result)
            for key, value in outcome_of(result.error, result.changes).writes:
                if value is None:
                    table.pop(key, None)
                else:
                    table[key] = value
        return ContractRun(results)

    return run


def show(history: History) -> str:
    """The index for people, for failing tests."""
    return "\n".join(
        f"{seq} {format_key(key)} {None if value is None else unpack_untrusted(value)!r}"
        for seq, (key, value) in enumerate(history.writes, 1)
    )
