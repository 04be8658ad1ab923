"""What a replay asks its caller for, and what it wants as the answer.

The replay itself never fetches: the caller reads blocks from disk, network or a proof file, runs
contracts in a worker, and sends the answers back. Each request names the type of its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ...encoding.msgpack import Value
from ..changes import Change, Write
from ..records import Ack
from .state import ReplayState


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One block of the index.

    Attributes:
      seq: number of the block.
      key: key of the entry.
      value: packed value, None for a deletion.
      block: the block itself, of which key and value are a part.
    """

    seq: int
    key: bytes
    value: bytes | None
    block: bytes

    @property
    def write(self) -> Write:
        """Key and value."""
        return self.key, self.value


@dataclass(frozen=True, slots=True)
class ReadIndex:
    """Read index blocks from ``start`` on, at most to ``stop``.

    Answer: ``Sequence[bytes]``, the blocks in order, beginning with ``start``, as many as are at
    hand and fit into memory; none when block ``start`` cannot be had. All must be verified against
    the head under which the index is replayed.
    """

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """The block of an operation, and what its oplog's writer signed around it.

    Attributes:
      block: the operation, packed.
      oplog_head: tree hash of the oplog at length ``seq + 1``; None when it cannot be had.
    """

    block: bytes
    oplog_head: bytes | None


@dataclass(frozen=True, slots=True)
class OperationName:
    """What an ack says about its operation.

    Attributes:
      origin: public key of the oplog.
      seq: number of the operation there.
      op_hash, oplog_head: the hashes of the ack; None in databases of the original.
    """

    origin: bytes
    seq: int
    op_hash: bytes | None
    oplog_head: bytes | None


@dataclass(frozen=True, slots=True)
class ReadOperations:
    """Read operations.

    Answer: ``Sequence[OperationFacts | None]``, in order, beginning with the first; None for one
    that cannot be had. It may have fewer items (but one), when more do not fit into memory
    (``MAX_REPLAY_GROUP_BYTES``). All blocks must be verified against a head that the oplog's writer
    signed. Who knows several histories of a forked oplog answers from the one that the hashes name.
    """

    names: tuple[OperationName, ...]


@dataclass(frozen=True, slots=True)
class HasKeys:
    """Say which keys are in the index at a version, which is a number of blocks.

    Answer: ``Sequence[bool] | None``, in order; None when blocks for it are missing.
    """

    version: int
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BuildPages:
    """Build the blocks that one Hyperbee batch of these writes makes on top of a version.

    Answer: ``Sequence[bytes] | None``, one block for each write; None when blocks are missing.
    """

    version: int
    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class OperationToApply:
    """One operation with its ack, for the contract.

    ``apply`` sees origin (hex), seq, ts and metadata of the ack, and nothing else of it.
    """

    op: Value
    ack: Ack
    # The index as it was before the operation: this many blocks.
    version: int


@dataclass(frozen=True, slots=True)
class RunContract:
    """Apply operations in order, each on top of the index and the ones before it.

    Answer: ``ContractRun``. ``source`` and ``runtime_id`` are the same for all; the runtime is
    None in databases of the original. ``version`` is that of the first operation. Groups differ
    between executor and monitors, so nothing an operation reads may depend on where a group
    begins: it sees the changes of all operations before it, but no acks and no block numbers.
    """

    source: str
    runtime_id: str | None
    version: int
    operations: tuple[OperationToApply, ...]


class AppliedOperation(Protocol):
    """What ``apply`` came to: ``changes`` only when it succeeded, ``error`` only when not."""

    @property
    def success(self) -> bool:
        """Whether it ended without an error."""

    @property
    def error(self) -> str | None:
        """The text of its failure."""

    @property
    def changes(self) -> Sequence[Change]:
        """What it wants to change."""


@dataclass(frozen=True, slots=True)
class ContractRun:
    """The answer to ``RunContract``.

    Attributes:
      results: one for each operation, in order; fewer when the machine (not the contract) failed.
      fault: why there are fewer, for people; None when there are not.
    """

    results: Sequence[AppliedOperation]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class IsForked:
    """Say whether the writer of this oplog is known to have signed two histories.

    Answer: ``bool``. Asked where an ack names another history than the one at hand: when it is
    known to be signed too, its writer is at fault. The caller should let the executor show the
    head it acted on before answering.
    """

    origin: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class Validated:
    """News, not a question: these operations were verified, up to ``state``. Answer: ``None``."""

    acks: tuple[Ack, ...]
    state: ReplayState


Request: TypeAlias = (
    ReadIndex | ReadOperations | HasKeys | BuildPages | RunContract | IsForked | Validated
)
