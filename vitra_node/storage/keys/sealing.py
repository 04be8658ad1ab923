"""Secrets under a passphrase: argon2id makes a key of it, and a secret box holds the secret.

Both are libsodium's (``crypto_pwhash``, ``crypto_secretbox``), so other programs can open a box.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from ..errors import KeyFileError

# libsodium's "moderate": about 0.7 s and 256 MiB for each guess.
DEFAULT_OPS = argon2id.OPSLIMIT_MODERATE
DEFAULT_MEMORY_BYTES = argon2id.MEMLIMIT_MODERATE

# A box names its own costs. What it may ask for is bounded, or a file could ask for all memory.
MAX_OPS = argon2id.OPSLIMIT_SENSITIVE
MAX_MEMORY_BYTES = argon2id.MEMLIMIT_SENSITIVE

SALT_BYTES = argon2id.SALTBYTES


class WrongPassphrase(KeyFileError):
    """The passphrase does not open the box, or the box was altered: the two look the same."""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret that only its passphrase opens.

    Attributes:
      salt: 16 random bytes.
      ops: argon2id passes.
      memory_bytes: argon2id memory.
      box: 24-byte nonce and secret box.
    """

    salt: bytes
    ops: int
    memory_bytes: int
    box: bytes

    def open_untrusted(self, passphrase: str) -> bytes:
        """The secret.

        Raises:
          WrongPassphrase: the passphrase is another one, or the box was altered.
        """
        if (
            len(self.salt) != SALT_BYTES
            or not argon2id.OPSLIMIT_MIN <= self.ops <= MAX_OPS
            or not argon2id.MEMLIMIT_MIN <= self.memory_bytes <= MAX_MEMORY_BYTES
        ):
            raise WrongPassphrase("it was sealed with costs that this program does not accept")
        try:
            key = _derive(passphrase, self.salt, self.ops, self.memory_bytes)
            return bytes(SecretBox(key).decrypt(self.box))
        except (CryptoError, ValueError) as error:
            raise WrongPassphrase("the passphrase is wrong, or the file is damaged") from error


def seal(
    secret: bytes,
    passphrase: str,
    *,
    ops: int = DEFAULT_OPS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> SealedSecret:
    """Put a secret under a passphrase.

    Raises:
      KeyFileError: the passphrase is empty.
    """
    if not passphrase:
        raise KeyFileError("the passphrase is empty")
    salt = os.urandom(SALT_BYTES)
    key = _derive(passphrase, salt, ops, memory_bytes)
    return SealedSecret(salt, ops, memory_bytes, bytes(SecretBox(key).encrypt(secret)))


def _derive(passphrase: str, salt: bytes, ops: int, memory_bytes: int) -> bytes:
    derived: bytes = argon2id.kdf(
        SecretBox.KEY_SIZE, passphrase.encode(), salt, opslimit=ops, memlimit=memory_bytes
    )
    return derived
