"""The process of ``vitra serve``: from its signals to a clean end, for one database or several."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Sequence

import trio

from ..api.hosting.database_hosting import Hosting, host
from .systemd import tell_systemd

_log = logging.getLogger("vitra.node")


async def serve_until_stopped(hostings: Sequence[Hosting]) -> None:
    """Host until every database is stopped over its socket, or all by SIGTERM or SIGINT.

    A database that cannot be opened, or fails later, ends them all.
    """
    stops = [trio.Event() for _ in hostings]
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as waiting:
            waiting.start_soon(_stop_at_signals, signals, stops, waiting.cancel_scope)
            async with trio.open_nursery() as hosts:
                for hosting, stop in zip(hostings, stops, strict=True):
                    hosts.start_soon(_host, hosting, stop)
            waiting.cancel_scope.cancel()
    tell_systemd("STOPPING=1")


async def _host(hosting: Hosting, stop: trio.Event) -> None:
    await host(hosting, stop)
    _log.info("%s is closed", hosting.directory)


async def _stop_at_signals(
    signals: AsyncIterator[int], stops: Sequence[trio.Event], scope: trio.CancelScope
) -> None:
    """The first signal stops cleanly; a second one, while that takes long, cuts it short."""
    signalled = False
    async for number in signals:
        _log.info("stopping after %s", signal.Signals(number).name)
        if signalled:
            scope.cancel()
        signalled = True
        for stop in stops:
            stop.set()
