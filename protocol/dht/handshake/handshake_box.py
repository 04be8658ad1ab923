"""What the relays of a handshake see, and what those of a hole punch see.

Relays read and rewrite the outside; the inside is between the two peers.

Wire facts: specs/13-dht.md section 9; npm ``hyperdht``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ...encoding.compact import Decoder, encode_buffer, encode_uint
from ...errors import DecodeError
from ...limits import MAX_DATAGRAM_BYTES
from ..addresses import Address, decode_address_untrusted, encode_address

_PEER_ADDRESS = 1
_RELAY_ADDRESS = 2


class Mode(IntEnum):
    """Which leg of the way a box is on."""

    FROM_CLIENT = 0
    FROM_SERVER = 1
    FROM_RELAY = 2
    FROM_SECOND_RELAY = 3
    REPLY = 4


@dataclass(frozen=True, slots=True)
class HandshakeBox:
    """The value of PEER_HANDSHAKE.

    Attributes:
      mode: the leg of the way.
      noise: a message of the Noise handshake.
      peer_address: of the client on the way to the server, of the server in the reply.
      relay_address: the first of two relays.
    """

    mode: Mode
    noise: bytes
    peer_address: Address | None = None
    relay_address: Address | None = None


@dataclass(frozen=True, slots=True)
class HolepunchBox:
    """The value of PEER_HOLEPUNCH.

    Attributes:
      mode: the leg of the way; there is no second relay.
      id: which of the server's holepunch sessions; 0 in answers.
      payload: sealed for the other peer.
      peer_address: as in ``HandshakeBox``; from the client the server's address at the relay.
    """

    mode: Mode
    id: int
    payload: bytes
    peer_address: Address | None = None


def encode_handshake_box(box: HandshakeBox) -> bytes:
    """The value of a PEER_HANDSHAKE packet."""
    flags = 0
    tail = b""
    if box.peer_address is not None:
        flags |= _PEER_ADDRESS
        tail += encode_address(box.peer_address)
    if box.relay_address is not None:
        flags |= _RELAY_ADDRESS
        tail += encode_address(box.relay_address)
    return encode_uint(flags) + encode_uint(box.mode) + encode_buffer(box.noise) + tail


def decode_handshake_box_untrusted(value: bytes) -> HandshakeBox:
    """Read the value of a PEER_HANDSHAKE packet.

    Raises:
      DecodeError: it ends too early, or the mode is unknown.
    """
    decoder = Decoder(value)
    flags = decoder.uint()
    mode = _read_mode_untrusted(decoder)
    noise = decoder.buffer(MAX_DATAGRAM_BYTES)
    peer = decode_address_untrusted(decoder) if flags & _PEER_ADDRESS else None
    relay = decode_address_untrusted(decoder) if flags & _RELAY_ADDRESS else None
    return HandshakeBox(mode, noise, peer, relay)


def encode_holepunch_box(box: HolepunchBox) -> bytes:
    """The value of a PEER_HOLEPUNCH packet."""
    flags = 0 if box.peer_address is None else _PEER_ADDRESS
    tail = b"" if box.peer_address is None else encode_address(box.peer_address)
    head = encode_uint(flags) + encode_uint(box.mode) + encode_uint(box.id)
    return head + encode_buffer(box.payload) + tail


def decode_holepunch_box_untrusted(value: bytes) -> HolepunchBox:
    """Read the value of a PEER_HOLEPUNCH packet.

    Raises:
      DecodeError: it ends too early, or the mode is unknown.
    """
    decoder = Decoder(value)
    flags = decoder.uint()
    mode = _read_mode_untrusted(decoder)
    session = decoder.uint()
    payload = decoder.buffer(MAX_DATAGRAM_BYTES)
    peer = decode_address_untrusted(decoder) if flags & _PEER_ADDRESS else None
    return HolepunchBox(mode, session, payload, peer)


def _read_mode_untrusted(decoder: Decoder) -> Mode:
    mode = decoder.uint()
    if mode > Mode.REPLY:
        raise DecodeError(f"a box has the unknown mode {mode}")
    return Mode(mode)
