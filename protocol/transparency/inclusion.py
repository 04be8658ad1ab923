"""Proofs that a block stands in a log, made by any holder of it and checked with nothing else.

A proof is what a peer would send for the block together with an upgrade from length 0: the block,
its Merkle path, the other roots, the writer's signature, and the manifest that says who the writer
is. See specs/10-auditing.md; the proof itself is specs/04-merkle-log.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from ..crypto.hashes import TreeNode
from ..crypto.manifest import Manifest, decode_manifest_untrusted, encode_manifest
from ..encoding.compact import Decoder
from ..errors import DecodeError, ProofError, RecordError
from ..hypercore.core import CoreReader, TreeHead
from ..hypercore.proof import BlockPart, BlockRequest, Data, Request, UpgradePart, UpgradeRequest
from ..hypercore.prover import build_proof
from ..hypercore.verifier import verify_first_upgrade_untrusted
from ..limits import MAX_PROOF_NODES
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
        manifest = None if self.manifest is None else encode_manifest(self.manifest)
        document = {
            PROOF_MARKER: PROOF_FORMAT,
            "logKey": self.log_key.hex(),
            "fork": self.fork,
            "index": self.block.index,
            "block": base64_of(self.block.value),
            "path": _nodes_to_json(self.block.nodes),
            "length": upgrade.length,
            "roots": _nodes_to_json(upgrade.nodes),
            "additionalRoots": _nodes_to_json(upgrade.additional_nodes),
            "signature": base64_of(upgrade.signature),
            "manifest": base64_of(manifest),
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
                _read_nodes(document, "path"),
            ),
            upgrade=UpgradePart(
                0,
                read_count(document, "length"),
                _read_nodes(document, "roots"),
                _read_nodes(document, "additionalRoots"),
                optional(document, "signature", read_bytes),
            ),
            manifest=_read_manifest(optional(document, "manifest", read_bytes)),
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
        nodes.append(
            TreeNode(as_count(row[0], name), as_count(row[1], name), as_bytes(row[2], name))
        )
    return tuple(nodes)


def _read_manifest(data: bytes | None) -> Manifest | None:
    if data is None:
        return None
    try:
        return decode_manifest_untrusted(Decoder(data))
    except DecodeError as error:
        raise RecordError(f"the manifest does not decode: {error}") from error
