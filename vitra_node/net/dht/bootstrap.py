"""The nodes that a DHT node asks first: where they are."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

import ifaddr
import trio

from protocol.dht.addresses import Address

from ..errors import ConnectionFailed

# Of the public network; npm ``hyperdht``. Their addresses are known, so no name server is asked.
PUBLIC_BOOTSTRAP = (
    ("88.99.3.86", 49737),
    ("142.93.90.113", 49737),
    ("138.68.147.8", 49737),
)

RESOLVE_SECONDS = 5.0


async def resolve(nodes: Iterable[tuple[str, int]]) -> tuple[Address, ...]:
    """The IPv4 addresses of nodes given by address or name.

    Raises:
      ConnectionFailed: none of them has one, or a port is none.
    """
    found: list[Address] = []
    unknown: list[str] = []
    for host, port in nodes:
        if not 0 < port <= 0xFFFF:
            raise ConnectionFailed(f"{host}:{port} is not an address: ports are 1 to 65535")
        if _is_ipv4(host):
            found.append(Address(host, port))
            continue
        try:
            with trio.fail_after(RESOLVE_SECONDS):
                entries = await trio.socket.getaddrinfo(
                    host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM
                )
        except (OSError, trio.TooSlowError):
            unknown.append(host)
            continue
        found += [Address(str(entry[4][0]), port) for entry in entries[:1]]
    if unknown and not found:
        raise ConnectionFailed(f"no address is known for {', '.join(unknown)}")
    return tuple(found)


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def local_hosts(bound: str) -> tuple[str, ...]:
    """The hosts at which peers in the same network reach a socket bound to this one."""
    if bound not in ("0.0.0.0", "::"):
        return (bound,)
    hosts = []
    for adapter in ifaddr.get_adapters():
        for address in adapter.ips:
            host = address.ip
            if isinstance(host, str) and not ipaddress.ip_address(host).is_loopback:
                hosts.append(host)
    return tuple(hosts) or ("127.0.0.1",)
