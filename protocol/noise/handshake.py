"""A Noise handshake, XX or IK, as pure state: messages in, messages out, keys at the end.

    pattern   initiator                     responder
    XX        e                        ->                          32 bytes + payload, in clear
                                       <-   e, ee, s, es           96 bytes + payload
              s, se                    ->                          64 bytes + payload
    IK        e, es, s, ss             ->                          96 bytes + payload
                                       <-   e, ee, se              48 bytes + payload

With XX neither side knows the other's static key before; with IK the initiator does. Everything the
two sides said enters the handshake hash, so a changed, replayed or reflected message ends it.

Wire facts: specs/02-noise-and-secret-stream.md section 2.2; npm ``noise-handshake``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from noise.connection import Keypair, NoiseConnection
from noise.constants import Empty

from ..crypto.keys import PUBLIC_KEY_BYTES, SEED_BYTES, KeyPair
from ..errors import HandshakeError, LocalProtocolError, RemoteProtocolError
from ..limits import MAX_HANDSHAKE_MESSAGE_BYTES
from .curve import Ed25519Backend

Pattern = Literal["XX", "IK"]

# The longest message of either pattern without its payload (XX message 2, IK message 1).
_LONGEST_MESSAGE_BYTES = 96
MAX_HANDSHAKE_PAYLOAD_BYTES = MAX_HANDSHAKE_MESSAGE_BYTES - _LONGEST_MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class HandshakeResult:
    """What both sides share after a handshake.

    Attributes:
      tx: 32-byte key of what this side sends.
      rx: 32-byte key of what this side receives.
      hash: 64 bytes that identify this handshake; the same on both sides.
      remote_public_key: the peer's static key, 32 bytes, proven by the handshake.
    """

    tx: bytes = field(repr=False)
    rx: bytes = field(repr=False)
    hash: bytes
    remote_public_key: bytes


class Handshake:
    """One side of a handshake.

    Args:
      pattern: "XX" or "IK".
      initiator: whether this side writes first.
      static: this side's key pair.
      ephemeral_seed: 32 fresh random bytes, never used twice.
      remote_public_key: the peer's static key. The initiator of IK needs it; in every other role it
        is an expectation, and a peer with another key fails the handshake.
      prologue: bytes that both sides must agree on.

    Raises:
      LocalProtocolError: an argument is missing or has a wrong length.
      HandshakeError: ``remote_public_key`` is not a valid point.
    """

    def __init__(
        self,
        pattern: Pattern,
        initiator: bool,
        static: KeyPair,
        *,
        ephemeral_seed: bytes,
        remote_public_key: bytes | None = None,
        prologue: bytes = b"",
    ) -> None:
        if pattern not in ("XX", "IK"):
            raise LocalProtocolError(f"there is no handshake pattern {pattern!r} here")
        if len(ephemeral_seed) != SEED_BYTES:
            raise LocalProtocolError(f"an ephemeral seed has {SEED_BYTES} bytes")
        if remote_public_key is not None and len(remote_public_key) != PUBLIC_KEY_BYTES:
            raise LocalProtocolError(f"a public key has {PUBLIC_KEY_BYTES} bytes")
        if pattern == "IK" and initiator and remote_public_key is None:
            raise LocalProtocolError("the initiator of IK must know the peer's public key")

        name = b"Noise_%b_Ed25519_ChaChaPoly_BLAKE2b" % pattern.encode()
        connection: Any = NoiseConnection.from_name(name, backend=Ed25519Backend(ephemeral_seed))
        connection.set_prologue(prologue)
        connection.set_keypair_from_private_bytes(Keypair.STATIC, static.seed)
        if initiator:
            connection.set_as_initiator()
            if pattern == "IK":
                connection.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, remote_public_key)
        else:
            connection.set_as_responder()
        connection.start_handshake()

        self._connection = connection
        # The package deletes its reference when the handshake ends; the peer's key is only there.
        self._state: Any = connection.noise_protocol.handshake_state
        self._expected = remote_public_key
        self._our_turn = initiator
        self._failed = False
        self._result: HandshakeResult | None = None

    @property
    def finished(self) -> bool:
        """Whether the last message was written or read."""
        return self._result is not None

    @property
    def our_turn(self) -> bool:
        """Whether the next step is ``write``."""
        return self._our_turn and not self.finished and not self._failed

    @property
    def remote_public_key(self) -> bytes | None:
        """The peer's static key as soon as it is known; trust it only once ``finished``."""
        if self._result is not None:
            return self._result.remote_public_key
        remote = self._state.rs
        return None if isinstance(remote, Empty) else remote.public_bytes

    @property
    def result(self) -> HandshakeResult:
        """The keys.

        Raises:
          LocalProtocolError: the handshake is not finished.
        """
        if self._result is None:
            raise LocalProtocolError("the handshake is not finished")
        return self._result

    def write(self, payload: bytes = b"") -> bytes:
        """The next message for the peer. The payload of XX's first message travels in clear.

        Raises:
          LocalProtocolError: it is not our turn, or the payload is too long.
        """
        if not self.our_turn:
            raise LocalProtocolError("it is not our turn in the handshake")
        if len(payload) > MAX_HANDSHAKE_PAYLOAD_BYTES:
            raise LocalProtocolError(f"a payload of {len(payload)} bytes is too long")
        message = bytes(self._connection.write_message(payload))
        self._step_done()
        return message

    def read_untrusted(self, message: bytes) -> bytes:
        """Take the peer's next message; gives its payload.

        Raises:
          HandshakeError: the message does not authenticate, holds an invalid or unexpected key, is
            too long, or comes out of turn. The handshake is over then.
        """
        if self._failed or self._our_turn or self.finished:
            raise HandshakeError("a handshake message came out of turn")
        if len(message) > MAX_HANDSHAKE_MESSAGE_BYTES:
            self._failed = True
            raise HandshakeError(f"a handshake message of {len(message)} bytes is too long")
        try:
            payload = bytes(self._connection.read_message(bytes(message)))
            self._check_expected_key()
        except RemoteProtocolError:
            self._failed = True
            raise
        self._step_done()
        return payload

    def _check_expected_key(self) -> None:
        remote = self._state.rs
        if self._expected is None or isinstance(remote, Empty):
            return
        if remote.public_bytes != self._expected:
            raise HandshakeError("the peer has another public key than expected")

    def _step_done(self) -> None:
        self._our_turn = not self._our_turn
        if not self._connection.handshake_finished:
            return
        noise = self._connection.noise_protocol
        self._result = HandshakeResult(
            tx=noise.cipher_state_encrypt.k,
            rx=noise.cipher_state_decrypt.k,
            hash=self._connection.get_handshake_hash(),
            remote_public_key=self._state.rs.public_bytes,
        )
        self._connection = self._state = None
