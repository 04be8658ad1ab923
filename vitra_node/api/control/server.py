"""Serves a session on the control socket (specs/11-control-api.md)."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio

from ...errors import NotAllowed
from ..session import Session
from .control_connection import ControlConnection
from .error_bodies import error_body
from .frames import ResponseFrame, encode_frame
from .socket_file import bind_control_socket, peer_user, remove_control_socket

_log = logging.getLogger(__name__)

# Far above what the commands of one user open at once, far below the limit on descriptors.
MAX_CONNECTIONS = 128


class ControlServer:
    """The control socket of one data directory.

    Two blocks, one around the other: ``open`` owns the connections, and inside it the store is
    opened; ``answering``, inside that, owns the socket file and the questions. A client that asked
    the node to stop therefore sees its connection end only when the store is free again.

    *Resource handling*: leaving ``answering`` removes the socket file and cancels every question;
    leaving ``open`` closes the connections.

    *Error handling*: a broken client is dropped and logged; nothing of it reaches the blocks.
    """

    def __init__(self, connections: trio.Nursery) -> None:
        self._connections = connections
        self._answering: set[trio.CancelScope] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[ControlServer]:
        """A server that does not listen yet."""
        async with trio.open_nursery() as nursery:
            yield cls(nursery)
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def answering(self, session: Session, directory: Path) -> AsyncIterator[None]:
        """Answer on the directory's socket while in the block.

        The caller holds the lock of the directory's store, so a socket file that lies there is a
        stale one and is replaced.

        Raises NotAllowed where others may write to the directory.
        """
        listener = bind_control_socket(directory)
        try:
            async with trio.open_nursery() as nursery:
                accepting = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
                nursery.start_soon(self._accept, accepting, session)
                yield
                nursery.cancel_scope.cancel()
        finally:
            remove_control_socket(directory, listener)
            for scope in self._answering:
                scope.cancel()

    async def _accept(self, listener: trio.SocketListener, session: Session) -> None:
        async def serve(stream: trio.SocketStream) -> None:
            await self._serve(stream, session)

        await trio.serve_listeners(serve, [listener], handler_nursery=self._connections)

    async def _serve(self, stream: trio.SocketStream, session: Session) -> None:
        async with stream:
            refusal = self._refusal(stream)
            if refusal is not None:
                _log.warning("%s", refusal)
                frame = ResponseFrame(None, error=error_body(refusal))
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(encode_frame(frame))
                return
            scope = trio.CancelScope()
            self._answering.add(scope)
            try:
                with scope:
                    await ControlConnection(stream, session).run()
            finally:
                self._answering.discard(scope)
            if scope.cancelled_caught:
                # The node stops: the connection ends with ``open``, when the store is closed.
                await trio.sleep_forever()

    def _refusal(self, stream: trio.SocketStream) -> NotAllowed | None:
        user = peer_user(stream.socket)
        if user != os.geteuid():
            return NotAllowed(
                f"The node belongs to user {os.geteuid()}, the command ran as user {user}.",
                unchanged="Nothing was changed.",
                advice="Run the command as the user that runs the node.",
            )
        if len(self._answering) >= MAX_CONNECTIONS:
            return NotAllowed(
                f"The node already has {MAX_CONNECTIONS} control connections.",
                unchanged="Nothing was changed.",
                advice="Close some of them and try again.",
            )
        return None
