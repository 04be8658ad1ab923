"""A proof of what became of one operation: its ack and every change, signed by the executor.

Made by anyone who has the blocks, checked with nothing but the file and the key of the database.
Specs/10-auditing.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from ...crypto.hashes import leaf_hash
from ...encoding.paths import ack_key
from ...errors import BeeBlockError, ProofError, RecordError
from ...hyperbee.blocks import decode_block_untrusted
from ..changes import Write
from ..records import Ack, decode_ack_untrusted
from .extract import LogExtract, ProvenLog
from .json_fields import field, load_untrusted, optional, read_count, read_key

PROOF_MARKER: Final = "vitraResultProof"
PROOF_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class ProvenResult:
    """What a checked proof says.

    Attributes:
      ack: the executor's ack of the operation.
      ack_seq: the index block it stands in.
      changes: what the operation wrote, in order.
      operation: the operation's block, if the proof shows it; its author signed for that.
      length: length of the index whose head the executor signed.
    """

    ack: Ack
    ack_seq: int
    changes: tuple[Write, ...]
    operation: bytes | None
    length: int


@dataclass(frozen=True, slots=True)
class ResultProof:
    """The result of one operation; says nothing before it is checked.

    Attributes:
      database_key: key of the index, 32 bytes.
      origin, op_seq: the operation: key of its oplog and number there.
      index: the ack and the changes behind it.
      oplog: the operation itself, or None.
    """

    database_key: bytes
    origin: bytes
    op_seq: int
    index: LogExtract
    oplog: LogExtract | None = None

    def check_untrusted(self, database_key: bytes | None = None) -> ProvenResult:
        """Check it, against the key of a known database or for whatever one it names.

        Raises:
          ProofError: it is for another database, or any part of it does not verify.
        """
        if database_key is not None and self.database_key != database_key:
            raise ProofError("the proof is about another database")
        proven = self.index.check_untrusted(self.database_key)
        seqs = [seq for seq, _ in self.index.blocks]
        if not seqs or seqs != list(range(seqs[0], seqs[0] + len(seqs))):
            raise ProofError("the blocks are not one transaction")
        ack = self._ack(proven, seqs[0])
        if ack.num_changes != len(seqs) - 1:
            raise ProofError(f"the ack counts {ack.num_changes} changes, not {len(seqs) - 1}")
        changes = tuple(_entry(proven, seq) for seq in seqs[1:])
        operation = None if self.oplog is None else self._operation(self.oplog, ack)
        return ProvenResult(ack, seqs[0], changes, operation, proven.head.length)

    def _ack(self, proven: ProvenLog, seq: int) -> Ack:
        key, value = _entry(proven, seq)
        if key != ack_key(self.origin, self.op_seq) or value is None:
            raise ProofError("the first block is not the ack of this operation")
        try:
            return decode_ack_untrusted(value)
        except RecordError as error:
            raise ProofError(f"the ack does not follow its schema: {error}") from error

    def _operation(self, oplog: LogExtract, ack: Ack) -> bytes:
        shown = oplog.check_untrusted(self.origin)
        block = shown.blocks.get(self.op_seq)
        if block is None or len(shown.blocks) != 1:
            raise ProofError("another operation is shown")
        if ack.op_hash is not None and (
            ack.op_hash != leaf_hash(block) or ack.oplog_head != shown.tree_hash_at(self.op_seq + 1)
        ):
            raise ProofError("the ack is for another operation than the one shown")
        return block

    def to_json(self) -> str:
        """Write the proof as JSON; ``from_json_untrusted`` gives an equal one back."""
        document = {
            PROOF_MARKER: PROOF_FORMAT,
            "databaseKey": self.database_key.hex(),
            "origin": self.origin.hex(),
            "opSeq": self.op_seq,
            "index": self.index.to_json(),
            "oplog": None if self.oplog is None else self.oplog.to_json(),
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json_untrusted(cls, text: str) -> ResultProof:
        """Read a proof; it still has to be checked.

        Raises:
          RecordError: not JSON, another format, or a field is missing or of another type.
        """
        document = load_untrusted(text, PROOF_MARKER, PROOF_FORMAT)
        return cls(
            read_key(document, "databaseKey"),
            read_key(document, "origin"),
            read_count(document, "opSeq"),
            LogExtract.from_json_untrusted(field(document, "index")),
            optional(
                document, "oplog", lambda d, name: LogExtract.from_json_untrusted(field(d, name))
            ),
        )


def _entry(proven: ProvenLog, seq: int) -> Write:
    try:
        block = decode_block_untrusted(proven.blocks[seq], seq)
    except BeeBlockError as error:
        raise ProofError(f"index block {seq} is no entry: {error}") from error
    return block.key, block.value
