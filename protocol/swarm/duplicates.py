"""Which of two connections with the same peer stays.

Both sides must come to the same answer without asking each other: **the connection that was opened
by the side with the larger public key stays.** But a peer that calls although an older connection
carried bytes both ways has lost that one, for nobody calls whom it is connected with.

The exception needs care. When both call at once, the second handshake may arrive after the first
connection has carried its first bytes. Taking it for a sign of loss would close the good connection
here while the other side gives up the new one, and both would have nothing. So a connection counts
as lost only after as long as a call can take.

Rules: npm ``hyperswarm``, which knows no such delay and then needs another round.
"""

from __future__ import annotations

# A call may be on its way for about so long: looking the peer up, a handshake through relays.
CALL_SECONDS = 5.0


def keep_new(
    local_key: bytes, remote_key: bytes, *, new_is_ours: bool, existing_open_seconds: float | None
) -> bool:
    """Whether a new connection replaces the existing one.

    Args:
      local_key, remote_key: public keys.
      new_is_ours: whether we opened the new one.
      existing_open_seconds: since when the existing one has carried bytes both ways; None when it
        has not yet.
    """
    if existing_open_seconds is not None and existing_open_seconds > CALL_SECONDS:
        return True
    return (local_key > remote_key) == new_is_ours
