"""A long-running process around one node of the DHT: what ``vitra dht serve`` runs."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import trio

from ...config import Address
from ...net.dht.dht import DHT
from ..failures import telling


@dataclass(frozen=True, slots=True)
class DhtHosting:
    """How to take part.

    Attributes:
      host, port: where it is bound; port 0 for any.
      address: how others reach it, None if that is where it is bound.
      bootstrap: nodes of the network; none of them begins one.
      ready: called once with the fields of the line that the command prints.
      narrate: told in sentences what happens.
    """

    host: str
    port: int
    address: Address | None
    bootstrap: tuple[Address, ...]
    ready: Callable[[dict[str, Any]], None]
    narrate: Callable[[str], None]


async def host_dht(hosting: DhtHosting) -> None:
    """Serve until SIGTERM or SIGINT. Raises VitraError: the port cannot be bound."""
    with telling(), trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with DHT.open(
            [(node.host, node.port) for node in hosting.bootstrap],
            hosting.host,
            hosting.port,
            address=_own_address(hosting),
            ephemeral=False,
            firewalled=False,
        ) as dht:
            await dht.wait_bootstrapped()
            host, port = dht.address or dht.local_address
            here = Address(host if host != "0.0.0.0" else hosting.host, port)
            hosting.ready(
                {
                    "address": str(here),
                    "id": None if dht.id is None else dht.id.hex(),
                    "nodes": len(dht.nodes),
                }
            )
            if hosting.bootstrap and not dht.nodes:
                hosting.narrate("No node of the network answered; it goes on trying.")
            hosting.narrate(
                f"A node of the network at {here}. Others join it with `--bootstrap {here}`. "
                "Ctrl-C ends it."
            )
            async for _ in signals:
                return


def _own_address(hosting: DhtHosting) -> tuple[str, int] | None:
    if hosting.address is None:
        return None
    return (hosting.address.host, hosting.address.port)
