"""Block encryption: the blocks of a log as they are stored and sent when they are encrypted.

Tree, signatures and replication see only the encrypted blocks. There is no authentication beyond
that of the log: another key gives other bytes, not an error.

Wire facts: specs/04-merkle-log.md section 4.9; npm ``hypercore`` 11.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from ..errors import DecodeError
from .hashes import blake2b_256
from .namespaces import DEFAULT_ENCRYPTION
from .xsalsa20 import KEY_BYTES, xor_stream

ENCRYPTION_KEY_BYTES = KEY_BYTES
PADDING_BYTES = 8
"""What an encrypted block is longer."""

_U64 = Struct("<Q")
_INDEX_NONCE = Struct("<Q16x")
_BLOCK_NONCE = Struct("<Q8s8x")


class BlockEncryption:
    """Encrypts and decrypts the blocks of one log.

    Attributes:
      block_key, blinding_key: 32 bytes each.
    """

    def __init__(self, encryption_key: bytes, core_key: bytes, *, compat: bool) -> None:
        """``encryption_key`` has 32 bytes; ``compat`` is whether the log is a compat log."""
        assert len(encryption_key) == ENCRYPTION_KEY_BYTES
        if compat:
            self.block_key = blake2b_256(encryption_key, key=core_key)
        else:
            self.block_key = blake2b_256(DEFAULT_ENCRYPTION + core_key + encryption_key)
        self.blinding_key = blake2b_256(self.block_key)

    def encrypt(self, index: int, fork: int, blocks: Sequence[bytes]) -> list[bytes]:
        """The blocks from ``index`` on as they are stored, each ``PADDING_BYTES`` longer.

        Two different blocks must never be encrypted for the same index and fork.
        """
        indexes = range(index, index + len(blocks))
        nonces = [_INDEX_NONCE.pack(i) for i in indexes]
        paddings = xor_stream([_U64.pack(fork)] * len(blocks), nonces, self.blinding_key)
        nonces = [_BLOCK_NONCE.pack(i, p) for i, p in zip(indexes, paddings, strict=True)]
        encrypted = xor_stream(blocks, nonces, self.block_key)
        return [p + block for p, block in zip(paddings, encrypted, strict=True)]

    def decrypt_untrusted(self, index: int, stored: bytes) -> bytes:
        """Block ``index`` in the clear.

        Raises:
          DecodeError: it is shorter than its padding, so it was never encrypted.
        """
        if len(stored) < PADDING_BYTES:
            raise DecodeError(f"a block of {len(stored)} bytes is not an encrypted one")
        nonce = _BLOCK_NONCE.pack(index, stored[:PADDING_BYTES])
        return xor_stream([stored[PADDING_BYTES:]], [nonce], self.block_key)[0]
