"""Proofs that the writer of a log broke its promise never to take anything back.

Both are files that anyone can check with nothing else: the statements in them are signed by the
log's own writers. What they show is in ``hypercore.contradiction``; specs/10b-heads-and-forks.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeAlias

from ...crypto.manifest import Manifest
from ...errors import RecordError
from ...hypercore.core import TreeHead
from ...hypercore.heads.contradiction import (
    Contradiction,
    Rewrite,
    Statement,
    Truncation,
    check_rewrite_untrusted,
    check_truncation_untrusted,
)
from ...limits import MAX_LOG_FRAUD_PROOF_BYTES, MAX_PROOF_NODES
from .json_fields import field, load_untrusted, optional, read_key
from .signed_nodes import (
    head_of,
    head_to_json,
    manifest_for,
    manifest_to_json,
    nodes_to_json,
    read_manifest,
    read_nodes,
)

FORK_MARKER: Final = "vitraLogForkFraudProof"
REWRITE_MARKER: Final = "vitraBlockRewriteFraudProof"
PROOF_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class _Proof:
    """What both kinds have in common.

    Attributes:
      log_key: key of the log, 32 bytes.
      manifest: who may sign; None where the key itself is the writer's public key.
    """

    log_key: bytes
    manifest: Manifest | None

    marker: ClassVar[str]

    def check_untrusted(self, log_key: bytes | None = None) -> None:
        """Check the proof, against the key of a known log or for whatever log it names.

        Raises:
          ProofError: it is for another log, or does not show what it should.
        """
        self._check_untrusted(manifest_for(self.log_key, self.manifest, log_key))

    def to_json(self) -> str:
        """Write the proof as JSON; ``from_json_untrusted`` gives an equal one back."""
        document = {
            self.marker: PROOF_FORMAT,
            "logKey": self.log_key.hex(),
            "manifest": manifest_to_json(self.manifest),
            **self._statements(),
        }
        return json.dumps(document, indent=1)

    def _check_untrusted(self, manifest: Manifest) -> None:
        raise NotImplementedError

    def _statements(self) -> dict[str, Any]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class LogForkFraudProof(_Proof):
    """The writer of a log truncated it, and signed that.

    Attributes:
      truncation: the signed head with its fork number, and one from before if known.
    """

    truncation: Truncation

    marker = FORK_MARKER

    @property
    def reason(self) -> str:
        """One sentence for people."""
        head, before = self.truncation.head, self.truncation.before
        known = "" if before is None else f", after it had signed {_blocks(before)}"
        return (
            f"The writer of log {self.log_key.hex()} truncated it: it signed {_blocks(head)} with "
            f"fork number {head.fork}{known}."
        )

    @classmethod
    def from_json_untrusted(cls, text: str) -> LogForkFraudProof:
        """Read a proof; it still has to be checked.

        Raises:
          RecordError: not JSON, another format, or a field is missing or of another type.
        """
        document = load_untrusted(text, FORK_MARKER, PROOF_FORMAT)
        truncation = Truncation(
            _read_head(document, "truncated"), optional(document, "before", _read_head)
        )
        return cls(read_key(document, "logKey"), read_manifest(document), truncation)

    def _check_untrusted(self, manifest: Manifest) -> None:
        check_truncation_untrusted(self.log_key, manifest, self.truncation)

    def _statements(self) -> dict[str, Any]:
        before = self.truncation.before
        return {
            "truncated": head_to_json(self.truncation.head),
            "before": None if before is None else head_to_json(before),
        }


@dataclass(frozen=True, slots=True)
class BlockRewriteFraudProof(_Proof):
    """The writer of a log signed two heads that no single history has.

    Attributes:
      rewrite: the two heads, and the nodes that show the contradiction.
    """

    rewrite: Rewrite

    marker = REWRITE_MARKER

    @property
    def reason(self) -> str:
        """One sentence for people."""
        first, second = self.rewrite.first.head, self.rewrite.second.head
        return (
            f"The writer of log {self.log_key.hex()} signed two histories of it: one of "
            f"{_blocks(first)} and one of {_blocks(second)} that does not contain it."
        )

    @classmethod
    def from_json_untrusted(cls, text: str) -> BlockRewriteFraudProof:
        """Read a proof; it still has to be checked.

        Raises:
          RecordError: not JSON, another format, or a field is missing or of another type.
        """
        document = load_untrusted(text, REWRITE_MARKER, PROOF_FORMAT)
        rows = field(document, "statements")
        if not isinstance(rows, list) or len(rows) != 2:
            raise RecordError("statements are not two")
        first, second = [
            Statement(head_of(row, MAX_PROOF_NODES), read_nodes(row, "path", MAX_PROOF_NODES))
            for row in rows
        ]
        return cls(read_key(document, "logKey"), read_manifest(document), Rewrite(first, second))

    def _check_untrusted(self, manifest: Manifest) -> None:
        check_rewrite_untrusted(self.log_key, manifest, self.rewrite)

    def _statements(self) -> dict[str, Any]:
        statements = (self.rewrite.first, self.rewrite.second)
        return {
            "statements": [
                {**head_to_json(each.head), "path": nodes_to_json(each.path)} for each in statements
            ]
        }


LogFraudProof: TypeAlias = LogForkFraudProof | BlockRewriteFraudProof


def log_fraud_proof(
    log_key: bytes, manifest: Manifest | None, contradiction: Contradiction
) -> LogFraudProof:
    """The proof that a contradiction makes."""
    if manifest is not None and manifest.is_compat(log_key):
        manifest = None
    if isinstance(contradiction, Truncation):
        return LogForkFraudProof(log_key, manifest, contradiction)
    return BlockRewriteFraudProof(log_key, manifest, contradiction)


def contradiction_of(proof: LogFraudProof) -> Contradiction:
    """What a proof holds."""
    return proof.truncation if isinstance(proof, LogForkFraudProof) else proof.rewrite


def read_log_fraud_proof_untrusted(text: str) -> LogFraudProof:
    """Read a proof of either kind; it still has to be checked.

    Raises:
      RecordError: too long, not JSON, neither of the two, or a field is missing or of another type.
    """
    if len(text) > MAX_LOG_FRAUD_PROOF_BYTES:
        raise RecordError(f"a proof about a log has at most {MAX_LOG_FRAUD_PROOF_BYTES} bytes")
    if f'"{FORK_MARKER}"' in text:
        return LogForkFraudProof.from_json_untrusted(text)
    return BlockRewriteFraudProof.from_json_untrusted(text)


def _blocks(head: TreeHead) -> str:
    return "1 block" if head.length == 1 else f"{head.length} blocks"


def _read_head(document: Any, name: str) -> TreeHead:
    return head_of(field(document, name), MAX_PROOF_NODES)
