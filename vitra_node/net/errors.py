"""Every failure of a connection, on one page. None of them stops the node."""

from __future__ import annotations

from protocol.errors import RemoteProtocolError


class ConnectionFailed(Exception):
    """A connection could not be made, broke, or was too slow; its text says which."""


class PeerFault(ConnectionFailed):
    """The peer broke the protocol, and the connection was closed for that.

    Attributes:
      error: what it did; its ``ban_weight`` says how much that counts.
    """

    def __init__(self, error: RemoteProtocolError) -> None:
        super().__init__(str(error))
        self.error = error
