"""Tokens: a host shows one to prove that it receives what is sent to its address.

A token is a keyed hash of the host and of the target it was asked about, so it serves nobody else
and for nothing else. Upstream leaves the target out; since clients send tokens back with the same
target, nobody notices. The key changes every few seconds, and the one before stays good.

Wire facts: specs/13-dht.md section 3; npm ``dht-rpc``.
"""

from __future__ import annotations

from hmac import compare_digest

from ...crypto.hashes import blake2b_256
from ...limits import DHT_TOKEN_ROTATION_SECONDS

SECRETS_BYTES = 64


def make_token(secret: bytes, host: str, target: bytes = b"") -> bytes:
    """The 32-byte token for a dotted host under a 32-byte secret."""
    return blake2b_256(host.encode() + target, key=secret)


class Tokens:
    """Issues and checks tokens.

    Args:
      secrets: 64 fresh random bytes.
      now: the time.
    """

    def __init__(self, secrets: bytes, now: float) -> None:
        self._older, self._newer = secrets[:32], secrets[32:SECRETS_BYTES]
        self._rotate_at = now + DHT_TOKEN_ROTATION_SECONDS

    def issue(self, host: str, target: bytes | None, now: float) -> bytes:
        """A token, good for 7.5 to 15 seconds."""
        self._rotate(now)
        return make_token(self._newer, host, target or b"")

    def check_untrusted(self, token: bytes, host: str, target: bytes | None, now: float) -> bool:
        """Whether we issued this token to this host for this target lately."""
        self._rotate(now)
        return any(
            compare_digest(token, make_token(secret, host, target or b""))
            for secret in (self._newer, self._older)
        )

    def _rotate(self, now: float) -> None:
        # After two turns nothing that was issued is good any more; more turns change nothing.
        for _ in range(2):
            if now < self._rotate_at:
                return
            self._older, self._newer = self._newer, blake2b_256(self._older)
            self._rotate_at += DHT_TOKEN_ROTATION_SECONDS
        if now >= self._rotate_at:
            self._rotate_at = now + DHT_TOKEN_ROTATION_SECONDS
