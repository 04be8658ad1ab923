"""Manifests: who may sign a log. The key of a log is the hash of its manifest.

Wire facts: specs/04-merkle-log.md section 3; npm ``hypercore`` 11 (version 10 knows 0 and 1).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..encoding.compact import Decoder, encode_array, encode_buffer, encode_uint
from ..errors import DecodeError, LocalProtocolError
from ..limits import (
    MAX_LOG_LENGTH_BLOCKS,
    MAX_MANIFEST_LINKED_CORES,
    MAX_MANIFEST_SIGNERS,
    MAX_MANIFEST_USER_DATA_BYTES,
)
from .hashes import HASH_BYTES, blake2b_256
from .keys import PUBLIC_KEY_BYTES
from .namespaces import DEFAULT_NAMESPACE, MANIFEST

NEWEST_MANIFEST_VERSION = 3

_HASH_BLAKE2B = b"\x00"
_SIGNATURE_ED25519 = b"\x00"

_V0_STATIC = 0
_V0_SINGLE_SIGNER = 1
_V0_MULTI_SIGNER = 2

_FLAG_ALLOW_PATCH = 1
_FLAG_PROLOGUE = 2
_FLAG_LINKED = 4
_FLAG_USER_DATA = 8


@dataclass(frozen=True, slots=True)
class Signer:
    """One key that may sign.

    Attributes:
      public_key: Ed25519, 32 bytes.
      namespace: 32 bytes; enters the signed bytes in version 0 only.
    """

    public_key: bytes
    namespace: bytes = DEFAULT_NAMESPACE


@dataclass(frozen=True, slots=True)
class Prologue:
    """A beginning that every copy of the log has and that needs no signature.

    Attributes:
      hash: the 32-byte tree hash at ``length``.
      length: blocks.
    """

    hash: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Who may sign a log, and how it begins.

    Attributes:
      version: 0 to 3.
      signers: the keys, in order; their position is their number in a multisignature.
      quorum: how many of them must sign; 0 together with no signers for a static log.
      allow_patch: whether a signer may vouch for a longer tree than the one proven.
      prologue: the unsigned beginning, or None.
      linked: 32-byte keys of logs that belong together with this one, or None.
      user_data: free bytes, or None.
    """

    version: int
    signers: tuple[Signer, ...]
    quorum: int
    allow_patch: bool = False
    prologue: Prologue | None = None
    linked: tuple[bytes, ...] | None = None
    user_data: bytes | None = None

    def is_compat(self, key: bytes) -> bool:
        """Whether ``key`` is the public key of the one signer rather than a manifest hash."""
        return len(self.signers) == 1 and self.signers[0].public_key == key

    def is_for(self, key: bytes) -> bool:
        """Whether this is the manifest of the log with this key."""
        return self.is_compat(key) or manifest_key(self) == key


def default_manifest(public_key: bytes, version: int = 1) -> Manifest:
    """The manifest of a log with one writer."""
    return Manifest(version=version, signers=(Signer(public_key),), quorum=1)


def multi_signer_manifest(
    public_keys: tuple[bytes, ...],
    *,
    quorum: int | None = None,
    allow_patch: bool = False,
    prologue: Prologue | None = None,
    version: int = 1,
) -> Manifest:
    """A manifest with several signers; ``quorum`` defaults to a majority (0 without signers)."""
    if quorum is None:
        quorum = len(public_keys) // 2 + 1 if public_keys else 0
    signers = tuple(Signer(public_key) for public_key in public_keys)
    return Manifest(version, signers, quorum, allow_patch, prologue)


def manifest_key(manifest: Manifest) -> bytes:
    """The 32-byte hash of a manifest: the key of its log unless the log is compat."""
    return blake2b_256(MANIFEST + encode_manifest(manifest))


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode a manifest as it is hashed and sent.

    Raises:
      LocalProtocolError: a field that its version cannot carry, or of a wrong length.
    """
    _check(manifest)
    if manifest.version == 0:
        return _encode_v0(manifest)
    flags = _FLAG_ALLOW_PATCH if manifest.allow_patch else 0
    tail = b""
    if manifest.prologue is not None:
        flags |= _FLAG_PROLOGUE
        tail += manifest.prologue.hash + encode_uint(manifest.prologue.length)
    if manifest.linked is not None:
        flags |= _FLAG_LINKED
        tail += encode_array(manifest.linked)
    if manifest.user_data is not None:
        flags |= _FLAG_USER_DATA
        tail += encode_buffer(manifest.user_data)
    head = encode_uint(manifest.version) + encode_uint(flags) + _HASH_BLAKE2B
    return head + encode_uint(manifest.quorum) + _encode_signers(manifest.signers) + tail


def _encode_v0(manifest: Manifest) -> bytes:
    head = encode_uint(0) + _HASH_BLAKE2B
    if manifest.prologue is not None:
        return head + encode_uint(_V0_STATIC) + manifest.prologue.hash
    if manifest.quorum == 1 and len(manifest.signers) == 1 and not manifest.allow_patch:
        return head + encode_uint(_V0_SINGLE_SIGNER) + _encode_signer(manifest.signers[0])
    flags = _FLAG_ALLOW_PATCH if manifest.allow_patch else 0
    quorum = encode_uint(manifest.quorum)
    signers = _encode_signers(manifest.signers)
    return head + encode_uint(_V0_MULTI_SIGNER) + encode_uint(flags) + quorum + signers


def _encode_signer(signer: Signer) -> bytes:
    return _SIGNATURE_ED25519 + signer.namespace + signer.public_key


def _encode_signers(signers: tuple[Signer, ...]) -> bytes:
    return encode_array(_encode_signer(signer) for signer in signers)


def _check(manifest: Manifest) -> None:
    if not 0 <= manifest.version <= NEWEST_MANIFEST_VERSION:
        raise LocalProtocolError(f"there is no manifest version {manifest.version}")
    if manifest.version == 0:
        prologue = manifest.prologue
        if prologue is not None and (manifest.signers or prologue.length or manifest.quorum):
            raise LocalProtocolError("a version 0 prologue stands alone, without a length")
    if manifest.version < 2 and (manifest.linked is not None or manifest.user_data is not None):
        raise LocalProtocolError("linked cores and user data need manifest version 2")
    hashes = list(manifest.linked or ())
    if manifest.prologue is not None:
        hashes.append(manifest.prologue.hash)
    for signer in manifest.signers:
        hashes += (signer.namespace, signer.public_key)
    if any(len(value) != HASH_BYTES for value in hashes):
        raise LocalProtocolError("keys, namespaces and hashes of a manifest have 32 bytes")


def decode_manifest_untrusted(decoder: Decoder) -> Manifest:
    """Read one manifest.

    Raises:
      DecodeError: truncated, of an unknown version, hash or signature type, or over a limit of
        ``protocol.limits``.
    """
    version = decoder.uint()
    if version == 0:
        return _decode_v0(decoder)
    if version > NEWEST_MANIFEST_VERSION:
        raise DecodeError(f"there is no manifest version {version}")
    flags = decoder.uint()
    _decode_hash_type(decoder)
    quorum = decoder.uint()
    signers = _decode_signers(decoder)
    prologue = linked = user_data = None
    if flags & _FLAG_PROLOGUE:
        prologue_hash = decoder.fixed(HASH_BYTES)
        prologue = Prologue(prologue_hash, _decode_length(decoder))
    if flags & _FLAG_LINKED:
        linked = tuple(decoder.array(_decode_key, MAX_MANIFEST_LINKED_CORES))
    if flags & _FLAG_USER_DATA:
        user_data = decoder.buffer(MAX_MANIFEST_USER_DATA_BYTES)
    if version < 2 and (linked is not None or user_data is not None):
        raise DecodeError("a manifest of version 1 has neither linked cores nor user data")
    allow_patch = bool(flags & _FLAG_ALLOW_PATCH)
    return Manifest(version, signers, quorum, allow_patch, prologue, linked, user_data)


def _decode_v0(decoder: Decoder) -> Manifest:
    _decode_hash_type(decoder)
    kind = decoder.uint()
    if kind == _V0_STATIC:
        return Manifest(0, (), 0, prologue=Prologue(decoder.fixed(HASH_BYTES), 0))
    if kind == _V0_SINGLE_SIGNER:
        return Manifest(0, (_decode_signer(decoder),), 1)
    if kind != _V0_MULTI_SIGNER:
        raise DecodeError(f"there is no version 0 manifest of type {kind}")
    flags = decoder.uint()
    quorum = decoder.uint()
    return Manifest(0, _decode_signers(decoder), quorum, bool(flags & _FLAG_ALLOW_PATCH))


def _decode_signers(decoder: Decoder) -> tuple[Signer, ...]:
    return tuple(decoder.array(_decode_signer, MAX_MANIFEST_SIGNERS))


def _decode_signer(decoder: Decoder) -> Signer:
    kind = decoder.uint()
    if kind != 0:
        raise DecodeError(f"signature type {kind} is not Ed25519")
    namespace = decoder.fixed(HASH_BYTES)
    return Signer(decoder.fixed(PUBLIC_KEY_BYTES), namespace)


def _decode_hash_type(decoder: Decoder) -> None:
    kind = decoder.uint()
    if kind != 0:
        raise DecodeError(f"hash type {kind} is not BLAKE2b")


def _decode_key(decoder: Decoder) -> bytes:
    return decoder.fixed(HASH_BYTES)


def _decode_length(decoder: Decoder) -> int:
    length = decoder.uint()
    if length > MAX_LOG_LENGTH_BLOCKS:
        raise DecodeError(f"a prologue of {length} blocks is over the limit")
    return length
