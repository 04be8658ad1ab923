"""The process of ``vitra serve``: from its signals to a clean end."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import trio

from ..api.hosting import Hosting, host


async def serve_until_stopped(hosting: Hosting) -> None:
    """Host until the node is stopped over its socket, or by SIGTERM or SIGINT."""
    stop = trio.Event()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_at_signals, signals, stop, nursery.cancel_scope)
            await host(hosting, stop)
            nursery.cancel_scope.cancel()


async def _stop_at_signals(
    signals: AsyncIterator[int], stop: trio.Event, scope: trio.CancelScope
) -> None:
    """The first signal stops cleanly; a second one, while that takes long, cuts it short."""
    async for _ in signals:
        if stop.is_set():
            scope.cancel()
        stop.set()
