"""The control API as an ASGI application: one question a request, or one stream of events.

``POST /v1/call`` takes a JSON-RPC frame and answers with one; ``POST /v1/stream`` takes the frame
of a stream method and answers with server-sent events. Both are what the control socket takes and
gives, so there is one language to learn.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import trio

from ...errors import NotAllowed, UsageProblem, VitraError
from ..control.error_bodies import error_body
from ..control.frames import (
    METHOD_NOT_FOUND,
    ErrorBody,
    FrameError,
    RequestFrame,
    ResponseFrame,
    decode_frame_untrusted,
    encode_frame,
)
from ..failures import telling
from ..methods import METHODS, Method, invoke, open_events, unknown_method
from ..session import Session
from .gate import NO_TOKEN, NOT_JSON, NOT_POST, SAFE_HEADERS, Gate, Refusal, is_json_untrusted

_log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CALL_PATH = "/v1/call"
STREAM_PATH = "/v1/stream"

# The largest value of a log is 8 MiB; base64 and escapes add to it.
MAX_BODY_BYTES = 16 * 1024 * 1024
# Far above what a program needs, far below the limit on descriptors.
MAX_REQUESTS = 64
# So that both sides notice when the other is gone; proxies give up later.
KEEP_ALIVE_SECONDS = 15.0

_STATUSES = {1: 500, 2: 400, 3: 404, 4: 403, 5: 504, 6: 409, 7: 500, 20: 200, 21: 200}
_NOT_FOUND: Refusal = (404, "There are /v1/call and /v1/stream.")
_TOO_LARGE: Refusal = (413, f"The body has more than {MAX_BODY_BYTES} bytes.")
_BUSY: Refusal = (503, f"{MAX_REQUESTS} requests run already.")


@dataclass
class HttpDoor:
    """Answers requests about one open database.

    Attributes:
      session: the database.
      gate: who may ask.
      allow_writes: whether methods that change something are answered too.
    """

    session: Session
    gate: Gate
    allow_writes: bool
    _running: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._handle(scope, receive, send)
        # A websocket that nobody accepts is refused by the server.

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        body = b""
        if refusal is None:
            read = await _read_body(receive)
            refusal = _TOO_LARGE if read is None else None
            body = read or b""
        if refusal is None and self._running >= MAX_REQUESTS:
            refusal = _BUSY
        if refusal is not None:
            _log.info("refused %s %s: %s", scope["method"], scope["path"], refusal[1])
            await _refuse(send, refusal)
            return
        self._running += 1
        try:
            if scope["path"] == STREAM_PATH:
                await self._stream(body, receive, send)
            else:
                await self._call(body, send)
        finally:
            self._running -= 1

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = scope["headers"]
        refusal = self.gate.refusal_untrusted(headers)
        if refusal is not None:
            return refusal
        if not self.gate.has_token_untrusted(headers):
            return NO_TOKEN
        if scope["path"] not in (CALL_PATH, STREAM_PATH):
            return _NOT_FOUND
        if scope["method"] != "POST":
            return NOT_POST
        return None if is_json_untrusted(headers) else NOT_JSON

    async def _call(self, body: bytes, send: Send) -> None:
        identifier: int | str | None = None
        status = 200
        try:
            request, method = self._question(body, stream=False)
            identifier = request.id
            frame = ResponseFrame(identifier, await invoke(self.session, method, request.params))
            line = encode_frame(frame)
        except (VitraError, FrameError) as error:
            status, line = _failure(identifier, error)
            method = None
        await _answer(send, status, line)
        if method is not None and method.stops_node:
            # Only now, so that the one who asked has the answer before the node goes.
            self.session.running_node().stop.set()

    async def _stream(self, body: bytes, receive: Receive, send: Send) -> None:
        out = _EventStream(send)
        try:
            request, method = self._question(body, stream=True)
            with telling():
                async with (
                    open_events(self.session, method, request.params) as events,
                    trio.open_nursery() as nursery,
                ):
                    nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
                    await out.begin()
                    nursery.start_soon(out.keep_alive)
                    async for event in events:
                        await out.send("event", event)
                    await out.send("end", {"error": None})
                    nursery.cancel_scope.cancel()
        except (VitraError, FrameError) as error:
            status, line = _failure(None, error)
            if not out.begun:
                await _answer(send, status, line)
                return
            await out.send("end", {"error": json.loads(line)["error"]})
        await send({"type": "http.response.body", "body": b""})

    def _question(self, body: bytes, *, stream: bool) -> tuple[RequestFrame, Method]:
        frame = decode_frame_untrusted(body)
        if not isinstance(frame, RequestFrame):
            raise FrameError("the frame has no 'method'")
        method = METHODS.get(frame.method)
        if method is None:
            raise unknown_method(frame.method)
        if method.changes and not self.allow_writes:
            raise NotAllowed(
                f"{method.name} can change something, and this port is read-only.",
                unchanged="Nothing was changed.",
                advice="Start the node with `vitra serve --http … --allow-writes`.",
            )
        if method.stream != stream:
            raise UsageProblem(
                f"{method.name} is asked at {STREAM_PATH if method.stream else CALL_PATH}.",
                unchanged="Nothing was changed.",
            )
        return frame, method


class _EventStream:
    """Writes server-sent events; one writer at a time."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._turn = trio.Lock()
        self.begun = False

    async def begin(self) -> None:
        self.begun = True
        headers = [(b"content-type", b"text/event-stream"), *SAFE_HEADERS]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def send(self, name: str, value: Any) -> None:
        # JSON of ours has no line feeds, so an event is one line of data.
        text = json.dumps(value, separators=(",", ":"))
        await self._write(f"event: {name}\ndata: {text}\n\n".encode())

    async def keep_alive(self) -> None:
        while True:
            await trio.sleep(KEEP_ALIVE_SECONDS)
            await self._write(b":\n\n")

    async def _write(self, data: bytes) -> None:
        async with self._turn:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})


async def answer_lifespan(receive: Receive, send: Send) -> None:
    """There is nothing to start or stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _read_body(receive: Receive) -> bytes | None:
    """The body, or None when it is too large or the caller is gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _failure(identifier: int | str | None, error: VitraError | FrameError) -> tuple[int, bytes]:
    """The status and the frame for a question without an answer."""
    if isinstance(error, FrameError):
        body = ErrorBody(error.code, str(error))
        return 400, encode_frame(ResponseFrame(identifier, error=body))
    unknown = error.details.get("unknown_method") is True
    body = error_body(error, METHOD_NOT_FOUND if unknown else None)
    return _STATUSES[error.exit_code], encode_frame(ResponseFrame(identifier, error=body))


async def _refuse(send: Send, refusal: Refusal) -> None:
    status, sentence = refusal
    more = {401: (b"www-authenticate", b"Bearer"), 405: (b"allow", b"POST")}.get(status)
    body = json.dumps({"error": {"message": sentence}}).encode() + b"\n"
    await _answer(send, status, body, *([more] if more else []))


async def _answer(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", b"application/json"), *SAFE_HEADERS, *more]
    headers.append((b"content-length", str(len(body)).encode()))
    with suppress(trio.BrokenResourceError):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
