"""Runs an ASGI application on a port of this machine, as a task of ours."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from ...config import Address
from ...errors import NetworkProblem, UsageProblem
from ...nursery import open_owned_nursery

App = Callable[..., Any]

# Requests are small and come from this machine; a stream that is open does not hold up the end.
_GRACE_SECONDS = 0.2
_MAX_HEAD_BYTES = 64 * 1024


def require_loopback(address: Address) -> None:
    """Raise UsageProblem for an address that other machines could reach."""
    if address.host == "localhost":
        return
    try:
        if ipaddress.ip_address(address.host).is_loopback:
            return
    except ValueError:
        pass
    raise UsageProblem(
        f"{address} can be reached from other machines.",
        unchanged="Nothing was opened.",
        advice="Use 127.0.0.1, and a tunnel or a proxy with TLS for other machines.",
    )


def bind(address: Address, *, loopback_only: bool = True) -> tuple[socket.socket, Address]:
    """A listening socket and its real address.

    Raises UsageProblem for an address that is not loopback, unless that is allowed, and
    NetworkProblem when it cannot be had.
    """
    if loopback_only:
        require_loopback(address)
    try:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        listener = socket.create_server((address.host, address.port), family=family, backlog=64)
    except OSError as error:
        raise NetworkProblem(
            f"{address} cannot be listened on: {error.strerror}.",
            unchanged="Nothing was opened.",
            advice="Choose another port; 0 picks a free one.",
        ) from error
    listener.setblocking(False)
    host, port = listener.getsockname()[:2]
    return listener, Address(host, port)


@asynccontextmanager
async def serving(app: App, listener: socket.socket) -> AsyncIterator[None]:
    """Answer on a bound socket while in the block; requests that still run are then cancelled."""
    config = Config()
    config.graceful_timeout = _GRACE_SECONDS
    config.h11_max_incomplete_size = _MAX_HEAD_BYTES
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logging.getLogger("vitra.http")
    # The descriptor is handed over: the server closes it.
    config.bind = [f"fd://{listener.detach()}"]
    async with open_owned_nursery() as nursery:
        await nursery.start(_run, app, config)
        yield


async def _run(app: App, config: Config, *, task_status: trio.TaskStatus[Any]) -> None:
    await serve(app, config, mode="asgi", task_status=task_status)
