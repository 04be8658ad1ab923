"""``vitra dht serve``: a node that carries a private network."""

from __future__ import annotations

import click

from ..settings import Settings, takes_settings
from ..swarm_flags import given_bootstrap, takes_bootstrap


@click.group()
@takes_settings
def dht(settings: Settings) -> None:
    """Carry a private network, in which nodes find each other by key."""


@dht.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to be bound to.")
@click.option(
    "--port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 0xFFFF),
    help="0: any that is free.",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="How others reach this node, if that is not where it is bound.",
)
@takes_bootstrap
@takes_settings
def serve(
    settings: Settings, host: str, port: int, address: str | None, bootstrap: str | None
) -> None:
    """Run a node of the network until SIGTERM or Ctrl-C. It needs no directory.

    Without --bootstrap it begins a network: name it to the others with --bootstrap, or in
    VITRA_BOOTSTRAP. Prints one line of JSON once it serves others: address, id, nodes.
    """
    import trio

    from ...api.hosting.dht_hosting import DhtHosting, host_dht
    from ...config import parse_address

    hosting = DhtHosting(
        host=host,
        port=port,
        address=None if address is None else parse_address(address),
        bootstrap=given_bootstrap(bootstrap),
        ready=settings.output.json_line,
        narrate=settings.output.narrate,
    )
    trio.run(host_dht, hosting)
