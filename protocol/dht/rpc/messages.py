"""The two packets of the network: a request and its response.

Flags say which optional fields follow. Bytes after the last field are ignored, as upstream does.

Wire facts: specs/13-dht.md section 2; npm ``dht-rpc``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ...encoding.compact import Decoder, encode_array, encode_buffer, encode_uint
from ...errors import DecodeError
from ...limits import MAX_DATAGRAM_BYTES, MAX_DHT_CLOSER_NODES
from ..addresses import ID_BYTES, Address, decode_address_untrusted, encode_address

REQUEST = 0x03
RESPONSE = 0x13
TOKEN_BYTES = 32
TARGET_BYTES = 32

_ID = 1
_TOKEN = 2
# In a request:
_INTERNAL = 4
_TARGET = 8
# In a response:
_CLOSER_NODES = 4
_ERROR = 8
# In both:
_VALUE = 16


class Internal(IntEnum):
    """Commands of the bare network."""

    PING = 0
    PING_NAT = 1
    FIND_NODE = 2
    DOWN_HINT = 3
    DELAYED_PING = 4


class Command(IntEnum):
    """Commands of HyperDHT."""

    PEER_HANDSHAKE = 0
    PEER_HOLEPUNCH = 1
    FIND_PEER = 2
    LOOKUP = 3
    ANNOUNCE = 4
    UNANNOUNCE = 5
    MUTABLE_PUT = 6
    MUTABLE_GET = 7
    IMMUTABLE_PUT = 8
    IMMUTABLE_GET = 9
    PLUGIN = 10


# What a relay answers only when another node has answered it.
PASSED_ON = frozenset((Command.PEER_HANDSHAKE, Command.PEER_HOLEPUNCH))


class ErrorCode(IntEnum):
    """What a response may say went wrong; peers may use further numbers."""

    NONE = 0
    UNKNOWN_COMMAND = 1
    INVALID_TOKEN = 2
    SEQ_REUSED = 16
    SEQ_TOO_LOW = 17


@dataclass(frozen=True, slots=True)
class Request:
    """A question to a node.

    Attributes:
      tid: 16-bit number that the response repeats.
      to: the destination as the sender sees it; tells the receiver its public address.
      internal: whether ``command`` is one of ``Internal``, not of ``Command``.
      command: the number of the command.
      id: the sender's node id, 32 bytes, if it is persistent.
      token: 32 bytes that the receiver handed out before, for commands that store.
      target: 32 bytes; what the command is about.
      value: the argument of the command.
    """

    tid: int
    to: Address
    internal: bool
    command: int
    id: bytes | None = None
    token: bytes | None = None
    target: bytes | None = None
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """The answer of a node.

    Attributes:
      tid: of the request.
      to: where the response was sent.
      id: the responder's node id, 32 bytes, if it is persistent.
      token: 32 bytes to use with a command that stores, within a few seconds.
      closer_nodes: nodes that are nearer to the target, as far as the responder knows.
      error: a number of ``ErrorCode``, or another one.
      value: the result of the command.
    """

    tid: int
    to: Address
    id: bytes | None = None
    token: bytes | None = None
    closer_nodes: tuple[Address, ...] = ()
    error: int = 0
    value: bytes | None = None


def encode_request(request: Request) -> bytes:
    """The datagram of a request."""
    flags = _INTERNAL if request.internal else 0
    parts = [b"", request.tid.to_bytes(2, "little"), encode_address(request.to)]
    if request.id is not None:
        flags |= _ID
        parts.append(request.id)
    if request.token is not None:
        flags |= _TOKEN
        parts.append(request.token)
    parts.append(encode_uint(request.command))
    if request.target is not None:
        flags |= _TARGET
        parts.append(request.target)
    if request.value is not None:
        flags |= _VALUE
        parts.append(encode_buffer(request.value))
    parts[0] = bytes((REQUEST, flags))
    return b"".join(parts)


def encode_response(response: Response) -> bytes:
    """The datagram of a response."""
    flags = 0
    parts = [b"", response.tid.to_bytes(2, "little"), encode_address(response.to)]
    if response.id is not None:
        flags |= _ID
        parts.append(response.id)
    if response.token is not None:
        flags |= _TOKEN
        parts.append(response.token)
    if response.closer_nodes:
        flags |= _CLOSER_NODES
        parts.append(encode_array(map(encode_address, response.closer_nodes)))
    if response.error:
        flags |= _ERROR
        parts.append(encode_uint(response.error))
    if response.value is not None:
        flags |= _VALUE
        parts.append(encode_buffer(response.value))
    parts[0] = bytes((RESPONSE, flags))
    return b"".join(parts)


def decode_packet_untrusted(datagram: bytes) -> Request | Response:
    """Read a datagram of either kind.

    Raises:
      DecodeError: it is neither, ends too early, or has a field over its limit.
    """
    if len(datagram) > MAX_DATAGRAM_BYTES:
        raise DecodeError(f"a datagram of {len(datagram)} bytes is too long")
    kind = datagram[0] if datagram else None
    if kind == REQUEST:
        return _decode_request_untrusted(Decoder(datagram, 1))
    if kind == RESPONSE:
        return _decode_response_untrusted(Decoder(datagram, 1))
    raise DecodeError("a datagram is neither a request nor a response")


def _decode_request_untrusted(decoder: Decoder) -> Request:
    flags = decoder.uint()
    tid = int.from_bytes(decoder.fixed(2), "little")
    to = decode_address_untrusted(decoder)
    sender = decoder.fixed(ID_BYTES) if flags & _ID else None
    token = decoder.fixed(TOKEN_BYTES) if flags & _TOKEN else None
    command = decoder.uint()
    target = decoder.fixed(TARGET_BYTES) if flags & _TARGET else None
    value = decoder.buffer(MAX_DATAGRAM_BYTES) if flags & _VALUE else None
    return Request(tid, to, bool(flags & _INTERNAL), command, sender, token, target, value)


def _decode_response_untrusted(decoder: Decoder) -> Response:
    flags = decoder.uint()
    tid = int.from_bytes(decoder.fixed(2), "little")
    to = decode_address_untrusted(decoder)
    sender = decoder.fixed(ID_BYTES) if flags & _ID else None
    token = decoder.fixed(TOKEN_BYTES) if flags & _TOKEN else None
    closer: list[Address] = []
    if flags & _CLOSER_NODES:
        closer = decoder.array(decode_address_untrusted, MAX_DHT_CLOSER_NODES)
    error = decoder.uint() if flags & _ERROR else 0
    value = decoder.buffer(MAX_DATAGRAM_BYTES) if flags & _VALUE else None
    return Response(tid, to, sender, token, tuple(closer), error, value)
