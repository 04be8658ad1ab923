"""The handshake of a ``hypercore/alpha`` channel: both sides prove that they know the log's key.

Wire facts: specs/05-replication.md section 1; npm ``hypercore`` 11 (``lib/caps.js``).
"""

from __future__ import annotations

from hmac import compare_digest
from typing import NamedTuple

from ...crypto.hashes import HASH_BYTES, blake2b_256
from ...crypto.namespaces import REPLICATE_INITIATOR, REPLICATE_RESPONDER
from ...encoding.compact import Decoder, encode_uint
from ...errors import CapabilityError


class OpenHandshake(NamedTuple):
    """The handshake of an open.

    Attributes:
      capability: 32 bytes, see ``capability``.
      seeks: seek requests are understood; always true in JS.
    """

    capability: bytes
    seeks: bool = True


def capability(handshake_hash: bytes, key: bytes, *, initiator: bool) -> bytes:
    """The 32-byte proof of knowing ``key`` that only this stream and this side can show.

    Args:
      handshake_hash: 64 bytes, of the secret stream.
      key: 32 bytes, of the log.
      initiator: whether the side that *sends* the proof opened the secret stream.
    """
    namespace = REPLICATE_INITIATOR if initiator else REPLICATE_RESPONDER
    return blake2b_256(namespace + key, key=handshake_hash)


def encode_open(handshake: OpenHandshake) -> bytes:
    """Encode the handshake of an open."""
    return encode_uint(int(handshake.seeks)) + handshake.capability


def decode_open_untrusted(payload: bytes) -> OpenHandshake:
    """Decode the handshake of an open; raises ``DecodeError``."""
    decoder = Decoder(payload)
    seeks = bool(decoder.uint() & 1)
    return OpenHandshake(decoder.fixed(HASH_BYTES), seeks)


def check_open_untrusted(
    payload: bytes, handshake_hash: bytes, key: bytes, *, remote_initiator: bool
) -> OpenHandshake:
    """Decode the handshake of a peer's open and check its proof.

    Raises:
      DecodeError: too short.
      CapabilityError: the peer does not know the key, or repeats what we sent.
    """
    handshake = decode_open_untrusted(payload)
    expected = capability(handshake_hash, key, initiator=remote_initiator)
    if not compare_digest(expected, handshake.capability):
        raise CapabilityError("the peer opened a log without proving that it knows its key")
    return handshake
