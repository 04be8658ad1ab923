"""Ed25519 key pairs, and how a corestore derives them from its primary key.

Wire facts: specs/04-merkle-log.md sections 1 and 3; npm ``hypercore-crypto`` and ``corestore``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import CryptoError

from ..errors import LocalProtocolError
from .hashes import blake2b_256
from .namespaces import CORESTORE

PUBLIC_KEY_BYTES = 32
SECRET_KEY_BYTES = 64
SEED_BYTES = 32
SIGNATURE_BYTES = 64

ROOT_NAMESPACE = bytes(32)


class Signer(Protocol):
    """Whatever signs for one public key: a ``KeyPair``, or who keeps the secret key elsewhere."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of an Ed25519 public key."""

    def sign(self, message: bytes) -> bytes:
        """The detached 64-byte Ed25519 signature of ``message``."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An Ed25519 signing key pair.

    Attributes:
      public_key: 32 bytes.
      secret_key: 64 bytes, the seed followed by the public key. Never part of ``repr``.
    """

    public_key: bytes
    secret_key: bytes = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> KeyPair:
        """The key pair of a 32-byte seed.

        Raises:
          LocalProtocolError: the seed has another length.
        """
        if len(seed) != SEED_BYTES:
            raise LocalProtocolError(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")
        public_key, secret_key = crypto_sign_seed_keypair(seed)
        return cls(public_key, secret_key)

    @property
    def seed(self) -> bytes:
        """The 32 bytes the pair was made from."""
        return self.secret_key[:SEED_BYTES]

    def sign(self, message: bytes) -> bytes:
        """The detached 64-byte signature of ``message``."""
        signed: bytes = crypto_sign(message, self.secret_key)
        return signed[:SIGNATURE_BYTES]


def verify(message: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether ``signature`` is the holder of ``public_key``'s signature of ``message``.

    Never raises on hostile bytes: a signature or key of a wrong length is simply not valid.
    """
    if len(signature) != SIGNATURE_BYTES or len(public_key) != PUBLIC_KEY_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except CryptoError:
        return False
    return True


def corestore_seed(primary_key: bytes, namespace: bytes, name: str) -> bytes:
    """The 32-byte key pair seed of the core ``name`` in a 32-byte ``namespace`` of a corestore."""
    return blake2b_256(CORESTORE + namespace + name.encode(), key=primary_key)


def child_namespace(parent: bytes, name: str) -> bytes:
    """The 32-byte namespace ``name`` below ``parent``; the outermost is ``ROOT_NAMESPACE``."""
    return blake2b_256(parent + name.encode())
