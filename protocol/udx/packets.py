"""The packets of UDX: a header of 20 bytes, then padding, payload, or acknowledged ranges.

Sequence numbers count packets and wrap at 2^32 on the wire. ``unwrap`` makes them unbounded again.

Wire facts: specs/12-udx.md, 12.2; npm ``udx-native``.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

from ..errors import DecodeError, LocalProtocolError
from ..limits import MAX_UDX_DATAGRAM_BYTES, MAX_UDX_SACK_RANGES

MAGIC = 0xFF
VERSION = 1

# Flags of the type byte. None of them: a plain acknowledgement.
ACK = 0
DATA = 1
END = 2
SACK = 4
MESSAGE = 8
DESTROY = 16
HEARTBEAT = 32
DATA_OR_END = DATA | END

# magic, version, type, data offset, stream id of the receiver, window, seq, ack
HEADER = Struct("<BBBBIIII")
HEADER_BYTES = HEADER.size
MAX_PADDING_BYTES = 255

_SACK_RANGE = Struct("<II")
_WRAP = 1 << 32
_MASK = _WRAP - 1
_HALF = 1 << 31


class Packet(NamedTuple):
    """One packet, with numbers as they are on the wire.

    Attributes:
      type: a sum of flags.
      stream_id: by which the receiver knows the stream.
      window: bytes that the sender of this packet will take beyond ``ack``.
      seq: its own number (DATA, END), or the next one its sender will use.
      ack: the next number its sender expects.
      payload: without padding; empty in acknowledgements.
      ranges: of a SACK: ``(start, end)`` with ``end`` exclusive.
      padding: bytes between header and payload.
    """

    type: int
    stream_id: int
    window: int
    seq: int
    ack: int
    payload: bytes = b""
    ranges: tuple[tuple[int, int], ...] = ()
    padding: int = 0


def is_udx(data: bytes) -> bool:
    """Whether a datagram belongs to UDX; nothing else on the socket begins in this way."""
    return len(data) >= HEADER_BYTES and data[0] == MAGIC and data[1] == VERSION


def unwrap(number: int, near: int) -> int:
    """The unbounded sequence number closest to ``near`` that has these low 32 bits."""
    return near + ((number - near + _HALF) & _MASK) - _HALF


def relayed(data: bytes, stream_id: int) -> bytes:
    """The same packet for another stream: all that a relay between two peers changes."""
    return data[:4] + stream_id.to_bytes(4, "little") + data[8:]


def ranges_of_body_untrusted(body: bytes, padding: int) -> tuple[tuple[int, int], ...]:
    """The ranges that a SACK packet carries, in its padding or else in its whole body.

    Numbers stay as they are on the wire; whether they make sense is for the caller to see. What
    does not fill a range, and ranges over the limit, are left out.
    """
    size = padding if 0 < padding < len(body) else len(body)
    count = min(size // _SACK_RANGE.size, MAX_UDX_SACK_RANGES)
    return tuple(_SACK_RANGE.iter_unpack(body[: count * _SACK_RANGE.size]))


def encode_ranges(ranges: Iterable[tuple[int, int]]) -> bytes:
    """The body of a SACK; takes unbounded numbers."""
    return b"".join(_SACK_RANGE.pack(start & _MASK, end & _MASK) for start, end in ranges)


def decode_packet_untrusted(data: bytes) -> Packet:
    """Read one datagram.

    Raises:
      DecodeError: it is no packet of UDX, too long, or its padding is longer than its body.
    """
    if not is_udx(data):
        raise DecodeError("not a packet of UDX")
    if len(data) > MAX_UDX_DATAGRAM_BYTES:
        raise DecodeError(f"a datagram of {len(data)} bytes")
    _, _, kind, padding, stream_id, window, seq, ack = HEADER.unpack_from(data)
    body = data[HEADER_BYTES:]
    if padding > len(body):
        raise DecodeError("the padding goes past the end of the packet")
    ranges: tuple[tuple[int, int], ...] = ()
    if kind & SACK:
        ranges = ranges_of_body_untrusted(body, padding)
    # What carries no payload by its type may still have a body (that of a SACK).
    carries = kind & (DATA | MESSAGE) or not kind & SACK
    payload = body[padding:] if carries else b""
    return Packet(kind, stream_id, window, seq, ack, payload, ranges, padding)


def encode_packet(packet: Packet) -> bytes:
    """The datagram of a packet; ``decode_packet_untrusted`` gives the same back.

    Raises:
      LocalProtocolError: it has a padding that the header cannot say, or ranges beside a payload.
    """
    if not 0 <= packet.padding <= MAX_PADDING_BYTES:
        raise LocalProtocolError(f"a padding of {packet.padding} bytes")
    if packet.ranges and (packet.payload or packet.padding):
        raise LocalProtocolError("ranges travel in packets of their own")
    return (
        HEADER.pack(
            MAGIC,
            VERSION,
            packet.type,
            packet.padding,
            packet.stream_id,
            packet.window,
            packet.seq & _MASK,
            packet.ack & _MASK,
        )
        + bytes(packet.padding)
        + encode_ranges(packet.ranges)
        + packet.payload
    )
