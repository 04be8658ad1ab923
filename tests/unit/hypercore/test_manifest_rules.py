"""Manifests at their limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.crypto.keys import KeyPair, verify
from protocol.crypto.manifest import (
    Manifest,
    Prologue,
    Signer,
    decode_manifest_untrusted,
    default_manifest,
    encode_manifest,
    manifest_key,
    multi_signer_manifest,
)
from protocol.encoding.compact import Decoder, encode_uint
from protocol.errors import DecodeError, LocalProtocolError
from protocol.limits import (
    MAX_LOG_LENGTH_BLOCKS,
    MAX_MANIFEST_LINKED_CORES,
    MAX_MANIFEST_SIGNERS,
    MAX_MANIFEST_USER_DATA_BYTES,
)

KEY = bytes([7]) * 32
PLAIN = default_manifest(KEY)


def decode(data: bytes) -> Manifest:
    return decode_manifest_untrusted(Decoder(data))


@pytest.mark.parametrize(
    "manifest",
    [
        replace(PLAIN, version=4),
        replace(PLAIN, version=-1),
        replace(PLAIN, linked=(KEY,)),
        replace(PLAIN, user_data=b"x"),
        replace(PLAIN, version=2, linked=(KEY[:31],)),
        replace(PLAIN, signers=(Signer(KEY[:31]),)),
        replace(PLAIN, version=0, prologue=Prologue(KEY, 0)),
        Manifest(0, (), 0, prologue=Prologue(KEY, 1)),
    ],
    ids=str,
)
def test_manifests_that_cannot_be_written(manifest: Manifest) -> None:
    with pytest.raises(LocalProtocolError):
        encode_manifest(manifest)


@pytest.mark.parametrize(
    "manifest",
    [
        multi_signer_manifest((KEY,) * (MAX_MANIFEST_SIGNERS + 1)),
        replace(PLAIN, version=2, linked=(KEY,) * (MAX_MANIFEST_LINKED_CORES + 1)),
        replace(PLAIN, version=2, user_data=bytes(MAX_MANIFEST_USER_DATA_BYTES + 1)),
        replace(PLAIN, prologue=Prologue(KEY, MAX_LOG_LENGTH_BLOCKS + 1)),
    ],
    ids=["signers", "linked", "user data", "prologue"],
)
def test_manifests_over_a_limit_are_refused(manifest: Manifest) -> None:
    with pytest.raises(DecodeError):
        decode(encode_manifest(manifest))


def test_unknown_forms_are_refused() -> None:
    plain = encode_manifest(PLAIN)
    version0 = encode_manifest(replace(PLAIN, version=0))
    for bad in (
        b"\x04" + plain[1:],
        plain[:2] + b"\x01" + plain[3:],
        plain[:5] + b"\x01" + plain[6:],
        version0[:1] + b"\x01" + version0[2:],
        version0[:2] + b"\x03" + version0[3:],
        plain[:1] + b"\x08" + plain[2:] + b"\x01x",
    ):
        with pytest.raises(DecodeError):
            decode(bad)


def test_every_cut_is_refused() -> None:
    manifest = replace(
        multi_signer_manifest((KEY, KEY), allow_patch=True, prologue=Prologue(KEY, 300)),
        version=3,
        linked=(KEY,),
        user_data=b"data",
    )
    encoded = encode_manifest(manifest)
    assert decode(encoded) == manifest
    for end in range(len(encoded)):
        with pytest.raises(DecodeError):
            decode(encoded[:end])


def test_longer_integers_mean_the_same_manifest() -> None:
    plain = encode_manifest(PLAIN)
    assert decode(b"\xfd\x01\x00" + plain[1:]) == PLAIN


def test_the_default_manifest_is_70_bytes() -> None:
    assert len(encode_manifest(PLAIN)) == 70
    assert encode_manifest(PLAIN)[:6] == bytes((1, 0, 0, 1, 1, 0))
    assert encode_uint(PLAIN.quorum) == b"\x01"


def test_the_quorum_is_a_majority_unless_said_otherwise() -> None:
    assert [multi_signer_manifest((KEY,) * n).quorum for n in range(6)] == [0, 1, 2, 2, 3, 3]


def test_a_manifest_is_for_its_hash_and_its_only_signer() -> None:
    assert PLAIN.is_for(manifest_key(PLAIN))
    assert PLAIN.is_for(KEY)
    assert not PLAIN.is_for(bytes(32))
    assert not multi_signer_manifest((KEY, KEY)).is_compat(KEY)


def test_signatures_of_a_wrong_length_are_just_not_valid() -> None:
    pair = KeyPair.from_seed(bytes(32))
    signature = pair.sign(b"message")
    assert verify(b"message", signature, pair.public_key)
    assert not verify(b"message", signature[:-1], pair.public_key)
    assert not verify(b"message", signature, pair.public_key[:-1])
    assert not verify(b"massage", signature, pair.public_key)
    assert not verify(b"message", bytes(64), bytes(32))
    with pytest.raises(LocalProtocolError):
        KeyPair.from_seed(bytes(31))
    assert pair.secret_key.hex() not in repr(pair)
