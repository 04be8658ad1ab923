"""Proofs that a log only grew: what it was at an earlier length is the beginning of what it is now.

A proof has the roots of the earlier tree and the nodes that take them to the roots of a signed
head, as many as the tree is high. Whoever kept anything of the earlier log that leads to its roots
(a proof, a head, a checkpoint) knows by it that nothing of it was changed.

Of an earlier tree without its own signature only the hashes of the roots are proven: how their
sizes divide what they sum up to is not covered by the later signature, see
``hypercore.contradiction``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from ...crypto.hashes import HASH_BYTES, TreeNode
from ...crypto.manifest import Manifest
from ...errors import ProofError
from ...hypercore.core import CoreReader, TreeHead
from ...hypercore.heads.contradiction import check_head_untrusted
from ...hypercore.merkle.flat_tree import full_roots, upgrade_indexes
from ...hypercore.merkle.growth import append_root, roots_at, upgrade_nodes
from ...hypercore.merkle.prover import CannotProve, NoDataReason
from ...limits import MAX_LOG_LENGTH_BLOCKS, MAX_PROOF_NODES
from .json_fields import field, load_untrusted, read_key
from .signed_nodes import (
    head_of,
    head_to_json,
    manifest_for,
    manifest_to_json,
    nodes_to_json,
    read_manifest,
    read_nodes,
)

PROOF_MARKER: Final = "vitraConsistencyProof"
PROOF_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """Two states of one log, and the way from one to the other; says nothing before it is checked.

    Attributes:
      log_key: key of the log, 32 bytes.
      manifest: who may sign; None where the key itself is the writer's public key.
      earlier: the shorter tree; ``signature`` None where the proof does not show that it was
        signed by itself.
      nodes: they take the roots of ``earlier`` to those of ``later``, in order.
      later: the longer tree, signed.
    """

    log_key: bytes
    manifest: Manifest | None
    earlier: TreeHead
    nodes: tuple[TreeNode, ...]
    later: TreeHead

    def check_untrusted(self, log_key: bytes | None = None) -> None:
        """Check the proof, against the key of a known log or for whatever log it names.

        Raises:
          ProofError: it is for another log, or any part of it does not verify.
        """
        manifest = manifest_for(self.log_key, self.manifest, log_key)
        earlier, later = self.earlier, self.later
        if earlier.fork != later.fork:
            raise ProofError("the two trees have different fork numbers")
        if not 0 < earlier.length < later.length <= MAX_LOG_LENGTH_BLOCKS:
            raise ProofError("the earlier tree is not the shorter one")
        check_head_untrusted(self.log_key, manifest, later)
        if earlier.signature is not None:
            check_head_untrusted(self.log_key, manifest, earlier)
        _check_places(earlier.roots, full_roots(earlier.length))
        _check_places(self.nodes, upgrade_indexes(earlier.length, later.length))
        roots = list(earlier.roots)
        for node in self.nodes:
            append_root(roots, node)
        if tuple(roots) != later.roots:
            raise ProofError("the earlier tree does not grow into the signed one")

    def to_json(self) -> str:
        """Write the proof as JSON; ``from_json_untrusted`` gives an equal one back."""
        document = {
            PROOF_MARKER: PROOF_FORMAT,
            "logKey": self.log_key.hex(),
            "manifest": manifest_to_json(self.manifest),
            "earlier": head_to_json(self.earlier),
            "nodes": nodes_to_json(self.nodes),
            "later": head_to_json(self.later),
        }
        return json.dumps(document, indent=1)

    @classmethod
    def from_json_untrusted(cls, text: str) -> ConsistencyProof:
        """Read a proof; it still has to be checked.

        Raises:
          RecordError: not JSON, another format, or a field is missing or of another type.
        """
        document = load_untrusted(text, PROOF_MARKER, PROOF_FORMAT)
        return cls(
            log_key=read_key(document, "logKey"),
            manifest=read_manifest(document),
            earlier=head_of(field(document, "earlier"), MAX_PROOF_NODES),
            nodes=read_nodes(document, "nodes", MAX_PROOF_NODES),
            later=head_of(field(document, "later"), MAX_PROOF_NODES),
        )


def _check_places(nodes: tuple[TreeNode, ...], indexes: list[int]) -> None:
    if [node.index for node in nodes] != indexes:
        raise ProofError("the nodes are not those between the two lengths")
    if any(len(node.hash) != HASH_BYTES for node in nodes):
        raise ProofError("a node is none of a log")


def prove_consistency(
    core: CoreReader, length: int, signature: bytes | None = None
) -> ConsistencyProof:
    """Prove that a stored log extends what it was at ``length``, which is below its newest head.

    ``signature``: of the head at that length, where it is known.

    Raises:
      CannotProve: a node is not stored here, or the log is not longer.
    """
    head, manifest = core.head, core.manifest
    if not 0 < length < head.length:
        raise CannotProve(
            NoDataReason.NOT_AVAILABLE, f"the log has {head.length} blocks, and {length} were asked"
        )
    roots = roots_at(core, length)
    nodes = upgrade_nodes(core, length, head.length)
    if roots is None or nodes is None:
        raise CannotProve(
            NoDataReason.NOT_AVAILABLE, f"the tree at length {length} is not stored here"
        )
    if manifest is not None and manifest.is_compat(core.key):
        manifest = None
    size = sum(root.size for root in roots)
    earlier = TreeHead(length, size, head.fork, roots, signature)
    return ConsistencyProof(core.key, manifest, earlier, nodes, head)
