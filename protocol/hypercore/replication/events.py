"""What a ``Replicator`` tells its shell."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import RemoteProtocolError
from ..core import CoreChange, TreeHead
from ..heads.contradiction import Contradiction
from ..merkle.proof import Data


class Send(NamedTuple):
    """A message for a peer.

    Attributes:
      peer: its number, as given to ``add_peer``.
      kind: type number of the message.
      payload: the encoded message.
    """

    peer: int
    kind: int
    payload: bytes


class Verified(NamedTuple):
    """A peer's answer was verified; the shell applies it before it calls anything else.

    Attributes:
      peer: who sent it.
      change: what to store.
    """

    peer: int
    change: CoreChange


class Fault(NamedTuple):
    """A peer broke the protocol and is out: the replicator forgot it already.

    Attributes:
      peer: its number.
      error: what it did; the connection should be closed.
    """

    peer: int
    error: RemoteProtocolError


class ForkObserved(NamedTuple):
    """A peer showed a signed head that contradicts ours, or claims a fork we do not follow.

    Nothing was applied. The event comes once for each claim of a peer.

    Attributes:
      peer: who showed it.
      fork: the fork number of the head; equal to ours when history was rewritten in place.
      length: blocks of the head, as claimed by the peer.
      head: the head with its signature, verified; None if the peer did not prove its claim.
      proof: the answer that proves it, starting from an empty tree; None likewise.
      contradiction: what the writer signed twice; None when nothing is proven against it.
    """

    peer: int
    fork: int
    length: int
    head: TreeHead | None
    proof: Data | None
    contradiction: Contradiction | None = None


Event = Send | Verified | Fault | ForkObserved
