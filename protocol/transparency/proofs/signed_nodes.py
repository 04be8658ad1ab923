"""Heads, nodes and manifests as they stand in proof files, the same in every kind of proof."""

from __future__ import annotations

from typing import Any

from ...crypto.hashes import TreeNode
from ...crypto.manifest import (
    Manifest,
    decode_manifest_untrusted,
    default_manifest,
    encode_manifest,
)
from ...encoding.compact import Decoder
from ...errors import DecodeError, LocalProtocolError, ProofError, RecordError
from ...hypercore.core import TreeHead
from .json_fields import (
    as_bytes,
    as_count,
    base64_of,
    field,
    optional,
    read_bytes,
    read_count,
)


def manifest_for(log_key: bytes, manifest: Manifest | None, wanted: bytes | None) -> Manifest:
    """The manifest that a proof gives for a log; None where the key is the writer's public key.

    Raises:
      ProofError: it is not the manifest of this log, or the proof is for another than ``wanted``.
    """
    if wanted is not None and log_key != wanted:
        raise ProofError("the proof is for another log")
    used = default_manifest(log_key) if manifest is None else manifest
    try:
        if used.is_for(log_key):
            return used
    except LocalProtocolError:
        pass
    raise ProofError("the manifest is not the one of this log")


def manifest_to_json(manifest: Manifest | None) -> str | None:
    """A manifest in base64."""
    return base64_of(None if manifest is None else encode_manifest(manifest))


def read_manifest(document: Any) -> Manifest | None:
    """The field ``manifest``; raises RecordError."""
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


def head_to_json(head: TreeHead) -> dict[str, Any]:
    """A signed head; its byte length is the sum of its roots."""
    return {
        "fork": head.fork,
        "length": head.length,
        "roots": nodes_to_json(head.roots),
        "signature": base64_of(head.signature),
    }


def head_of(row: Any, limit: int) -> TreeHead:
    """Inverse of ``head_to_json``; raises RecordError. ``limit`` bounds the number of roots."""
    roots = read_nodes(row, "roots", limit)
    return TreeHead(
        length=read_count(row, "length"),
        byte_length=sum(root.size for root in roots),
        fork=read_count(row, "fork"),
        roots=roots,
        signature=optional(row, "signature", read_bytes),
    )


def nodes_to_json(nodes: tuple[TreeNode, ...]) -> list[list[int | str | None]]:
    """Nodes as rows of index, size, hash."""
    return [[node.index, node.size, base64_of(node.hash)] for node in nodes]


def read_nodes(document: Any, name: str, limit: int) -> tuple[TreeNode, ...]:
    """Inverse of ``nodes_to_json`` for a field; raises RecordError."""
    rows = field(document, name)
    if not isinstance(rows, list) or len(rows) > limit:
        raise RecordError(f"{name} is not a list of nodes")
    nodes = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 3:
            raise RecordError(f"{name} holds something that is no node")
        node = TreeNode(as_count(row[0], name), as_count(row[1], name), as_bytes(row[2], name))
        nodes.append(node)
    return tuple(nodes)
