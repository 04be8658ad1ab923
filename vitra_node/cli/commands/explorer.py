"""``vitra explorer``: the database as a web page on this machine."""

from __future__ import annotations

import secrets
import signal
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from ...config import parse_address
from ..asking import running_node
from ..settings import Settings, takes_settings

if TYPE_CHECKING:
    import trio

_TOKEN_BYTES = 24


@click.command()
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:0",
    show_default=True,
    help="Where, on this machine; port 0 picks a free one.",
)
@click.option("--open/--no-open", "show", default=False, help="Open it in a browser.")
@takes_settings
def explorer(settings: Settings, listen: str, show: bool) -> None:
    """Show the database as a web page, read-only, until Ctrl-C.

    Prints the address to open. It carries a token: whoever has the address can read the database,
    as long as this runs.
    """
    import trio

    from ...api.http.serving import require_loopback

    address = parse_address(listen)
    require_loopback(address)
    output = settings.output

    def ready(line: dict[str, Any]) -> None:
        output.result(line, line["url"])
        output.narrate("Open that address. Ctrl-C ends it.")
        if show:
            click.launch(line["url"])

    async def run() -> None:
        from ...api.directories.local import open_locally
        from ...api.failures import telling
        from ...explorer.asking import NodeAsker
        from ...explorer.running import explore

        stop = trio.Event()
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with telling(), trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_stop_at_signals, signals, stop)
                if node is not None:
                    asker = NodeAsker(settings.directory)
                    await explore(asker, address, token, ready, stop)
                else:
                    output.narrate("No node runs here, so this shows the database as it is.")
                    async with open_locally(
                        settings.directory, with_peers=True, narrate=output.narrate
                    ) as connection:
                        await explore(connection, address, token, ready, stop)
                nursery.cancel_scope.cancel()

    node = running_node(settings.directory)
    if node is not None:
        node.close()
    trio.run(run)


async def _stop_at_signals(signals: AsyncIterator[int], stop: trio.Event) -> None:
    async for _ in signals:
        stop.set()
