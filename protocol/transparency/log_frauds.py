"""Proofs that the writer of a log broke its promise never to take anything back.

Both are files that anyone can check with nothing else: the statements in them are signed by the
log's own writers. What they show is in ``hypercore.contradiction``; specs/10b-heads-and-forks.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ..crypto.hashes import TreeNode
from ..crypto.manifest import Manifest, decode_manifest_untrusted, default_manifest, encode_manifest
from ..encoding.compact import Decoder
from ..errors import DecodeError, LocalProtocolError, ProofError, RecordError
from ..hypercore.contradiction import (
    Contradiction,
    Rewrite,
    Statement,
    Truncation,
    check_rewrite_untrusted,
    check_truncation_untrusted,
)
from ..hypercore.core import TreeHead
from ..limits import MAX_LOG_FRAUD_PROOF_BYTES, MAX_PROOF_NODES
from .json_fields import (
    as_bytes,
    as_count,
    base64_of,
    field,
    load_untrusted,
    optional,
    read_bytes,
    read_count,
    read_key,
)

FORK_MARKER: Final = "vitraLogForkFraudProof"
REWRITE_MARKER: Final = "vitraBlockRewriteFraudProof"
PROOF_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class LogForkFraudProof:
    """The writer of a log truncated it, and signed that.

    Attributes:
      log_key: key of the log, 32 bytes.
      manifest: who may sign; None where the key itself is the writer's public key.
      truncation: the signed head with its fork number, and one from before if known.
    """

    log_key: bytes
    manifest: Manifest | None
    truncation: Truncation

    @property
    def reason(self) -> str:
        """One sentence for people."""
        head, before = self.truncation.head, self.truncation.before
        known = "" if before is None else f", after it had signed {_blocks(before)}"
        return (
            f"The writer of log {self.log_key.hex()} truncated it: it signed {_blocks(head)} with "
            f"fork number {head.fork}{known}."
        )

    def check_untrusted(self, log_key: bytes | None = None) -> None:
        """Check the proof, against the key of a known log or for whatever log it names.

        Raises:
          ProofError: it is for another log, or does not show what it should.
        """
        manifest = _manifest_for(self.log_key, self.manifest, log_key)
        check_truncation_untrusted(self.log_key, manifest, self.truncation)

    def to_json(self) -> str:
        """Write the proof as JSON; ``from_json_untrusted`` gives an equal one back."""
        before = self.truncation.before
        document = {
            FORK_MARKER: PROOF_FORMAT,
            **_log_to_json(self.log_key, self.manifest),
            "truncated": _head_to_json(self.truncation.head),
            "before": None if before is None else _head_to_json(before),
        }
        return json.dumps(document, indent=1)

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
        return cls(read_key(document, "logKey"), _read_manifest(document), truncation)


@dataclass(frozen=True, slots=True)
class BlockRewriteFraudProof:
    """The writer of a log signed two heads that no single history has.

    Attributes:
      log_key: key of the log, 32 bytes.
      manifest: who may sign; None where the key itself is the writer's public key.
      rewrite: the two heads, and the nodes that show the contradiction.
    """

    log_key: bytes
    manifest: Manifest | None
    rewrite: Rewrite

    @property
    def reason(self) -> str:
        """One sentence for people."""
        first, second = self.rewrite.first.head, self.rewrite.second.head
        return (
            f"The writer of log {self.log_key.hex()} signed two histories of it: one of "
            f"{_blocks(first)} and one of {_blocks(second)} that does not contain it."
        )

    def check_untrusted(self, log_key: bytes | None = None) -> None:
        """Check the proof, against the key of a known log or for whatever log it names.

        Raises:
          ProofError: it is for another log, or does not show what it should.
        """
        manifest = _manifest_for(self.log_key, self.manifest, log_key)
        check_rewrite_untrusted(self.log_key, manifest, self.rewrite)

    def to_json(self) -> str:
        """Write the proof as JSON; ``from_json_untrusted`` gives an equal one back."""
        statements = (self.rewrite.first, self.rewrite.second)
        document = {
            REWRITE_MARKER: PROOF_FORMAT,
            **_log_to_json(self.log_key, self.manifest),
            "statements": [
                {**_head_to_json(each.head), "path": _nodes_to_json(each.path)}
                for each in statements
            ],
        }
        return json.dumps(document, indent=1)

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
        first, second = [Statement(_head(row), _read_nodes(row, "path")) for row in rows]
        return cls(read_key(document, "logKey"), _read_manifest(document), Rewrite(first, second))


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


# Checking -----------------------------------------------------------------------------------------


def _manifest_for(log_key: bytes, manifest: Manifest | None, wanted: bytes | None) -> Manifest:
    if wanted is not None and log_key != wanted:
        raise ProofError("the proof is for another log")
    used = default_manifest(log_key) if manifest is None else manifest
    try:
        if used.is_for(log_key):
            return used
    except LocalProtocolError:
        pass
    raise ProofError("the manifest is not the one of this log")


def _blocks(head: TreeHead) -> str:
    return "1 block" if head.length == 1 else f"{head.length} blocks"


# JSON ---------------------------------------------------------------------------------------------


def _log_to_json(log_key: bytes, manifest: Manifest | None) -> dict[str, str | None]:
    encoded = None if manifest is None else encode_manifest(manifest)
    return {"logKey": log_key.hex(), "manifest": base64_of(encoded)}


def _head_to_json(head: TreeHead) -> dict[str, Any]:
    return {
        "fork": head.fork,
        "length": head.length,
        "roots": _nodes_to_json(head.roots),
        "signature": base64_of(head.signature),
    }


def _read_head(document: Any, name: str) -> TreeHead:
    return _head(field(document, name))


def _head(row: Any) -> TreeHead:
    roots = _read_nodes(row, "roots")
    return TreeHead(
        length=read_count(row, "length"),
        byte_length=sum(root.size for root in roots),
        fork=read_count(row, "fork"),
        roots=roots,
        signature=optional(row, "signature", read_bytes),
    )


def _nodes_to_json(nodes: tuple[TreeNode, ...]) -> list[list[int | str | None]]:
    return [[node.index, node.size, base64_of(node.hash)] for node in nodes]


def _read_nodes(document: Any, name: str) -> tuple[TreeNode, ...]:
    rows = field(document, name)
    if not isinstance(rows, list) or len(rows) > MAX_PROOF_NODES:
        raise RecordError(f"{name} is not a list of nodes")
    nodes = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 3:
            raise RecordError(f"{name} holds something that is no node")
        node = TreeNode(as_count(row[0], name), as_count(row[1], name), as_bytes(row[2], name))
        nodes.append(node)
    return tuple(nodes)


def _read_manifest(document: Any) -> Manifest | None:
    data = optional(document, "manifest", read_bytes)
    if data is None:
        return None
    decoder = Decoder(data)
    try:
        manifest = decode_manifest_untrusted(decoder)
    except DecodeError as error:
        raise RecordError(f"the manifest does not decode: {error}") from error
    if decoder.remaining:
        raise RecordError("bytes follow the manifest")
    return manifest
