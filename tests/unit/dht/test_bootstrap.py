"""Bootstrap nodes by address and by name; no name server is asked here."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio

from vitra_node.net.dht.bootstrap import PUBLIC_BOOTSTRAP, local_hosts, resolve
from vitra_node.net.errors import ConnectionFailed


class Names(trio.abc.HostnameResolver):
    """Knows one name."""

    async def getaddrinfo(self, host: Any, port: Any, *_: Any, **__: Any) -> Any:
        if host != b"known.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("192.0.2.7", port))]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


def test_addresses_are_taken_as_they_are() -> None:
    async def main() -> None:
        assert await resolve(PUBLIC_BOOTSTRAP) == PUBLIC_BOOTSTRAP
        assert await resolve([]) == ()

    trio.run(main)


def test_names_are_resolved_and_those_unknown_left_out() -> None:
    async def main() -> None:
        trio.socket.set_custom_hostname_resolver(Names())
        nodes = [("unknown.example", 1), ("known.example", 2), ("192.0.2.8", 3)]
        assert await resolve(nodes) == (("192.0.2.7", 2), ("192.0.2.8", 3))
        with pytest.raises(ConnectionFailed, match=r"no address is known for unknown\.example"):
            await resolve([("unknown.example", 1)])

    trio.run(main)


def test_hosts_to_tell_neighbours() -> None:
    assert local_hosts("10.1.2.3") == ("10.1.2.3",)
    assert local_hosts("127.0.0.1") == ("127.0.0.1",)
    hosts = local_hosts("0.0.0.0")
    assert hosts
    assert hosts == ("127.0.0.1",) or not any(host.startswith("127.") for host in hosts)
