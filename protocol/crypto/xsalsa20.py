"""The XSalsa20 stream cipher: what libsodium calls ``crypto_stream_xor``, which PyNaCl lacks.

``crypto_secretbox`` XORs its message with the same stream, from byte 32 on: the first 32 bytes are
the key of its authenticator, whose tag is dropped here. Only those 32 bytes are made in Python.

That part works on many messages at once. A Salsa20 state is four vectors of four words, and one
Python integer holds such a vector of *every* message, each word in 64 bits, so that sums and
rotations have room. An operation then costs hardly more for a hundred messages than for one.

Wire facts: D. J. Bernstein, "Extending the Salsa20 nonce" (2011); npm ``sodium-universal``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from struct import Struct, pack, unpack
from typing import NamedTuple

from nacl.bindings import crypto_secretbox, crypto_secretbox_MACBYTES

KEY_BYTES = 32
NONCE_BYTES = 24

_HEAD_BYTES = 32
_ROUNDS = 20

# More states at once do not fit into the caches next to the processor any more.
_MAX_STATES = 128

_LANE_BITS = 64
_VECTOR_BITS = 4 * _LANE_BITS
_WORD = (1 << 32) - 1

_SIGMA = unpack("<4I", b"expand 32-byte k")
_EIGHT_WORDS = Struct("<8I")
_FOUR_WORDS = Struct("<4I")
_TWO_WORDS = Struct("<2I")


def xor_stream(messages: Sequence[bytes], nonces: Sequence[bytes], key: bytes) -> list[bytes]:
    """Encrypt or decrypt each message with the nonce in its place.

    Args:
      messages: of any lengths.
      nonces: 24 bytes for each message.
      key: 32 bytes.

    Returns: the messages XORed with the XSalsa20 streams.
    """
    assert len(key) == KEY_BYTES
    assert len(messages) == len(nonces)
    result: list[bytes] = []
    for start in range(0, len(messages), _MAX_STATES):
        some = slice(start, start + _MAX_STATES)
        heads = _stream_heads(nonces[some], key)
        for message, nonce, head in zip(messages[some], nonces[some], heads, strict=True):
            result.append(_xor_one(message, nonce, key, head))
    return result


def _xor_one(message: bytes, nonce: bytes, key: bytes, head: bytes) -> bytes:
    size = min(len(message), _HEAD_BYTES)
    first = int.from_bytes(message[:size], "little") ^ int.from_bytes(head[:size], "little")
    begin = first.to_bytes(size, "little")
    if len(message) == size:
        return begin
    return begin + crypto_secretbox(message[size:], nonce, key)[crypto_secretbox_MACBYTES:]


def _stream_heads(nonces: Sequence[bytes], key: bytes) -> list[bytes]:
    """The first 32 bytes of each stream."""
    masks = _masks(len(nonces))
    keys = [_EIGHT_WORDS.unpack(key)] * len(nonces)
    inputs = [_FOUR_WORDS.unpack_from(nonce) for nonce in nonces]
    # HSalsa20: the first 16 bytes of the nonce make a key of their own for each message.
    a, b, c, d = _vectors(_rounds(_states(keys, inputs), masks), len(nonces))
    keys = [
        (*a[i : i + 4], d[i + 2], c[i + 3], c[i], b[i + 1]) for i in range(0, 4 * len(nonces), 4)
    ]
    # Salsa20 with the last 8 bytes of the nonce, block 0; its first half.
    inputs = [(*_TWO_WORDS.unpack_from(nonce, 16), 0, 0) for nonce in nonces]
    state = _states(keys, inputs)
    mixed = _rounds(state, masks)
    summed = _State(*((x + y) & masks.words for x, y in zip(state, mixed, strict=True)))
    a, b, c, d = _vectors(summed, len(nonces))
    return [
        _EIGHT_WORDS.pack(a[i], d[i + 1], c[i + 2], b[i + 3], b[i], a[i + 1], d[i + 2], c[i + 3])
        for i in range(0, 4 * len(nonces), 4)
    ]


class _State(NamedTuple):
    """Four vectors of each state. The words x of the matrix stand so:

    ``a = x0 x5 x10 x15, b = x4 x9 x14 x3, c = x8 x13 x2 x7, d = x12 x1 x6 x11``.
    """

    a: int
    b: int
    c: int
    d: int


class _Masks(NamedTuple):
    """The words of all lanes, and of the first lanes of each vector."""

    words: int
    first: int
    first_two: int
    first_three: int


def _masks(count: int) -> _Masks:
    each = sum(1 << (_VECTOR_BITS * i) for i in range(count))
    lanes = [each * (_WORD << (_LANE_BITS * i)) for i in range(4)]
    return _Masks(sum(lanes), lanes[0], lanes[0] + lanes[1], lanes[0] + lanes[1] + lanes[2])


def _states(keys: Sequence[tuple[int, ...]], inputs: Sequence[tuple[int, ...]]) -> _State:
    """States of 8 words of key and 4 of input."""
    pairs = list(zip(keys, inputs, strict=True))
    return _State(
        _join([_SIGMA] * len(pairs)),
        _join([(k[3], n[3], k[7], k[2]) for k, n in pairs]),
        _join([(n[2], k[6], k[1], n[1]) for k, n in pairs]),
        _join([(k[5], k[0], n[0], k[4]) for k, n in pairs]),
    )


def _join(vectors: Sequence[tuple[int, ...]]) -> int:
    return int.from_bytes(pack(f"<{4 * len(vectors)}Q", *chain.from_iterable(vectors)), "little")


def _vectors(state: _State, count: int) -> list[tuple[int, ...]]:
    size, form = count * _VECTOR_BITS // 8, f"<{4 * count}Q"
    return [unpack(form, vector.to_bytes(size, "little")) for vector in state]


def _rounds(state: _State, masks: _Masks) -> _State:
    """The 20 rounds. Words turn within their 64 bits: the mask drops what left the word."""
    a, b, c, d = state
    words, one, two, three = masks
    for _ in range(_ROUNDS):
        sums = (a + d) & words
        b ^= (sums << 7 | sums >> 25) & words
        sums = (b + a) & words
        c ^= (sums << 9 | sums >> 23) & words
        sums = (c + b) & words
        d ^= (sums << 13 | sums >> 19) & words
        sums = (d + c) & words
        a ^= (sums << 18 | sums >> 14) & words
        # Columns become rows and rows become columns by turning the vectors. Both ways it is the
        # same step, as b and d change places each time.
        b, d = (
            (d >> 64) & three | (d & one) << 192,
            (b >> 192) & one | (b & three) << 64,
        )
        c = (c >> 128) & two | (c & two) << 128
    return _State(a, b, c, d)
