"""Proofs that a block stands in a log, made by any holder of it and checked with nothing else.

A proof is what a peer would send for the block together with an upgrade from length 0: the block,
its Merkle path, the other roots, the writer's signature, and the manifest that says who the writer
is. See specs/10-auditing.md; the proof itself is specs/04-merkle-log.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from ...crypto.manifest import Manifest
from ...errors import ProofError
from ...hypercore.core import CoreReader, TreeHead
from ...hypercore.merkle.proof import (
    BlockPart,
    BlockRequest,
    Data,
    Request,
    UpgradePart,
    UpgradeRequest,
)
from ...hypercore.merkle.prover import build_proof
from ...hypercore.merkle.verifier import verify_first_upgrade_untrusted
from ...limits import MAX_PROOF_NODES
from .json_fields import (
    base64_of,
    load_untrusted,
    optional,
    read_bytes,
    read_count,
    read_key,
)
from .signed_nodes import manifest_to_json, nodes_to_json, read_manifest, read_nodes

PROOF_MARKER: Final = "vitraInclusionProof"
PROOF_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class ProvenBlock:
    """What a checked proof says: this block stands there, and the log's writer signed for it.

    Attributes:
      log_key: key of the log, 32 bytes.
      index: number of the block.
      block: the block.
      head: the signed head above it.
    """

    log_key: bytes
    index: int
    block: bytes
    head: TreeHead


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """One block of a log with its way up to a signed head; says nothing before it is checked.

    Attributes:
      log_key: key of the log, 32 bytes.
      fork: fork number of the head.
      block: the block, its number and its siblings up to a root.
      upgrade: the other roots, and the signature.
      manifest: who may sign; None where the key itself is the writer's public key.
    """

    log_key: bytes
    fork: int
    block: BlockPart
    upgrade: UpgradePart
    manifest: Manifest | None

    def check_untrusted(self, log_key: bytes | None = None) -> ProvenBlock:
        """Check the proof, against the key of a known log or for whatever log it names.

        Raises:
          ProofError: it is for another log, or any part of it does not verify.
        """
        if log_key is not None and self.log_key != log_key:
            raise ProofError("the proof is for another log")
        data = Data(0, self.fork, self.block, upgrade=self.upgrade, manifest=self.manifest)
        change = verify_first_upgrade_untrusted(self.log_key, None, data)
        assert change.head is not None, "an upgrade always gives a head"
        if self.block.index >= change.head.length:
            raise ProofError("the block lies beyond the signed head")
        return ProvenBlock(self.log_key, self.block.index, self.block.value, change.head)

    def to_json(self) -> str:
        """Write the proof as JSON; ``from_json_untrusted`` gives an equal one back."""
        upgrade = self.upgrade
        document = {
            PROOF_MARKER: PROOF_FORMAT,
            "logKey": self.log_key.hex(),
            "fork": self.fork,
            "index": self.block.index,
            "block": base64_of(self.block.value),
            "path": nodes_to_json(self.block.nodes),
            "length": upgrade.length,
            "roots": nodes_to_json(upgrade.nodes),
            "additionalRoots": nodes_to_json(upgrade.additional_nodes),
            "signature": base64_of(upgrade.signature),
            "manifest": manifest_to_json(self.manifest),
        }
        return json.dumps(document, indent=1)

    @classmethod
    def from_json_untrusted(cls, text: str) -> InclusionProof:
        """Read a proof; it still has to be checked.

        Raises:
          RecordError: not JSON, another format, or a field is missing or of another type.
        """
        document = load_untrusted(text, PROOF_MARKER, PROOF_FORMAT)
        return cls(
            log_key=read_key(document, "logKey"),
            fork=read_count(document, "fork"),
            block=BlockPart(
                read_count(document, "index"),
                read_bytes(document, "block"),
                read_nodes(document, "path", MAX_PROOF_NODES),
            ),
            upgrade=UpgradePart(
                0,
                read_count(document, "length"),
                read_nodes(document, "roots", MAX_PROOF_NODES),
                read_nodes(document, "additionalRoots", MAX_PROOF_NODES),
                optional(document, "signature", read_bytes),
            ),
            manifest=read_manifest(document),
        )


def prove_inclusion(core: CoreReader, index: int) -> InclusionProof:
    """Prove a stored block under the newest head.

    Raises:
      CannotProve: the block or a node of its path is not stored here.
    """
    head, manifest = core.head, core.manifest
    request = Request(
        id=0,
        fork=head.fork,
        block=BlockRequest(index, 0),
        upgrade=UpgradeRequest(0, head.length),
    )
    data = build_proof(core, request)
    assert data.block is not None, "it was asked for"
    assert data.upgrade is not None, "it was asked for"
    if manifest is not None and manifest.is_compat(core.key):
        manifest = None
    return InclusionProof(core.key, data.fork, data.block, data.upgrade, manifest)
