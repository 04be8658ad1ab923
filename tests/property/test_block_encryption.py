"""XSalsa20 over many messages at once, against the cipher as its paper writes it down."""

from __future__ import annotations

from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.block_encryption import PADDING_BYTES, BlockEncryption
from protocol.crypto.xsalsa20 import xor_stream
from protocol.errors import DecodeError

KEYS = st.binary(min_size=32, max_size=32)
NONCES = st.binary(min_size=24, max_size=24)

SIGMA = unpack("<4I", b"expand 32-byte k")
# Each line: the word that changes, the two that are summed, and the rotation.
COLUMNS = [(0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)]
ROWS = [(0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)]


def rotate(word: int, by: int) -> int:
    word &= 0xFFFFFFFF
    return (word << by | word >> (32 - by)) & 0xFFFFFFFF


def rounds(x: list[int]) -> list[int]:
    x = list(x)
    for _ in range(10):
        for p, q, r, s in COLUMNS + ROWS:
            x[q] ^= rotate(x[p] + x[s], 7)
            x[r] ^= rotate(x[q] + x[p], 9)
            x[s] ^= rotate(x[r] + x[q], 13)
            x[p] ^= rotate(x[s] + x[r], 18)
    return x


def matrix(key: bytes, sixteen: bytes) -> list[int]:
    k, n = unpack("<8I", key), unpack("<4I", sixteen)
    return [SIGMA[0], *k[:4], SIGMA[1], *n, SIGMA[2], *k[4:], SIGMA[3]]


def xsalsa20(key: bytes, nonce: bytes, size: int) -> bytes:
    mixed = rounds(matrix(key, nonce[:16]))
    key = pack("<8I", *(mixed[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))
    stream = b""
    for block in range(-(-size // 64)):
        begun = matrix(key, nonce[16:] + pack("<Q", block))
        stream += pack(
            "<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(begun, rounds(begun), strict=True))
        )
    return stream[:size]


def test_the_plain_cipher_is_salsa20() -> None:
    # Section 9 of "Salsa20 specification" (Bernstein, 2005): double rounds on a known matrix.
    key, nonce = bytes(range(1, 17)) + bytes(range(201, 217)), bytes(range(101, 117))
    begun = matrix(key, nonce)
    mixed = [(a + b) & 0xFFFFFFFF for a, b in zip(begun, rounds(begun), strict=True)]
    assert list(pack("<16I", *mixed))[:8] == [69, 37, 68, 39, 41, 15, 107, 193]


@given(st.lists(st.tuples(NONCES, st.binary(max_size=200)), max_size=12), KEYS)
def test_streams(pairs: list[tuple[bytes, bytes]], key: bytes) -> None:
    found = xor_stream([m for _, m in pairs], [n for n, _ in pairs], key)
    for (nonce, message), encrypted in zip(pairs, found, strict=True):
        stream = xsalsa20(key, nonce, len(message))
        assert encrypted == bytes(a ^ b for a, b in zip(message, stream, strict=True))


@given(KEYS, NONCES)
def test_every_length_around_the_seams(key: bytes, nonce: bytes) -> None:
    sizes = [0, 1, 31, 32, 33, 63, 64, 65, 129]
    stream = xsalsa20(key, nonce, 129)
    found = xor_stream([bytes(size) for size in sizes], [nonce] * len(sizes), key)
    assert found == [stream[:size] for size in sizes]


def test_many_messages_at_once_are_the_same_as_one_by_one() -> None:
    key = bytes(range(32))
    messages = [bytes([i & 0xFF]) * (i % 70) for i in range(300)]
    nonces = [i.to_bytes(24, "little") for i in range(300)]
    alone = [xor_stream([m], [n], key)[0] for m, n in zip(messages, nonces, strict=True)]
    assert xor_stream(messages, nonces, key) == alone


@given(
    KEYS,
    KEYS,
    st.booleans(),
    st.integers(0, 2**40),
    st.integers(0, 2**64 - 1),
    st.lists(st.binary(max_size=80), max_size=5),
)
def test_what_was_encrypted_comes_back(
    key: bytes, core_key: bytes, compat: bool, index: int, fork: int, blocks: list[bytes]
) -> None:
    encryption = BlockEncryption(key, core_key, compat=compat)
    stored = encryption.encrypt(index, fork, blocks)
    assert [len(block) for block in stored] == [len(block) + PADDING_BYTES for block in blocks]
    assert [encryption.decrypt_untrusted(index + i, s) for i, s in enumerate(stored)] == blocks


@given(st.binary(max_size=40), st.integers(0, 2**40))
def test_only_a_short_block_is_refused(stored: bytes, index: int) -> None:
    encryption = BlockEncryption(bytes(32), bytes(32), compat=False)
    if len(stored) < PADDING_BYTES:
        with pytest.raises(DecodeError):
            encryption.decrypt_untrusted(index, stored)
    else:
        assert len(encryption.decrypt_untrusted(index, stored)) == len(stored) - PADDING_BYTES
