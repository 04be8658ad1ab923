"""Addresses of nodes, the ids that follow from them, and the networks they belong to.

Wire facts: specs/13-dht.md section 1; npm ``compact-encoding-net``, ``dht-rpc``.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network
from typing import NamedTuple

from ..crypto.hashes import blake2b_256
from ..encoding.compact import Decoder
from ..errors import LocalProtocolError
from ..limits import MAX_CACHED_ADDRESSES

ADDRESS4_BYTES = 6
ADDRESS6_BYTES = 18
ID_BYTES = 32

_MAX_PORT = 0xFFFF


class Address(NamedTuple):
    """Where a UDP socket is reached.

    Attributes:
      host: an IPv4 address in dotted form (in noise payloads also IPv6 in its shortest form).
      port: 0 to 65535.
    """

    host: str
    port: int


@lru_cache(MAX_CACHED_ADDRESSES)
def encode_address(address: Address) -> bytes:
    """An IPv4 address as 6 bytes: the host in network order, the port little endian.

    Raises:
      LocalProtocolError: the host is not a dotted IPv4 address, or the port is out of range.
    """
    host, port = address
    try:
        packed = bytes(map(int, host.split(".")))
    except ValueError:
        packed = b""
    if len(packed) != 4 or not 0 <= port <= _MAX_PORT:
        raise LocalProtocolError(f"{host}:{port} is not an IPv4 address")
    return packed + port.to_bytes(2, "little")


def decode_address_untrusted(decoder: Decoder) -> Address:
    """Read the 6 bytes of an IPv4 address.

    Raises:
      DecodeError: the bytes end too early.
    """
    a, b, c, d, low, high = decoder.fixed(ADDRESS4_BYTES)
    return Address(f"{a}.{b}.{c}.{d}", low | high << 8)


def encode_address6(address: Address) -> bytes:
    """An IPv6 address as 18 bytes.

    Raises:
      LocalProtocolError: the host is not an IPv6 address, or the port is out of range.
    """
    try:
        packed = IPv6Address(address.host).packed
    except AddressValueError as error:
        raise LocalProtocolError(f"{address.host} is not an IPv6 address") from error
    if not 0 <= address.port <= _MAX_PORT:
        raise LocalProtocolError(f"{address.port} is not a port")
    return packed + address.port.to_bytes(2, "little")


def decode_address6_untrusted(decoder: Decoder) -> Address:
    """Read the 18 bytes of an IPv6 address.

    Raises:
      DecodeError: the bytes end too early.
    """
    packed = decoder.fixed(ADDRESS6_BYTES)
    return Address(str(IPv6Address(packed[:16])), int.from_bytes(packed[16:], "little"))


@lru_cache(MAX_CACHED_ADDRESSES)
def node_id(address: Address) -> bytes:
    """The 32-byte id of the node at an IPv4 address; nobody chooses an id."""
    return blake2b_256(encode_address(address))


def subnet(host: str) -> str:
    """The /24 network of a dotted IPv4 address: what one party commonly owns whole."""
    return host.rpartition(".")[0]


def is_loopback(host: str) -> bool:
    """Whether the host is this machine itself (127.0.0.0/8)."""
    return host.startswith("127.")


def is_reserved(host: str) -> bool:
    """Whether no host on the internet has this address: private, loopback, multicast, …"""
    try:
        return not IPv4Address(host).is_global
    except AddressValueError:
        pass
    try:
        address = IPv6Address(host)
    except AddressValueError:
        return True
    # The documentation and 6to4 networks count as unreachable, too.
    return not address.is_global or address in IPv6Network("2002::/16")


def distance(a: bytes, b: bytes) -> int:
    """The XOR distance of two 32-byte ids."""
    return int.from_bytes(a, "big") ^ int.from_bytes(b, "big")
