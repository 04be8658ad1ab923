"""The ten messages of a ``hypercore/alpha`` channel, as bytes and as values.

Wire facts: specs/05-replication.md section 2; npm ``hypercore`` 11 (``lib/messages.js``) and 10.
Version 10 differs in two places only: its ``noData`` ends after the request id, and it never sets
``allow_push``. Trailing bytes are ignored, as JS does, so that later versions can add fields.

``request`` and ``data`` decode to the classes of ``proof``; the rest are defined here.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ...crypto.hashes import TreeNode
from ...crypto.manifest import decode_manifest_untrusted, encode_manifest
from ...crypto.node_codec import decode_nodes_untrusted
from ...encoding.compact import (
    Decoder,
    encode_optional_buffer,
    encode_string,
    encode_uint,
    encode_uint32_array,
)
from ...errors import DecodeError
from ...limits import (
    MAX_BITFIELD_WORDS,
    MAX_BLOCK_BYTES,
    MAX_EXTENSION_MESSAGE_BYTES,
    MAX_EXTENSION_NAME_BYTES,
    MAX_LOG_LENGTH_BLOCKS,
    MAX_SIGNATURE_BYTES,
)
from ..merkle.proof import (
    BlockPart,
    BlockRequest,
    Data,
    HashPart,
    HashRequest,
    Request,
    SeekPart,
    SeekRequest,
    UpgradePart,
    UpgradeRequest,
)

PROTOCOL: Final = "hypercore/alpha"
PROTOCOL_ALIASES: Final = ("hypercore",)

# The type number of a message is its place in this list.
SYNC: Final = 0
REQUEST: Final = 1
CANCEL: Final = 2
DATA: Final = 3
NO_DATA: Final = 4
WANT: Final = 5
UNWANT: Final = 6
BITFIELD: Final = 7
RANGE: Final = 8
EXTENSION: Final = 9

# Reasons of a ``noData``.
NOT_AVAILABLE: Final = 1
INVALID_REQUEST: Final = 2


class Sync(NamedTuple):
    """What one side has, and what it has seen of the other.

    Attributes:
      fork, length: the sender's verified tree.
      remote_length: the ``length`` last seen from the receiver if its fork is the same, else 0.
      can_upgrade: the sender can prove the growth from the receiver's length to its own.
      uploading, downloading: what the sender is willing to do.
      has_manifest: the sender has a manifest, and the log is not compat.
      allow_push: unsolicited blocks are welcome (version 11).
    """

    fork: int
    length: int
    remote_length: int
    can_upgrade: bool
    uploading: bool = True
    downloading: bool = True
    has_manifest: bool = False
    allow_push: bool = False


class Cancel(NamedTuple):
    """The sender no longer needs the answer to its request of this id."""

    request: int


class NoData(NamedTuple):
    """A request cannot be answered.

    Attributes:
      request: its id.
      reason: ``NOT_AVAILABLE``, ``INVALID_REQUEST``, 0 for none, or None in the form of version 10.
    """

    request: int
    reason: int | None


class Want(NamedTuple):
    """Asks which of ``length`` blocks from ``start`` on the receiver holds.

    Attributes:
      start, length: blocks.
      any: one held block is enough of an answer.
    """

    start: int
    length: int
    any: bool = False


class Unwant(NamedTuple):
    """Takes a ``Want`` back."""

    start: int
    length: int
    any: bool = False


class Bitfield(NamedTuple):
    """Which blocks the sender holds from ``start`` on.

    Attributes:
      start: block index; a multiple of 32, otherwise JS ignores the message.
      bits: whole 32-bit words; bit i, lowest of each byte first, is block ``start + i``.
    """

    start: int
    bits: bytes


class Range(NamedTuple):
    """The sender holds, or dropped, ``length`` blocks from ``start`` on."""

    start: int
    length: int
    drop: bool = False


class Extension(NamedTuple):
    """A message of an extension; an empty name means the same as the one before."""

    name: str
    message: bytes


Message = (
    Sync | Request | Cancel | Data | NoData | Want | Unwant | Bitfield | Range | Extension
)  # what ``decode_message_untrusted`` gives


# sync ---------------------------------------------------------------------------------------------


def encode_sync(message: Sync) -> bytes:
    """Encode the payload of a ``sync``."""
    flags = (
        message.can_upgrade
        | message.uploading << 1
        | message.downloading << 2
        | message.has_manifest << 3
        | message.allow_push << 4
    )
    lengths = encode_uint(message.length) + encode_uint(message.remote_length)
    return encode_uint(flags) + encode_uint(message.fork) + lengths


def decode_sync_untrusted(payload: bytes) -> Sync:
    """Decode the payload of a ``sync``; raises ``DecodeError``."""
    decoder = Decoder(payload)
    flags = decoder.uint()
    return Sync(
        fork=decoder.uint(),
        length=_length(decoder),
        remote_length=decoder.uint(),
        can_upgrade=bool(flags & 1),
        uploading=bool(flags & 2),
        downloading=bool(flags & 4),
        has_manifest=bool(flags & 8),
        allow_push=bool(flags & 16),
    )


# request ------------------------------------------------------------------------------------------


def encode_request(message: Request) -> bytes:
    """Encode the payload of a ``request``."""
    flags = 0
    parts = [b"", encode_uint(message.id), encode_uint(message.fork)]
    if message.block is not None:
        flags |= 1
        parts += (encode_uint(message.block.index), encode_uint(message.block.nodes))
    if message.hash is not None:
        flags |= 2
        parts += (encode_uint(message.hash.index), encode_uint(message.hash.nodes))
    if message.seek is not None:
        flags |= 4
        parts += (encode_uint(message.seek.bytes), encode_uint(message.seek.padding))
    if message.upgrade is not None:
        flags |= 8
        parts += (encode_uint(message.upgrade.start), encode_uint(message.upgrade.length))
    if message.manifest:
        flags |= 16
    if message.priority:
        flags |= 32
        parts.append(encode_uint(message.priority))
    parts[0] = encode_uint(flags)
    return b"".join(parts)


def decode_request_untrusted(payload: bytes) -> Request:
    """Decode the payload of a ``request``; raises ``DecodeError``.

    The numbers are not checked against any log.
    """
    decoder = Decoder(payload)
    uint = decoder.uint
    flags = uint()
    return Request(
        uint(),
        uint(),
        BlockRequest(uint(), uint()) if flags & 1 else None,
        HashRequest(uint(), uint()) if flags & 2 else None,
        SeekRequest(uint(), uint()) if flags & 4 else None,
        UpgradeRequest(uint(), uint()) if flags & 8 else None,
        bool(flags & 16),
        uint() if flags & 32 else 0,
    )


# data ---------------------------------------------------------------------------------------------


def encode_data(message: Data) -> bytes:
    """Encode the payload of a ``data``."""
    flags = 0
    parts = [b"", encode_uint(message.request), encode_uint(message.fork)]
    if message.block is not None:
        flags |= 1
        block = message.block
        parts += (encode_uint(block.index), encode_uint(len(block.value)), block.value)
        _extend_with_nodes(parts, block.nodes)
    if message.hash is not None:
        flags |= 2
        parts.append(encode_uint(message.hash.index))
        _extend_with_nodes(parts, message.hash.nodes)
    if message.seek is not None:
        flags |= 4
        parts.append(encode_uint(message.seek.bytes))
        _extend_with_nodes(parts, message.seek.nodes)
    if message.upgrade is not None:
        flags |= 8
        upgrade = message.upgrade
        parts += (encode_uint(upgrade.start), encode_uint(upgrade.length))
        _extend_with_nodes(parts, upgrade.nodes)
        _extend_with_nodes(parts, upgrade.additional_nodes)
        parts.append(encode_optional_buffer(upgrade.signature))
    if message.manifest is not None:
        flags |= 16
        parts.append(encode_manifest(message.manifest))
    parts[0] = encode_uint(flags)
    return b"".join(parts)


def data_has_block(payload: bytes) -> bool:
    """Whether a ``data`` of ours, as ``encode_data`` gave it, carries a block."""
    return bool(payload[0] & 1)


def _extend_with_nodes(parts: list[bytes], nodes: tuple[TreeNode, ...]) -> None:
    parts.append(encode_uint(len(nodes)))
    for index, size, digest in nodes:
        parts += (encode_uint(index), encode_uint(size), digest)


def decode_data_untrusted(payload: bytes) -> Data:
    """Decode the payload of a ``data``; raises ``DecodeError``.

    Nothing is verified: that is for ``verifier``.
    """
    decoder = Decoder(payload)
    flags = decoder.uint()
    request = decoder.uint()
    fork = decoder.uint()
    block = hash_ = seek = upgrade = manifest = None
    if flags & 1:
        index = decoder.uint()
        value = decoder.buffer(MAX_BLOCK_BYTES)
        block = BlockPart(index, value, decode_nodes_untrusted(decoder))
    if flags & 2:
        index = decoder.uint()
        hash_ = HashPart(index, decode_nodes_untrusted(decoder))
    if flags & 4:
        offset = decoder.uint()
        seek = SeekPart(offset, decode_nodes_untrusted(decoder))
    if flags & 8:
        upgrade = UpgradePart(
            _length(decoder),
            _length(decoder),
            decode_nodes_untrusted(decoder),
            decode_nodes_untrusted(decoder),
            decoder.optional_buffer(MAX_SIGNATURE_BYTES),
        )
    if flags & 16:
        manifest = decode_manifest_untrusted(decoder)
    return Data(request, fork, block, hash_, seek, upgrade, manifest)


# the rest -----------------------------------------------------------------------------------------


def encode_cancel(message: Cancel) -> bytes:
    """Encode the payload of a ``cancel``."""
    return encode_uint(message.request)


def decode_cancel_untrusted(payload: bytes) -> Cancel:
    """Decode the payload of a ``cancel``; raises ``DecodeError``."""
    return Cancel(Decoder(payload).uint())


def encode_no_data(message: NoData) -> bytes:
    """Encode the payload of a ``noData``."""
    if message.reason is None:
        return encode_uint(message.request)
    if message.reason == 0:
        return encode_uint(message.request) + b"\x00"
    return encode_uint(message.request) + b"\x01" + encode_uint(message.reason)


def decode_no_data_untrusted(payload: bytes) -> NoData:
    """Decode the payload of a ``noData`` of either version; raises ``DecodeError``."""
    decoder = Decoder(payload)
    request = decoder.uint()
    if not decoder.remaining:
        return NoData(request, None)
    return NoData(request, decoder.uint() if decoder.uint() & 1 else 0)


def encode_want(message: Want | Unwant) -> bytes:
    """Encode the payload of a ``want`` or an ``unwant``."""
    return encode_uint(message.start) + encode_uint(message.length) + b"\x01" * message.any


def decode_want_untrusted(payload: bytes) -> Want:
    """Decode the payload of a ``want``; raises ``DecodeError``."""
    decoder = Decoder(payload)
    start, length = decoder.uint(), decoder.uint()
    return Want(start, length, bool(decoder.remaining and decoder.uint() & 1))


def decode_unwant_untrusted(payload: bytes) -> Unwant:
    """Decode the payload of an ``unwant``; raises ``DecodeError``."""
    return Unwant(*decode_want_untrusted(payload))


def encode_bitfield(message: Bitfield) -> bytes:
    """Encode the payload of a ``bitfield``."""
    return encode_uint(message.start) + encode_uint32_array(message.bits)


def decode_bitfield_untrusted(payload: bytes) -> Bitfield:
    """Decode the payload of a ``bitfield``; raises ``DecodeError``."""
    decoder = Decoder(payload)
    return Bitfield(decoder.uint(), decoder.uint32_array(MAX_BITFIELD_WORDS))


def encode_range(message: Range) -> bytes:
    """Encode the payload of a ``range``."""
    start = encode_uint(message.start)
    if message.length == 1:
        return encode_uint(message.drop | 2) + start
    return encode_uint(message.drop) + start + encode_uint(message.length)


def decode_range_untrusted(payload: bytes) -> Range:
    """Decode the payload of a ``range``; raises ``DecodeError``."""
    decoder = Decoder(payload)
    flags = decoder.uint()
    start = decoder.uint()
    return Range(start, 1 if flags & 2 else decoder.uint(), bool(flags & 1))


def encode_extension(message: Extension) -> bytes:
    """Encode the payload of an ``extension``."""
    return encode_string(message.name) + message.message


def decode_extension_untrusted(payload: bytes) -> Extension:
    """Decode the payload of an ``extension``; raises ``DecodeError``."""
    decoder = Decoder(payload)
    name = decoder.string(MAX_EXTENSION_NAME_BYTES)
    if decoder.remaining > MAX_EXTENSION_MESSAGE_BYTES:
        raise DecodeError("an extension message is over its limit")
    return Extension(name, decoder.raw())


def _length(decoder: Decoder) -> int:
    length = decoder.uint()
    if length > MAX_LOG_LENGTH_BLOCKS:
        raise DecodeError(f"a log of {length} blocks is over the limit")
    return length


# by type number -----------------------------------------------------------------------------------

_DECODERS = (
    decode_sync_untrusted,
    decode_request_untrusted,
    decode_cancel_untrusted,
    decode_data_untrusted,
    decode_no_data_untrusted,
    decode_want_untrusted,
    decode_unwant_untrusted,
    decode_bitfield_untrusted,
    decode_range_untrusted,
    decode_extension_untrusted,
)


def decode_message_untrusted(kind: int, payload: bytes) -> Message | None:
    """Decode a message by its type number; None for a number this version does not know.

    Raises:
      DecodeError: truncated, or over a limit of ``protocol.limits``.
    """
    if not 0 <= kind < len(_DECODERS):
        return None
    return _DECODERS[kind](payload)


def encode_message(message: Message) -> tuple[int, bytes]:
    """Encode any message; gives its type number and its payload."""
    match message:
        case Sync():
            return SYNC, encode_sync(message)
        case Request():
            return REQUEST, encode_request(message)
        case Cancel():
            return CANCEL, encode_cancel(message)
        case Data():
            return DATA, encode_data(message)
        case NoData():
            return NO_DATA, encode_no_data(message)
        case Want():
            return WANT, encode_want(message)
        case Unwant():
            return UNWANT, encode_want(message)
        case Bitfield():
            return BITFIELD, encode_bitfield(message)
        case Range():
            return RANGE, encode_range(message)
        case Extension():
            return EXTENSION, encode_extension(message)
