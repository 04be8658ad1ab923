"""The pieces that the ``noiseprotocol`` package needs for ``Noise_*_Ed25519_ChaChaPoly_BLAKE2b``.

The Hypercore stack keys its handshakes with Ed25519 *signing* keys, and its Diffie-Hellman
function works on Edwards points, without the conversion to X25519. The package looks its functions
up in a backend by the names inside the protocol name, so a curve called ``Ed25519`` can be
registered beside its own. Duck types are enough: the package never asks for its base classes.

Wire facts: specs/02-noise-and-secret-stream.md section 2.1; npm ``noise-curve-ed``.
"""

from __future__ import annotations

from hashlib import sha512

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_core_ed25519_is_valid_point,
    crypto_scalarmult_ed25519_noclamp,
)
from nacl.exceptions import CryptoError
from noise.backends.default.backend import DefaultNoiseBackend

from ..crypto.keys import PUBLIC_KEY_BYTES, KeyPair
from ..errors import HandshakeError

_MAC_BYTES = 16
_NONCE_PREFIX = bytes(4)


def diffie_hellman(seed: bytes, public_key: bytes) -> bytes:
    """The shared Edwards point, 32 bytes, of our 32-byte seed and the peer's 32-byte public key.

    Raises:
      HandshakeError: the public key is not a point of the prime-order group.
    """
    digest = bytearray(sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] &= 127
    digest[31] |= 64
    try:
        shared: bytes = crypto_scalarmult_ed25519_noclamp(bytes(digest), public_key)
    except CryptoError as error:
        raise HandshakeError("a public key is not a valid point") from error
    return shared


class NoiseKeyPair:
    """A key pair, or the public half of the peer's, in the form the package works with.

    Attributes:
      private: the 32-byte seed, or ``None``.
      public: 32 bytes.
      public_bytes: the same 32 bytes; what goes on the wire.
    """

    def __init__(self, public: bytes, private: bytes | None = None) -> None:
        self.private = private
        self.public = public
        self.public_bytes = public

    @classmethod
    def from_private_bytes(cls, seed: bytes) -> NoiseKeyPair:
        """The pair of a 32-byte seed."""
        return cls(KeyPair.from_seed(seed).public_key, seed)

    @classmethod
    def from_public_bytes(cls, public: bytes) -> NoiseKeyPair:
        """The peer's half.

        Raises:
          HandshakeError: it is short, or not a point of the prime-order group. The multiplication
            would notice too, but only when this side next writes.
        """
        if len(public) != PUBLIC_KEY_BYTES:
            raise HandshakeError("the message ends inside a public key")
        if not crypto_core_ed25519_is_valid_point(public):
            raise HandshakeError("a public key is not a valid point")
        return cls(public)


class _Curve:
    """The Diffie-Hellman functions of one handshake.

    It knows the one ephemeral seed of that handshake: asking the package to *use* a given ephemeral
    key makes it warn, letting it *generate* one goes through here.
    """

    klass = NoiseKeyPair
    dhlen = PUBLIC_KEY_BYTES

    def __init__(self, ephemeral_seed: bytes) -> None:
        self._ephemeral_seed = ephemeral_seed

    def generate_keypair(self) -> NoiseKeyPair:
        return NoiseKeyPair.from_private_bytes(self._ephemeral_seed)

    @staticmethod
    def dh(seed: bytes, public_key: bytes) -> bytes:
        return diffie_hellman(seed, public_key)


class _ChaChaPoly:
    """The AEAD, on libsodium, so that a forged message raises an error of ours."""

    def initialize(self, key: bytes) -> None:
        """The package announces each key here, and passes it to every call as well."""

    def encrypt(self, key: bytes, counter: int, ad: bytes, plaintext: bytes) -> bytes:
        nonce = _NONCE_PREFIX + counter.to_bytes(8, "little")
        sealed: bytes = crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, ad, nonce, key)
        return sealed

    def decrypt(self, key: bytes, counter: int, ad: bytes, ciphertext: bytes) -> bytes:
        if len(ciphertext) < _MAC_BYTES:
            raise HandshakeError("the message ends inside an encrypted field")
        nonce = _NONCE_PREFIX + counter.to_bytes(8, "little")
        try:
            plain: bytes = crypto_aead_chacha20poly1305_ietf_decrypt(ciphertext, ad, nonce, key)
        except CryptoError as error:
            raise HandshakeError("an encrypted field does not authenticate") from error
        return plain


class Ed25519Backend(DefaultNoiseBackend):  # type: ignore[misc]  # the package has no types
    """A backend for one handshake, with the curve ``Ed25519`` and one ephemeral key."""

    def __init__(self, ephemeral_seed: bytes) -> None:
        super().__init__()
        self.diffie_hellmans["Ed25519"] = lambda: _Curve(ephemeral_seed)
        self.keypairs["Ed25519"] = NoiseKeyPair
        self.ciphers["ChaChaPoly"] = _ChaChaPoly
