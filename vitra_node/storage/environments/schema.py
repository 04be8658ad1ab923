"""Keys of everything a store holds, and the records behind them; specs/07-storage.md.

The first byte of a key names its table. Inside a core's tables comes the core's number in this
store (4 bytes, big endian, so that keys are short and sort by core), then the index.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812  (it is a class)

from protocol.crypto.hashes import TreeNode
from protocol.crypto.manifest import Manifest, decode_manifest_untrusted, encode_manifest
from protocol.encoding.compact import Decoder, encode_buffer, encode_string, encode_uint
from protocol.errors import DecodeError
from protocol.hypercore.core import TreeHead

from ..errors import StoreDamaged
from .environment import KeyRange

CORE_TABLE = b"\x01"
HEAD_TABLE = b"\x02"
NODE_TABLE = b"\x03"
BLOCK_TABLE = b"\x04"
BITFIELD_TABLE = b"\x05"
RESTORED_TABLE = b"\x06"
RECORD_TABLE = b"\x10"

NEXT_NUMBER_KEY = b"\x00next core"

_NUMBERED = Struct(">cI").pack
_INDEXED = Struct(">cIQ")
_pack_indexed = _INDEXED.pack

# Written with every commit, so in fixed fields, which Python packs in one call.
_NODE = Struct("<Q32s")
_HEAD = Struct("<IQQQQ")
_ROOT = Struct("<QQ32s")
_pack_node = _NODE.pack
_pack_head = _HEAD.pack
_pack_root = _ROOT.pack
_NO_SIGNATURE = 0xFFFFFFFF

_MAX_NAME_BYTES = 64 * 1024

_FLAG_MANIFEST = 1
_FLAG_NAME = 2
_FLAG_APPEND_ONLY = 4
_FLAG_ENCRYPTED = 8


@dataclass(frozen=True, slots=True)
class CoreRecord:
    """What never changes about a stored core, except that a manifest may be learnt.

    Attributes:
      number: the core's number in this store.
      key: the 32-byte key.
      manifest: None until it is known.
      name: (32-byte namespace, name) from which the primary key derives the writer's key pair,
        or None for a core that is not ours, or whose key pair the caller holds.
      append_only: it may never be truncated, whoever opens it.
      encrypted: it was opened with an encryption key, so nothing is appended without one.
    """

    number: int
    key: bytes
    manifest: Manifest | None = None
    name: tuple[bytes, str] | None = None
    append_only: bool = False
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class HeadRecord:
    """What changes with every commit to a core.

    Attributes:
      head: the newest verified head.
      contiguous_length: blocks held from block 0 on; the bitfield says nothing about these.
    """

    head: TreeHead
    contiguous_length: int


def core_key(discovery_key: bytes) -> bytes:
    """Key of the ``CoreRecord`` of a core."""
    return CORE_TABLE + discovery_key


def restored_key(discovery_key: bytes) -> bytes:
    """Key of the note that a log of our own came out of a backup."""
    return RESTORED_TABLE + discovery_key


def head_key(number: int) -> bytes:
    """Key of the ``HeadRecord`` of a core."""
    return _NUMBERED(HEAD_TABLE, number)


def node_key(number: int, index: int) -> bytes:
    """Key of the tree node at a flat-tree index."""
    return _pack_indexed(NODE_TABLE, number, index)


def block_key(number: int, index: int) -> bytes:
    """Key of a block."""
    return _pack_indexed(BLOCK_TABLE, number, index)


def bitfield_key(number: int, page: int) -> bytes:
    """Key of a page of the bitfield."""
    return _pack_indexed(BITFIELD_TABLE, number, page)


def rows_from(table: bytes, number: int, index: int) -> KeyRange:
    """All keys of a core in an indexed table, from ``index`` on."""
    # The index has 64 bits, but no index comes near 2^63.
    return KeyRange(_pack_indexed(table, number, index), _pack_indexed(table, number, 2**63))


def index_of(key: bytes) -> int:
    """The index in a key of an indexed table."""
    index: int = _INDEXED.unpack(key)[2]
    return index


def encode_node(node: TreeNode) -> bytes:
    """A node's record: its size and hash; the index is in the key."""
    return _pack_node(node.size, node.hash)


def decode_node(index: int, data: bytes) -> TreeNode:
    """Inverse of ``encode_node``. Raises StoreDamaged."""
    try:
        return TreeNode(index, *_NODE.unpack(data))
    except StructError as error:
        raise StoreDamaged(f"tree node {index} is damaged") from error


def rows_of(
    number: int, nodes: Iterable[TreeNode], start: int, blocks: Iterable[bytes]
) -> list[tuple[bytes, bytes]]:
    """The keys and values of tree nodes, and of consecutive blocks from ``start`` on."""
    rows = [
        (_pack_indexed(NODE_TABLE, number, index), _pack_node(size, digest))
        for index, size, digest in nodes
    ]
    rows += [
        (_pack_indexed(BLOCK_TABLE, number, index), block)
        for index, block in enumerate(blocks, start)
    ]
    return rows


def encode_core(record: CoreRecord) -> bytes:
    """Encode a ``CoreRecord``."""
    flags = 0
    tail = b""
    if record.manifest is not None:
        flags |= _FLAG_MANIFEST
        tail += encode_buffer(encode_manifest(record.manifest))
    if record.name is not None:
        flags |= _FLAG_NAME
        namespace, name = record.name
        tail += namespace + encode_string(name)
    if record.append_only:
        flags |= _FLAG_APPEND_ONLY
    if record.encrypted:
        flags |= _FLAG_ENCRYPTED
    return encode_uint(flags) + encode_uint(record.number) + record.key + tail


def decode_core(data: bytes) -> CoreRecord:
    """Inverse of ``encode_core``. Raises StoreDamaged."""
    decoder = Decoder(data)
    try:
        flags, number, key = decoder.uint(), decoder.uint(), decoder.fixed(32)
        manifest = name = None
        if flags & _FLAG_MANIFEST:
            manifest = decode_manifest_untrusted(Decoder(decoder.buffer(len(data))))
        if flags & _FLAG_NAME:
            name = (decoder.fixed(32), decoder.string(_MAX_NAME_BYTES))
    except DecodeError as error:
        raise StoreDamaged(f"the record of a core is damaged: {error}") from error
    return CoreRecord(
        number,
        key,
        manifest,
        name,
        append_only=bool(flags & _FLAG_APPEND_ONLY),
        encrypted=bool(flags & _FLAG_ENCRYPTED),
    )


def encode_head(record: HeadRecord) -> bytes:
    """Encode a ``HeadRecord``."""
    head = record.head
    signature = head.signature or b""
    start = _pack_head(
        _NO_SIGNATURE if head.signature is None else len(signature),
        head.length,
        head.byte_length,
        head.fork,
        record.contiguous_length,
    )
    return start + signature + b"".join([_pack_root(*root) for root in head.roots])


def decode_head(data: bytes) -> HeadRecord:
    """Inverse of ``encode_head``. Raises StoreDamaged."""
    try:
        signature_bytes, length, byte_length, fork, contiguous = _HEAD.unpack_from(data)
        start = _HEAD.size
        signature = None
        if signature_bytes != _NO_SIGNATURE:
            signature = data[start : start + signature_bytes]
            start += signature_bytes
        roots = tuple(TreeNode(*root) for root in _ROOT.iter_unpack(data[start:]))
    except StructError as error:
        raise StoreDamaged("the head of a core is damaged") from error
    return HeadRecord(TreeHead(length, byte_length, fork, roots, signature), contiguous)
