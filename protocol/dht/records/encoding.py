"""What nodes store for others: who serves a topic or key, and small values.

Wire facts: specs/13-dht.md section 8; npm ``hyperdht``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...crypto.hashes import blake2b_256
from ...crypto.keys import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, KeyPair, verify
from ...encoding.compact import Decoder, encode_array, encode_buffer, encode_uint
from ...errors import DecodeError, LocalProtocolError
from ...limits import (
    MAX_DATAGRAM_BYTES,
    MAX_DHT_RECORDS_PER_TOPIC,
    MAX_DHT_RELAY_ADDRESSES,
    MAX_DHT_VALUE_BYTES,
)
from .. import namespaces
from ..addresses import Address, decode_address_untrusted, encode_address

REFRESH_BYTES = 32

_PEER = 1
_REFRESH = 2
_SIGNATURE = 4
_BUMP = 8


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """Who serves a topic.

    Attributes:
      public_key: 32 bytes.
      relay_addresses: nodes that can introduce us; readers keep at most 3 of them.
    """

    public_key: bytes
    relay_addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Announce:
    """The value of ANNOUNCE and UNANNOUNCE.

    Attributes:
      peer: the record to store or remove, or None in a refresh.
      refresh: 32 bytes: with a peer the hash that a later refresh must show the preimage of,
        without one that preimage.
      signature: 64 bytes, by the peer's key, if there is a peer.
      bump: milliseconds since 1970, 0 for none; the newest of a topic is told to readers.
    """

    peer: PeerRecord | None
    refresh: bytes | None = None
    signature: bytes | None = None
    bump: int = 0


def encode_peer_record(record: PeerRecord) -> bytes:
    """A record as it is stored, sent and signed."""
    return record.public_key + encode_array(map(encode_address, record.relay_addresses))


def read_peer_record_untrusted(decoder: Decoder) -> PeerRecord:
    """Read a record.

    Raises:
      DecodeError: it ends too early or has too many addresses.
    """
    public_key = decoder.fixed(PUBLIC_KEY_BYTES)
    addresses = decoder.array(decode_address_untrusted, MAX_DHT_RELAY_ADDRESSES)
    return PeerRecord(public_key, tuple(addresses))


def encode_announce(announce: Announce) -> bytes:
    """The value of an ANNOUNCE or UNANNOUNCE request."""
    flags = 0
    parts = [b""]
    if announce.peer is not None:
        flags |= _PEER
        parts.append(encode_peer_record(announce.peer))
    if announce.refresh is not None:
        flags |= _REFRESH
        parts.append(announce.refresh)
    if announce.signature is not None:
        flags |= _SIGNATURE
        parts.append(announce.signature)
    if announce.bump:
        flags |= _BUMP
        parts.append(encode_uint(announce.bump))
    parts[0] = encode_uint(flags)
    return b"".join(parts)


def decode_announce_untrusted(value: bytes) -> Announce:
    """Read the value of an ANNOUNCE or UNANNOUNCE request.

    Raises:
      DecodeError: it ends too early or has too many addresses.
    """
    decoder = Decoder(value)
    flags = decoder.uint()
    peer = read_peer_record_untrusted(decoder) if flags & _PEER else None
    refresh = decoder.fixed(REFRESH_BYTES) if flags & _REFRESH else None
    signature = decoder.fixed(SIGNATURE_BYTES) if flags & _SIGNATURE else None
    bump = decoder.uint() if flags & _BUMP else 0
    return Announce(peer, refresh, signature, bump)


def announce_signable(
    namespace: bytes, target: bytes, node_id: bytes, token: bytes, announce: Announce
) -> bytes:
    """The 64 bytes that an announce's signature covers: for one node and one token.

    Args:
      namespace: ``namespaces.ANNOUNCE`` or ``namespaces.UNANNOUNCE``.
      node_id: of the node that is to store it.
      token: the one sent along.
    """
    peer = b"" if announce.peer is None else encode_peer_record(announce.peer)
    about = target + node_id + token + peer + (announce.refresh or b"")
    return namespace + blake2b_256(about)


def sign_announce(
    namespace: bytes,
    target: bytes,
    node_id: bytes,
    token: bytes,
    announce: Announce,
    key_pair: KeyPair,
) -> Announce:
    """The announce with its signature.

    Raises:
      LocalProtocolError: the record is for another key.
    """
    if announce.peer is None or announce.peer.public_key != key_pair.public_key:
        raise LocalProtocolError("an announce is signed by the key it is for")
    signature = key_pair.sign(announce_signable(namespace, target, node_id, token, announce))
    return Announce(announce.peer, announce.refresh, signature, announce.bump)


def verify_announce_untrusted(
    namespace: bytes, target: bytes, node_id: bytes, token: bytes, announce: Announce
) -> bool:
    """Whether the announced key signed this, for this node and token."""
    if announce.peer is None or announce.signature is None:
        return False
    message = announce_signable(namespace, target, node_id, token, announce)
    return verify(message, announce.signature, announce.peer.public_key)


@dataclass(frozen=True, slots=True)
class LookupReply:
    """The value of a reply to LOOKUP.

    Attributes:
      records: already encoded.
      bump: the newest bump of the topic, 0 for none.
    """

    records: tuple[bytes, ...]
    bump: int = 0


def encode_lookup_reply(reply: LookupReply) -> bytes:
    """The records and the bump of a topic."""
    return encode_array(reply.records) + encode_uint(reply.bump)


def decode_lookup_reply_untrusted(value: bytes) -> tuple[tuple[PeerRecord, ...], int]:
    """Read records and bump; nodes without bumps leave it out.

    Raises:
      DecodeError: it ends too early or has too many records.
    """
    decoder = Decoder(value)
    records = decoder.array(read_peer_record_untrusted, MAX_DHT_RECORDS_PER_TOPIC)
    return tuple(records), decoder.uint() if decoder.remaining else 0


@dataclass(frozen=True, slots=True)
class MutableValue:
    """A signed value that its author replaces by one with a larger number.

    Attributes:
      seq: 0 or more.
      value: the bytes.
      signature: 64 bytes over both.
    """

    seq: int
    value: bytes
    signature: bytes

    def verify(self, public_key: bytes) -> bool:
        """Whether the holder of ``public_key`` made it."""
        return verify(mutable_signable(self.seq, self.value), self.signature, public_key)


def mutable_signable(seq: int, value: bytes) -> bytes:
    """The 64 bytes that a mutable value's signature covers."""
    return namespaces.MUTABLE_PUT + blake2b_256(encode_uint(seq) + encode_buffer(value))


def sign_mutable(seq: int, value: bytes, key_pair: KeyPair) -> MutableValue:
    """A value to put.

    Raises:
      LocalProtocolError: the value does not fit into a datagram, or ``seq`` is out of range.
    """
    if len(value) > MAX_DHT_VALUE_BYTES:
        raise LocalProtocolError(f"a value of {len(value)} bytes does not fit into a datagram")
    return MutableValue(seq, value, key_pair.sign(mutable_signable(seq, value)))


def encode_mutable(value: MutableValue) -> bytes:
    """The reply to MUTABLE_GET; a put has the public key before it."""
    return encode_uint(value.seq) + encode_buffer(value.value) + value.signature


def decode_mutable_untrusted(value: bytes) -> MutableValue:
    """Read the reply to MUTABLE_GET; the signature is not checked.

    Raises:
      DecodeError: it ends too early.
    """
    return _read_mutable_untrusted(Decoder(value))


def encode_mutable_put(public_key: bytes, value: MutableValue) -> bytes:
    """The value of a MUTABLE_PUT request."""
    return public_key + encode_mutable(value)


def decode_mutable_put_untrusted(value: bytes) -> tuple[bytes, MutableValue]:
    """Read the public key and the value of a MUTABLE_PUT request; the signature is not checked.

    Raises:
      DecodeError: it ends too early.
    """
    decoder = Decoder(value)
    return decoder.fixed(PUBLIC_KEY_BYTES), _read_mutable_untrusted(decoder)


def _read_mutable_untrusted(decoder: Decoder) -> MutableValue:
    return MutableValue(
        decoder.uint(), decoder.buffer(MAX_DATAGRAM_BYTES), decoder.fixed(SIGNATURE_BYTES)
    )


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """A public key with nodes that may know the way; what users pass around as an address.

    Attributes:
      public_key: 32 bytes.
      nodes: nodes to ask first.
    """

    public_key: bytes
    nodes: tuple[Address, ...] = ()


def encode_peer_address(address: PeerAddress) -> bytes:
    """The bytes of such an address (npm ``hyperdht-address``)."""
    flags = 1 if address.nodes else 0
    nodes = encode_array(map(encode_address, address.nodes)) if address.nodes else b""
    return address.public_key + encode_uint(flags) + nodes


def decode_peer_address_untrusted(data: bytes) -> PeerAddress:
    """Read such an address; a bare key of 32 bytes is one, too.

    Raises:
      DecodeError: it ends too early, or names too many nodes.
    """
    decoder = Decoder(data)
    public_key = decoder.fixed(PUBLIC_KEY_BYTES)
    if not decoder.remaining:
        return PeerAddress(public_key)
    flags = decoder.uint()
    if flags & ~1:
        raise DecodeError("a peer address has fields that are not known")
    nodes = decoder.array(decode_address_untrusted, MAX_DHT_RELAY_ADDRESSES) if flags else []
    return PeerAddress(public_key, tuple(nodes))
