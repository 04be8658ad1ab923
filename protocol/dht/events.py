"""What a DHT node tells its shell."""

from __future__ import annotations

from dataclasses import dataclass

from ..limits import MEETING_SECONDS
from ..noise.handshake import HandshakeResult
from .addresses import Address
from .handshake.noise_payload import NoisePayload, RelayThrough
from .records.encoding import MutableValue, PeerRecord


@dataclass(frozen=True, slots=True)
class Ready:
    """The node has looked for its place in the network.

    Attributes:
      nodes: how many nodes it knows; 0 when nobody answered.
    """

    nodes: int


@dataclass(frozen=True, slots=True)
class BecamePersistent:
    """The node knows its address, and serves others from now on.

    Attributes:
      address: how others reach it.
      id: 32 bytes, its node id.
    """

    address: Address
    id: bytes


@dataclass(frozen=True, slots=True)
class BecameEphemeral:
    """The machine slept, so the address may be another one now; the node serves nobody for now."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A node answered in an operation.

    Attributes:
      operation: its number.
      address: of the node.
      records: peers that it knows for the topic or key.
      value: a mutable value it holds, verified.
      content: an immutable value it holds, verified.
    """

    operation: int
    address: Address
    records: tuple[PeerRecord, ...] = ()
    value: MutableValue | None = None
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class OperationDone:
    """An operation ended; nothing more comes with its number.

    Attributes:
      operation: its number.
      closest: the nodes nearest to the target that answered; a later run may begin with them.
      stored: at how many of them a command that stores succeeded.
      hops: length of the longest chain of nodes naming nodes that led to one of ``closest``.
      refused: numbers of ``ErrorCode`` that nodes refused to store with.
    """

    operation: int
    closest: tuple[Address, ...]
    stored: int = 0
    hops: int = 0
    refused: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Announced:
    """A listening key is announced, so clients can find it.

    Attributes:
      public_key: of the server, 32 bytes.
      relays: the nodes that introduce clients to it.
    """

    public_key: bytes
    relays: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class ConnectionReady:
    """A handshake succeeded; the shell connects the UDX stream.

    Attributes:
      attempt: number of the connect, or None on the server side.
      session: number of the server's handshake to settle with ``settled``, or None for a client.
      local_public_key: of our side, 32 bytes.
      handshake: keys and hash of the Noise handshake, and the peer's key.
      local_stream_id: our UDX stream id.
      remote: the peer's payload; ``remote.udx`` is never None.
      address: where to connect to. None: wait for the peer's first packet to our stream, and
        connect to its source.
      proven: whether the peer was seen to receive at ``address``. If not, send one packet at most
        until it answers.
      socket: the socket the handshake came in at; connect from it when the handshake was direct.
      relayed: whether the handshake went through another node.
      seconds: how long the peer's first packet may take.
    """

    attempt: int | None
    session: int | None
    local_public_key: bytes
    handshake: HandshakeResult
    local_stream_id: int
    remote: NoisePayload
    address: Address | None
    proven: bool
    socket: int
    relayed: bool
    seconds: float = MEETING_SECONDS


@dataclass(frozen=True, slots=True)
class RelayWanted:
    """A handshake succeeded, and one of the peers named a blind relay to meet at meanwhile.

    Another event still tells how the direct way ends.

    Attributes:
      attempt: number of the connect, or None on the server side.
      session: number of the server's handshake, or None for a client.
      local_public_key: of our side, 32 bytes.
      handshake: keys and hash of the Noise handshake, and the peer's key.
      local_stream_id: our UDX stream id.
      remote: the peer's payload; ``remote.udx`` is never None.
      relay: where to meet.
      is_initiator: whether we named it.
    """

    attempt: int | None
    session: int | None
    local_public_key: bytes
    handshake: HandshakeResult
    local_stream_id: int
    remote: NoisePayload
    relay: RelayThrough
    is_initiator: bool


@dataclass(frozen=True, slots=True)
class ConnectFailed:
    """A connect ended without a handshake.

    Attributes:
      attempt: its number.
      reason: in words.
    """

    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class HandshakeReceived:
    """A client wants to connect; answer with ``accept`` or ``refuse``.

    Attributes:
      session: number of the handshake.
      local_public_key: the key it asks for, 32 bytes.
      remote_public_key: of the client, 32 bytes; proven by the handshake message.
      remote: the client's payload.
    """

    session: int
    local_public_key: bytes
    remote_public_key: bytes
    remote: NoisePayload


@dataclass(frozen=True, slots=True)
class SocketWanted:
    """A socket of its own is needed, on any port; datagrams to send will name its number.

    Attributes:
      socket: its number.
    """

    socket: int


@dataclass(frozen=True, slots=True)
class SocketUnwanted:
    """A socket is not needed any more, once no stream is connected from it.

    Attributes:
      socket: its number.
    """

    socket: int


Event = (
    Ready
    | SocketWanted
    | SocketUnwanted
    | BecamePersistent
    | BecameEphemeral
    | Reply
    | OperationDone
    | Announced
    | ConnectionReady
    | RelayWanted
    | ConnectFailed
    | HandshakeReceived
)
