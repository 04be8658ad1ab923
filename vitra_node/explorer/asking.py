"""Asks a running node without blocking the event loop: one connection for each question."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from ..api.control.error_bodies import failure_from_body_untrusted
from ..api.control.frames import (
    API_VERSION,
    Frame,
    FrameReader,
    Json,
    RequestFrame,
    ResponseFrame,
    decode_error_untrusted,
    encode_frame,
)
from ..api.control.socket_file import connect_control_socket
from ..errors import NetworkProblem

_RECEIVE_BYTES = 64 * 1024


class NodeAsker:
    """A ``Connection`` to the node that serves a directory, also after it was restarted.

    *Resource handling*: a question owns its connection, a stream while in its block.

    *Error handling*: raises the VitraError that the node reported; NotFound when none runs,
    NetworkProblem when it went away.
    """

    to_node = True

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def call(self, method: str, /, **params: Json) -> Any:
        """See ``Connection.call``."""
        async with self._asked(method, params) as conversation:
            return (await conversation.answer()).result

    async def call_long(self, method: str, /, **params: Json) -> Any:
        """See ``Connection.call_long``; nobody watches."""
        return await self.call(method, **params)

    @asynccontextmanager
    async def stream(self, method: str, /, **params: Json) -> AsyncIterator[AsyncIterator[Any]]:
        """See ``Connection.stream``."""
        async with self._asked(method, params) as conversation:
            await conversation.answer()
            events = conversation.events()
            async with aclosing(events):
                yield events

    @asynccontextmanager
    async def _asked(self, method: str, params: dict[str, Any]) -> AsyncIterator[_Conversation]:
        connection = connect_control_socket(self._directory)
        async with trio.SocketStream(trio.socket.from_stdlib_socket(connection)) as stream:
            conversation = _Conversation(stream)
            await conversation.greet()
            await stream.send_all(encode_frame(RequestFrame(method, params, 1)))
            yield conversation


class _Conversation:
    """Frames of one connection, one question long."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._reader = FrameReader()

    async def greet(self) -> None:
        frame = await self._next()
        if isinstance(frame, ResponseFrame) and frame.error is not None:
            raise failure_from_body_untrusted(frame.error)
        if not isinstance(frame, RequestFrame) or frame.params.get("api") != API_VERSION:
            raise NetworkProblem("The node speaks another control API than this program.")

    async def answer(self) -> ResponseFrame:
        while not isinstance(frame := await self._next(), ResponseFrame):
            pass
        if frame.error is not None:
            raise failure_from_body_untrusted(frame.error)
        return frame

    async def events(self) -> AsyncGenerator[Any, None]:
        while True:
            frame = await self._next()
            if not isinstance(frame, RequestFrame):
                continue
            if frame.method == "stream.event":
                yield frame.params.get("event")
            elif frame.method == "stream.end":
                error = frame.params.get("error")
                if error is not None:
                    raise failure_from_body_untrusted(decode_error_untrusted(error))
                return

    async def _next(self) -> Frame:
        while (frame := self._reader.next_frame_untrusted()) is None:
            try:
                data = await self._stream.receive_some(_RECEIVE_BYTES)
            except trio.BrokenResourceError:
                data = b""
            if not data:
                raise NetworkProblem("The node has closed the connection.")
            self._reader.receive_data_untrusted(bytes(data))
        return frame
