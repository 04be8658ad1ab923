"""What two peers tell each other inside the Noise handshake: how to reach them over UDX.

Wire facts: specs/13-dht.md section 10; npm ``hyperdht``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ...crypto.keys import PUBLIC_KEY_BYTES
from ...encoding.compact import Decoder, encode_array, encode_uint
from ...errors import DecodeError
from ...limits import MAX_PAYLOAD_ADDRESSES
from ..addresses import (
    Address,
    decode_address6_untrusted,
    decode_address_untrusted,
    encode_address,
    encode_address6,
)

VERSION = 1
RELAY_TOKEN_BYTES = 32

_HOLEPUNCH = 1
_ADDRESSES4 = 2
_ADDRESSES6 = 4
_UDX = 8
_SECRET_STREAM = 16
_RELAY_THROUGH = 32
_RELAY_ADDRESSES = 64

_REUSABLE_SOCKET = 1
_LARGEST_STREAM_ID = 0xFFFFFFFF


class PayloadError(IntEnum):
    """Why a server refuses, and why a hole punch ends."""

    NONE = 0
    ABORTED = 1
    VERSION_MISMATCH = 2
    TRY_LATER = 3


class Firewall(IntEnum):
    """What a peer knows of the way to its socket."""

    UNKNOWN = 0
    OPEN = 1
    CONSISTENT = 2
    RANDOM = 3


@dataclass(frozen=True, slots=True)
class RelayRoute:
    """A node that introduces the server.

    Attributes:
      relay_address: of the node.
      peer_address: of the server, as that node sees it.
    """

    relay_address: Address
    peer_address: Address


@dataclass(frozen=True, slots=True)
class HolepunchInfo:
    """The server's offer to punch.

    Attributes:
      id: of the session.
      relays: through which to talk about it.
    """

    id: int
    relays: tuple[RelayRoute, ...]


@dataclass(frozen=True, slots=True)
class UdxInfo:
    """The sender's end of the UDX stream.

    Attributes:
      id: its local stream id, 32 bits.
      reusable_socket: whether the route may be used again afterwards.
      seq: always 0.
    """

    id: int
    reusable_socket: bool = False
    seq: int = 0


@dataclass(frozen=True, slots=True)
class RelayThrough:
    """A blind relay to meet at.

    Attributes:
      public_key: of the relay.
      token: 32 bytes that both peers show there.
    """

    public_key: bytes
    token: bytes


@dataclass(frozen=True, slots=True)
class NoisePayload:
    """One side's payload.

    Attributes:
      version: 1; of any other version nothing else is read.
      error: why the sender refuses, or 0.
      firewall: what the sender knows of its own reachability.
      holepunch: only from a server that is not open.
      addresses4: where the sender may be reached, its public address first if it is open.
      addresses6: likewise.
      udx: must be there for a connection.
      secret_stream: whether the sender goes on with a secret stream.
      relay_through: a blind relay, if the sender wants one.
      relay_addresses: the nodes that the server is announced at.
    """

    version: int = VERSION
    error: int = PayloadError.NONE
    firewall: int = Firewall.UNKNOWN
    holepunch: HolepunchInfo | None = None
    addresses4: tuple[Address, ...] = ()
    addresses6: tuple[Address, ...] = ()
    udx: UdxInfo | None = None
    secret_stream: bool = True
    relay_through: RelayThrough | None = None
    relay_addresses: tuple[Address, ...] = ()


def encode_noise_payload(payload: NoisePayload) -> bytes:
    """The payload of a handshake message."""
    flags = 0
    parts = [b"", encode_uint(payload.error), encode_uint(payload.firewall)]
    if payload.holepunch is not None:
        flags |= _HOLEPUNCH
        routes = (
            encode_address(route.relay_address) + encode_address(route.peer_address)
            for route in payload.holepunch.relays
        )
        parts.append(encode_uint(payload.holepunch.id) + encode_array(routes))
    if payload.addresses4:
        flags |= _ADDRESSES4
        parts.append(encode_array(map(encode_address, payload.addresses4)))
    if payload.addresses6:
        flags |= _ADDRESSES6
        parts.append(encode_array(map(encode_address6, payload.addresses6)))
    if payload.udx is not None:
        flags |= _UDX
        features = _REUSABLE_SOCKET if payload.udx.reusable_socket else 0
        parts += map(encode_uint, (1, features, payload.udx.id, payload.udx.seq))
    if payload.secret_stream:
        flags |= _SECRET_STREAM
        parts.append(encode_uint(1))
    if payload.relay_through is not None:
        flags |= _RELAY_THROUGH
        relay = payload.relay_through
        parts += (encode_uint(1), encode_uint(0), relay.public_key, relay.token)
    if payload.relay_addresses:
        flags |= _RELAY_ADDRESSES
        parts.append(encode_array(map(encode_address, payload.relay_addresses)))
    parts[0] = encode_uint(payload.version) + encode_uint(flags)
    return b"".join(parts)


def decode_noise_payload_untrusted(data: bytes) -> NoisePayload:
    """Read a payload; of another version only its number.

    Raises:
      DecodeError: it ends too early, or has a field over its limit.
    """
    decoder = Decoder(data)
    version = decoder.uint()
    if version != VERSION:
        return NoisePayload(version=version, secret_stream=False)
    flags = decoder.uint()
    error = decoder.uint()
    firewall = decoder.uint()
    holepunch = _read_holepunch_untrusted(decoder) if flags & _HOLEPUNCH else None
    addresses4: list[Address] = []
    addresses6: list[Address] = []
    relay_addresses: list[Address] = []
    if flags & _ADDRESSES4:
        addresses4 = decoder.array(decode_address_untrusted, MAX_PAYLOAD_ADDRESSES)
    if flags & _ADDRESSES6:
        addresses6 = decoder.array(decode_address6_untrusted, MAX_PAYLOAD_ADDRESSES)
    udx = _read_udx_untrusted(decoder) if flags & _UDX else None
    if flags & _SECRET_STREAM:
        decoder.uint()
    relay_through = _read_relay_through_untrusted(decoder) if flags & _RELAY_THROUGH else None
    if flags & _RELAY_ADDRESSES:
        relay_addresses = decoder.array(decode_address_untrusted, MAX_PAYLOAD_ADDRESSES)
    return NoisePayload(
        version,
        error,
        firewall,
        holepunch,
        tuple(addresses4),
        tuple(addresses6),
        udx,
        bool(flags & _SECRET_STREAM),
        relay_through,
        tuple(relay_addresses),
    )


def _read_holepunch_untrusted(decoder: Decoder) -> HolepunchInfo:
    session = decoder.uint()
    return HolepunchInfo(session, tuple(decoder.array(_read_route, MAX_PAYLOAD_ADDRESSES)))


def _read_route(decoder: Decoder) -> RelayRoute:
    return RelayRoute(decode_address_untrusted(decoder), decode_address_untrusted(decoder))


def _read_udx_untrusted(decoder: Decoder) -> UdxInfo:
    decoder.uint()
    features = decoder.uint()
    stream_id = decoder.uint()
    if stream_id > _LARGEST_STREAM_ID:
        raise DecodeError("a stream id has more than 32 bits")
    return UdxInfo(stream_id, bool(features & _REUSABLE_SOCKET), decoder.uint())


def _read_relay_through_untrusted(decoder: Decoder) -> RelayThrough:
    decoder.uint()
    decoder.uint()
    return RelayThrough(decoder.fixed(PUBLIC_KEY_BYTES), decoder.fixed(RELAY_TOKEN_BYTES))
