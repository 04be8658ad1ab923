"""What a swarm tells its shell to do, and what it tells the program.

Queries, connections and flushes have numbers. The shell reports what became of them with the same
numbers; reports about those it was told to stop are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..dht.addresses import Address
from .peer_info import PeerInfo


@dataclass(frozen=True, slots=True)
class Listen:
    """Make our key reachable, and say ``listening`` when it is announced."""


@dataclass(frozen=True, slots=True)
class StopListening:
    """Take no more connections."""


class QueryKind(Enum):
    """What to do with a topic in the network."""

    LOOKUP = "lookup"
    ANNOUNCE = "announce"
    UNANNOUNCE = "unannounce"


@dataclass(frozen=True, slots=True)
class StartQuery:
    """Ask the network; ``peer_found`` for each record, then ``query_done``.

    Attributes:
      query: its number.
      kind: what to do.
      topic: 32 bytes.
      clear: for an announce, whether records of an earlier run of ours may be about, to be taken
        back where they are not replaced.
    """

    query: int
    kind: QueryKind
    topic: bytes
    clear: bool = False


@dataclass(frozen=True, slots=True)
class StopQuery:
    """Stop asking.

    Attributes:
      query: its number.
    """

    query: int


@dataclass(frozen=True, slots=True)
class Call:
    """Connect; ``opened`` once the peer has shown that it holds its key, ``closed`` in the end.

    Attributes:
      connection: its number.
      public_key: of the peer, 32 bytes.
      relay_addresses: nodes that may introduce us.
    """

    connection: int
    public_key: bytes
    relay_addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Close a connection, or stop calling.

    Attributes:
      connection: its number.
      reason: in words.
    """

    connection: int
    reason: str


@dataclass(frozen=True, slots=True)
class Poke:
    """Send something that must be acknowledged, to find out whether the peer is still there.

    Attributes:
      connection: its number.
    """

    connection: int


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection stands.

    Attributes:
      connection: its number.
      peer: who it is with.
      initiator: whether we called.
    """

    connection: int
    peer: PeerInfo
    initiator: bool


@dataclass(frozen=True, slots=True)
class Flushed:
    """What had been found when the flush was asked for has been tried.

    Attributes:
      flush: its number.
    """

    flush: int


Event = (
    Listen
    | StopListening
    | StartQuery
    | StopQuery
    | Call
    | CloseConnection
    | Poke
    | Connected
    | Flushed
)
