"""The messages of a ``vitra/heads`` channel, as bytes and as values.

Wire facts: specs/10b-heads-and-forks.md section 3. Bytes after the last field are ignored, and so
are kinds that are not known, so that later versions can add some.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ...crypto.hashes import HASH_BYTES
from ...crypto.manifest import Manifest, decode_manifest_untrusted, encode_manifest
from ...crypto.node_codec import decode_nodes_untrusted, encode_nodes
from ...encoding.compact import (
    Decoder,
    encode_array,
    encode_buffer,
    encode_optional_buffer,
    encode_uint,
)
from ...errors import DecodeError
from ...hypercore.core import TreeHead
from ...hypercore.heads.head_codec import decode_head_untrusted, encode_head
from ...hypercore.merkle.proof import Data, UpgradePart
from ...limits import (
    MAX_GOSSIP_HEADS,
    MAX_LOG_FRAUD_PROOF_BYTES,
    MAX_LOG_LENGTH_BLOCKS,
    MAX_MANIFEST_BYTES,
    MAX_SIGNATURE_BYTES,
)

HEADS_PROTOCOL: Final = "vitra/heads"
VERSION: Final = 1

# The type number of a message.
HEADS: Final = 0
QUESTION: Final = 1
TREE: Final = 2
PROOF: Final = 3


class GossipHead(NamedTuple):
    """A head that the sender has verified.

    Attributes:
      log: discovery key.
      manifest: who signed it; None where the key itself is the writer's public key.
      head: with its signature.
    """

    log: bytes
    manifest: Manifest | None
    head: TreeHead


class Heads(NamedTuple):
    """Heads of logs that both sides have proven to know."""

    heads: tuple[GossipHead, ...]


class Question(NamedTuple):
    """Asks for the receiver's tree at a length.

    Attributes:
      log: discovery key.
      length: blocks, at least 1.
    """

    log: bytes
    length: int


class Tree(NamedTuple):
    """The answer to a ``Question``.

    Attributes:
      log: discovery key.
      data: an upgrade from 0 to the length that was asked for, and on to the sender's signed head;
        None when the sender cannot show it.
    """

    log: bytes
    data: Data | None


class Proof(NamedTuple):
    """A proof that the writer of a log broke its promise.

    Attributes:
      log: discovery key.
      text: JSON, as it stands in a file.
    """

    log: bytes
    text: str


Message = Heads | Question | Tree | Proof


def encode_handshake() -> bytes:
    """What the open of a channel says."""
    return encode_uint(VERSION)


def encode_message(message: Message) -> tuple[int, bytes]:
    """Encode any message; gives its type number and its payload."""
    if isinstance(message, Heads):
        return HEADS, encode_array(
            each.log + _encode_manifest(each.manifest) + encode_head(each.head)
            for each in message.heads
        )
    if isinstance(message, Question):
        return QUESTION, message.log + encode_uint(message.length)
    if isinstance(message, Proof):
        return PROOF, message.log + encode_buffer(message.text.encode())
    return TREE, message.log + _encode_tree(message.data)


def _encode_tree(data: Data | None) -> bytes:
    if data is None:
        return encode_uint(0)
    upgrade = data.upgrade
    assert upgrade is not None, "a tree is shown by an upgrade"
    assert upgrade.start == 0, "it starts with nothing"
    return (
        encode_uint(upgrade.length)
        + encode_uint(data.fork)
        + encode_nodes(upgrade.nodes)
        + encode_nodes(upgrade.additional_nodes)
        + encode_optional_buffer(upgrade.signature)
        + _encode_manifest(data.manifest)
    )


def decode_message_untrusted(kind: int, payload: bytes) -> Message | None:
    """Decode a message by its type number; None for a number this version does not know.

    Raises:
      DecodeError: truncated, or over a limit of ``protocol.limits``.
    """
    decoder = Decoder(payload)
    if kind == HEADS:
        return Heads(tuple(decoder.array(_decode_gossip_head, MAX_GOSSIP_HEADS)))
    if kind == QUESTION:
        return Question(decoder.fixed(HASH_BYTES), _length(decoder))
    if kind == TREE:
        return _decode_tree(decoder)
    if kind == PROOF:
        log = decoder.fixed(HASH_BYTES)
        try:
            return Proof(log, decoder.buffer(MAX_LOG_FRAUD_PROOF_BYTES).decode())
        except UnicodeDecodeError as error:
            raise DecodeError("a proof is not UTF-8") from error
    return None


def _decode_gossip_head(decoder: Decoder) -> GossipHead:
    log = decoder.fixed(HASH_BYTES)
    return GossipHead(log, _decode_manifest(decoder), decode_head_untrusted(decoder))


def _decode_tree(decoder: Decoder) -> Tree:
    log = decoder.fixed(HASH_BYTES)
    length = _length(decoder)
    if length == 0:
        return Tree(log, None)
    fork = decoder.uint()
    upgrade = UpgradePart(
        0,
        length,
        decode_nodes_untrusted(decoder),
        decode_nodes_untrusted(decoder),
        decoder.optional_buffer(MAX_SIGNATURE_BYTES),
    )
    return Tree(log, Data(0, fork, upgrade=upgrade, manifest=_decode_manifest(decoder)))


def _encode_manifest(manifest: Manifest | None) -> bytes:
    return encode_optional_buffer(None if manifest is None else encode_manifest(manifest))


def _decode_manifest(decoder: Decoder) -> Manifest | None:
    data = decoder.optional_buffer(MAX_MANIFEST_BYTES)
    if data is None:
        return None
    inner = Decoder(data)
    manifest = decode_manifest_untrusted(inner)
    if inner.remaining:
        raise DecodeError("bytes follow a manifest")
    return manifest


def _length(decoder: Decoder) -> int:
    length = decoder.uint()
    if length > MAX_LOG_LENGTH_BLOCKS:
        raise DecodeError(f"a log of {length} blocks is over the limit")
    return length
