"""What a proof of fraud carries so that a stranger can replay the one operation it is about.

Exactly the index blocks that this replay reads (the contract's source, the records of members, what
``apply`` looks up, the pages of the tree on the way, the transaction itself) and the operation,
each under a head that the log's writer signed. Specs/10-auditing.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import ProofError, RecordError
from ...limits import MAX_EVIDENCE_OPLOGS
from ..replay.requests import OperationFacts
from .extract import LogExtract, ProvenLog
from .json_fields import field, read_count


@dataclass(frozen=True, slots=True)
class Evidence:
    """The blocks for one replay; says nothing before it is checked.

    Attributes:
      start: the index block at which the replay begins: an ack, or the first block of the index.
      index: blocks of the index.
      oplogs: for each oplog an operation is read from, its blocks.
    """

    start: int
    index: LogExtract
    oplogs: tuple[LogExtract, ...] = ()

    def check_untrusted(self, database_key: bytes) -> ProvenEvidence:
        """Check every block, against the key of the database.

        Raises:
          ProofError: a part of it does not verify, or is for another database.
        """
        proven = {extract.log_key: extract.check_untrusted() for extract in self.oplogs}
        if len(proven) != len(self.oplogs):
            raise ProofError("an oplog is shown twice")
        return ProvenEvidence(self.start, self.index.check_untrusted(database_key), proven)

    def to_json(self) -> dict[str, Any]:
        """The evidence as a JSON value; ``from_json_untrusted`` gives an equal one back."""
        return {
            "start": self.start,
            "index": self.index.to_json(),
            "oplogs": [extract.to_json() for extract in self.oplogs],
        }

    @classmethod
    def from_json_untrusted(cls, document: Any) -> Evidence:
        """Read it; it still has to be checked.

        Raises:
          RecordError: a field is missing or of another type.
        """
        oplogs = field(document, "oplogs")
        if not isinstance(oplogs, list) or len(oplogs) > MAX_EVIDENCE_OPLOGS:
            raise RecordError("oplogs is not a list of extracts")
        return cls(
            read_count(document, "start"),
            LogExtract.from_json_untrusted(field(document, "index")),
            tuple(LogExtract.from_json_untrusted(each) for each in oplogs),
        )


@dataclass(frozen=True, slots=True)
class ProvenEvidence:
    """Checked evidence: all of it was signed by the writers of the logs.

    Attributes:
      start: the index block at which the replay begins.
      index: blocks of the index.
      oplogs: blocks of oplogs, by key.
    """

    start: int
    index: ProvenLog
    oplogs: Mapping[bytes, ProvenLog]

    def operation(self, origin: bytes, seq: int) -> OperationFacts | None:
        """An operation with the tree hash of its oplog; None if the evidence does not show it."""
        log = self.oplogs.get(origin)
        block = None if log is None else log.blocks.get(seq)
        if log is None or block is None:
            return None
        return OperationFacts(block, log.tree_hash_at(seq + 1))
