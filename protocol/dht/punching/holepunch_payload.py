"""What two peers tell each other while they punch, sealed with a key of their handshake.

Wire facts: specs/13-dht.md section 12; npm ``hyperdht``.
"""

from __future__ import annotations

from dataclasses import dataclass

from nacl.bindings import crypto_secretbox, crypto_secretbox_open
from nacl.exceptions import CryptoError

from ...crypto.hashes import blake2b_256
from ...encoding.compact import Decoder, encode_array, encode_uint
from ...errors import HandshakeError
from ...limits import MAX_PAYLOAD_ADDRESSES
from .. import namespaces
from ..addresses import Address, decode_address_untrusted, encode_address
from ..rpc.messages import TOKEN_BYTES

NONCE_BYTES = 24
_MAC_BYTES = 16

_CONNECTED = 1
_PUNCHING = 2
_ADDRESSES = 4
_REMOTE_ADDRESS = 8
_TOKEN = 16
_REMOTE_TOKEN = 32


@dataclass(frozen=True, slots=True)
class HolepunchPayload:
    """One message of a holepunch session.

    Attributes:
      error: a ``PayloadError``, or 0.
      firewall: a ``Firewall``: what the sender learnt of its punching socket.
      round: counts the client's messages from 0.
      connected: whether the sender already has a connection.
      punching: whether the sender punches now.
      addresses: of the punching socket, as others see it.
      remote_address: of the receiver, as the sender sees it.
      token: 32 bytes that prove, sent back, that the sender of them receives at its host.
      remote_token: the receiver's token, sent back.
    """

    error: int = 0
    firewall: int = 0
    round: int = 0
    connected: bool = False
    punching: bool = False
    addresses: tuple[Address, ...] | None = None
    remote_address: Address | None = None
    token: bytes | None = None
    remote_token: bytes | None = None


def encode_holepunch_payload(payload: HolepunchPayload) -> bytes:
    """The plain bytes of a message."""
    flags = (_CONNECTED if payload.connected else 0) | (_PUNCHING if payload.punching else 0)
    parts = [b"", *map(encode_uint, (payload.error, payload.firewall, payload.round))]
    if payload.addresses is not None:
        flags |= _ADDRESSES
        parts.append(encode_array(map(encode_address, payload.addresses)))
    if payload.remote_address is not None:
        flags |= _REMOTE_ADDRESS
        parts.append(encode_address(payload.remote_address))
    if payload.token is not None:
        flags |= _TOKEN
        parts.append(payload.token)
    if payload.remote_token is not None:
        flags |= _REMOTE_TOKEN
        parts.append(payload.remote_token)
    parts[0] = encode_uint(flags)
    return b"".join(parts)


def decode_holepunch_payload_untrusted(data: bytes) -> HolepunchPayload:
    """Read the plain bytes of a message.

    Raises:
      DecodeError: they end too early, or list too many addresses.
    """
    decoder = Decoder(data)
    flags = decoder.uint()
    error, firewall, number = decoder.uint(), decoder.uint(), decoder.uint()
    addresses: tuple[Address, ...] | None = None
    if flags & _ADDRESSES:
        addresses = tuple(decoder.array(decode_address_untrusted, MAX_PAYLOAD_ADDRESSES))
    remote = decode_address_untrusted(decoder) if flags & _REMOTE_ADDRESS else None
    token = decoder.fixed(TOKEN_BYTES) if flags & _TOKEN else None
    remote_token = decoder.fixed(TOKEN_BYTES) if flags & _REMOTE_TOKEN else None
    return HolepunchPayload(
        error,
        firewall,
        number,
        bool(flags & _CONNECTED),
        bool(flags & _PUNCHING),
        addresses,
        remote,
        token,
        remote_token,
    )


def holepunch_secret(handshake_hash: bytes) -> bytes:
    """The 32-byte key of the holepunch messages after a handshake with this 64-byte hash."""
    return blake2b_256(namespaces.PEER_HOLEPUNCH, key=handshake_hash)


def seal_holepunch(payload: HolepunchPayload, secret: bytes, nonce: bytes) -> bytes:
    """The payload of a box; ``nonce`` is 24 fresh random bytes."""
    sealed: bytes = crypto_secretbox(encode_holepunch_payload(payload), nonce, secret)
    return nonce + sealed


def open_holepunch_untrusted(sealed: bytes, secret: bytes) -> HolepunchPayload:
    """Open and read the payload of a box.

    Raises:
      HandshakeError: it does not authenticate.
      DecodeError: its content does not follow the encoding.
    """
    if len(sealed) < NONCE_BYTES + _MAC_BYTES:
        raise HandshakeError("a holepunch message is too short to be sealed")
    try:
        plain: bytes = crypto_secretbox_open(sealed[NONCE_BYTES:], sealed[:NONCE_BYTES], secret)
    except CryptoError as error:
        raise HandshakeError("a holepunch message does not authenticate") from error
    return decode_holepunch_payload_untrusted(plain)
