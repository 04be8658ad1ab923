"""Encrypted datagrams beside a secret stream: unordered, and lost when the network loses them.

A UDX connection can carry them; Hypercore replication does not use them.

Wire facts: specs/02-noise-and-secret-stream.md section 2.5; npm ``@hyperswarm/secret-stream``.
"""

from __future__ import annotations

from nacl.bindings import crypto_secretbox, crypto_secretbox_open
from nacl.exceptions import CryptoError

from ..crypto.hashes import blake2b_256
from ..crypto.namespaces import STREAM_INITIATOR, STREAM_RESPONDER, STREAM_SEND
from ..errors import LocalProtocolError, SecretStreamError

COUNTER_BYTES = 8
_LARGEST_COUNTER = (1 << 8 * COUNTER_BYTES) - 1
_MAC_BYTES = 16
_NONCE_PADDING = bytes(16)
DATAGRAM_OVERHEAD_BYTES = COUNTER_BYTES + _MAC_BYTES


class DatagramBox:
    """Seals and opens the datagrams of one connection.

    Args:
      initiator: whether this side opened the connection.
      handshake_hash: the 64 bytes of ``HandshakeResult.hash``.
      first_counter: 8 fresh random bytes; each datagram uses the next value.

    Raises:
      LocalProtocolError: the counter has another length.
    """

    def __init__(self, initiator: bool, handshake_hash: bytes, *, first_counter: bytes) -> None:
        if len(first_counter) != COUNTER_BYTES:
            raise LocalProtocolError(f"a datagram counter has {COUNTER_BYTES} bytes")
        theirs, ours = STREAM_INITIATOR, STREAM_RESPONDER
        if initiator:
            theirs, ours = ours, theirs
        self._send_key = blake2b_256(ours + STREAM_SEND, key=handshake_hash)
        self._receive_key = blake2b_256(theirs + STREAM_SEND, key=handshake_hash)
        self._first = self._counter = int.from_bytes(first_counter, "little")

    def seal(self, message: bytes) -> bytes:
        """The datagram that carries ``message``; 24 bytes longer.

        Raises:
          LocalProtocolError: every counter was used once.
        """
        counter = (self._counter + 1) & _LARGEST_COUNTER
        if counter == self._first:
            raise LocalProtocolError("the datagram counter is used up")
        self._counter = counter
        head = counter.to_bytes(COUNTER_BYTES, "little")
        sealed: bytes = crypto_secretbox(message, head + _NONCE_PADDING, self._send_key)
        return head + sealed

    def open_untrusted(self, datagram: bytes) -> bytes:
        """The message of the peer's datagram. Nothing stops a datagram from arriving twice.

        Raises:
          SecretStreamError: it is too short or does not authenticate. Anyone on the path can send
            such a datagram, so it says nothing about the peer: drop it.
        """
        if len(datagram) < DATAGRAM_OVERHEAD_BYTES:
            raise SecretStreamError("a datagram is too short")
        nonce = datagram[:COUNTER_BYTES] + _NONCE_PADDING
        try:
            message: bytes = crypto_secretbox_open(
                datagram[COUNTER_BYTES:], nonce, self._receive_key
            )
        except CryptoError as error:
            raise SecretStreamError("a datagram does not decrypt") from error
        return message
