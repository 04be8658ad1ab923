"""The file that a backup is: a header, then all pairs of a store, in chunks, then a hash.

    "vitrab01" || chunk(header) || chunk(pairs)… || u32 0 || BLAKE3 of everything before
    chunk = u32 le: length of what follows || zlib-compressed MessagePack

The header is a map, pairs are an array of [key, value]. Pairs whose key begins with ``FILE_TABLE``
are files beside the store; they come last. Specs/07-storage.md section 6.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import msgpack
from blake3 import blake3

from ..errors import StorageError
from ..keys.sealing import SealedSecret

MAGIC = b"vitrab01"
FILE_TABLE = b"\xf0"
"""Begins keys that are names of files; no key of a store begins with it."""

# A block and its row fit; the same bound holds for what is unpacked.
MAX_CHUNK_BYTES = 32 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_HASH_BYTES = 32
# Data is mostly signed, hashed or packed already: the fastest level loses little.
_COMPRESSION = 1

Pair = tuple[bytes, bytes]


class BackupDamaged(StorageError):
    """The file is no backup, or was altered or cut off."""


@dataclass(frozen=True, slots=True)
class BackupHeader:
    """What a backup says of itself.

    Attributes:
      created_ms: when, milliseconds since 1970.
      sealed_key: the primary key under a passphrase, or None for a backup without keys.
    """

    created_ms: int
    sealed_key: SealedSecret | None


def write_backup(file: IO[bytes], header: BackupHeader, pairs: Iterable[Pair]) -> int:
    """Write a whole backup; gives the number of pairs."""
    out = _HashedOutput(file)
    out.write(MAGIC)
    out.chunk(_encode_header(header))
    count = size = 0
    waiting: list[Pair] = []
    for key, value in pairs:
        waiting.append((key, value))
        size += len(key) + len(value)
        count += 1
        if size >= _CHUNK_BYTES:
            out.chunk(waiting)
            waiting, size = [], 0
    if waiting:
        out.chunk(waiting)
    out.write(bytes(4))
    file.write(out.hash.digest())
    return count


class BackupReader:
    """Reads a backup in order: the header at once, then ``pairs``."""

    def __init__(self, file: IO[bytes]) -> None:
        """Raises ``BackupDamaged`` if the file does not begin like a backup."""
        self._file = file
        self._hash = blake3()
        if self._take(len(MAGIC)) != MAGIC:
            raise BackupDamaged("it is not a backup of a store, or of another form")
        self.header = _decode_header_untrusted(self._chunk())

    def pairs_untrusted(self) -> Iterator[Pair]:
        """All pairs. Only when this ends without an error is the file known to be whole.

        Raises:
          BackupDamaged: it was altered or cut off.
        """
        while (chunk := self._chunk()) is not None:
            if not isinstance(chunk, list):
                raise BackupDamaged("a chunk holds no pairs")
            for pair in chunk:
                yield _as_pair(pair)
        digest = self._hash.digest()
        if self._file.read(_HASH_BYTES + 1) != digest:
            raise BackupDamaged("its hash does not fit its content")

    def _take(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise BackupDamaged("it was cut off")
        self._hash.update(data)
        return data

    def _chunk(self) -> Any:
        """The content of the next chunk, None at the end."""
        size = int.from_bytes(self._take(4), "little")
        if size == 0:
            return None
        if size > MAX_CHUNK_BYTES:
            raise BackupDamaged("a chunk is larger than any that this program writes")
        inflate = zlib.decompressobj()
        try:
            data = inflate.decompress(self._take(size), MAX_CHUNK_BYTES)
            if not inflate.eof or inflate.unused_data:
                raise BackupDamaged("a chunk is larger than any that this program writes")
            return msgpack.unpackb(data, strict_map_key=False)
        except (zlib.error, ValueError, msgpack.UnpackException) as error:
            raise BackupDamaged("a chunk does not decode") from error


class _HashedOutput:
    """Writes to a file, and hashes what it writes."""

    def __init__(self, file: IO[bytes]) -> None:
        self.hash = blake3()
        self._file = file

    def write(self, data: bytes) -> None:
        self.hash.update(data)
        self._file.write(data)

    def chunk(self, content: Any) -> None:
        packed = zlib.compress(msgpack.packb(content), _COMPRESSION)
        self.write(len(packed).to_bytes(4, "little"))
        self.write(packed)


def _encode_header(header: BackupHeader) -> dict[str, Any]:
    sealed = header.sealed_key
    key = None
    if sealed is not None:
        key = [sealed.salt, sealed.ops, sealed.memory_bytes, sealed.box]
    return {"created": header.created_ms, "key": key}


def _decode_header_untrusted(value: Any) -> BackupHeader:
    try:
        created, key = value["created"], value["key"]
        sealed = None if key is None else SealedSecret(*key)
    except (TypeError, KeyError, ValueError) as error:
        raise BackupDamaged("its header does not decode") from error
    fits = isinstance(created, int)
    if sealed is not None:
        parts = (sealed.salt, sealed.ops, sealed.memory_bytes, sealed.box)
        kinds = (bytes, int, int, bytes)
        fits = fits and all(isinstance(p, k) for p, k in zip(parts, kinds, strict=True))
    if not fits:
        raise BackupDamaged("its header does not decode")
    return BackupHeader(created, sealed)


def _as_pair(pair: Any) -> Pair:
    if isinstance(pair, list) and len(pair) == 2:
        key, value = pair
        if isinstance(key, bytes) and isinstance(value, bytes) and key:
            return key, value
    raise BackupDamaged("a chunk holds something that is no pair")
