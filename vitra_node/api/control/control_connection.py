"""One client of the control socket: its questions in, our answers and events out."""

from __future__ import annotations

import logging
import os
from functools import partial
from itertools import count
from typing import Any

import trio

from ... import __version__
from ...errors import UsageProblem, VitraError
from ...progress import Step
from ..failures import telling
from ..methods import METHODS, Method, invoke, open_events, unknown_method
from ..session import Session
from .error_bodies import error_body
from .frames import (
    API_VERSION,
    METHOD_NOT_FOUND,
    ErrorBody,
    Frame,
    FrameError,
    FrameReader,
    OversizeError,
    RequestFrame,
    ResponseFrame,
    encode_frame,
)
from .step_frames import PROGRESS_FLAG, PROGRESS_METHOD, encode_step

_log = logging.getLogger(__name__)

_RECEIVE_BYTES = 64 * 1024

# Commands ask one question at a time; a program that asks more than this at once has to wait for
# answers before its next question is read.
MAX_OPEN_REQUESTS = 64

CANCEL_METHOD = "stream.cancel"

Outgoing = tuple[bytes, trio.Event]


class ControlConnection:
    """Reads questions and starts a task for each, so that a long one does not hold up the next.

    One task alone writes, so that a question that is cancelled never leaves half a frame behind.
    """

    def __init__(self, stream: trio.abc.Stream, session: Session) -> None:
        self._stream = stream
        self._session = session
        self._slots = trio.Semaphore(MAX_OPEN_REQUESTS)
        self._streams: dict[int, trio.CancelScope] = {}
        self._subscriptions = count(1)
        # No room in it: whoever sends goes at the pace of the client.
        self._to_writer, self._from_senders = trio.open_memory_channel[Outgoing](0)

    async def run(self) -> None:
        """Converse until the client closes; what it started is then cancelled."""
        async with trio.open_nursery() as tasks:
            tasks.start_soon(self._write, tasks.cancel_scope)
            greeting = {"api": API_VERSION, "version": __version__, "pid": os.getpid()}
            await self._send(RequestFrame("hello", greeting))
            try:
                await self._read(tasks)
            except trio.BrokenResourceError:
                _log.debug("a client went away")
            tasks.cancel_scope.cancel()

    async def _write(self, scope: trio.CancelScope) -> None:
        try:
            async for line, written in self._from_senders:
                await self._stream.send_all(line)
                written.set()
        except trio.BrokenResourceError:
            _log.debug("a client went away before it had its answer")
            scope.cancel()

    async def _read(self, tasks: trio.Nursery) -> None:
        reader = FrameReader()
        while True:
            try:
                frame = reader.next_frame_untrusted()
            except FrameError as error:
                await self._send(ResponseFrame(None, error=ErrorBody(error.code, str(error))))
                if isinstance(error, OversizeError):
                    return
                continue
            if frame is None:
                data = await self._stream.receive_some(_RECEIVE_BYTES)
                if not data:
                    return
                reader.receive_data_untrusted(bytes(data))
            elif isinstance(frame, RequestFrame):
                await self._slots.acquire()
                tasks.start_soon(self._handle, frame)
            # Otherwise an answer to something we never asked.

    async def _handle(self, request: RequestFrame) -> None:
        try:
            method = METHODS.get(request.method)
            if request.method == CANCEL_METHOD:
                await self._cancel_stream(request)
            elif method is None:
                await self._fail(request, unknown_method(request.method), METHOD_NOT_FOUND)
            elif method.stream:
                await self._stream_events(method, request)
            else:
                await self._answer_once(method, request)
        finally:
            self._slots.release()

    async def _answer_once(self, method: Method, request: RequestFrame) -> None:
        params = dict(request.params)
        watch = None
        if method.progress and params.pop(PROGRESS_FLAG, False) is True and request.id is not None:
            watch = partial(self._tell_progress, request.id)
        try:
            result = await invoke(self._session, method, params, watch)
        except VitraError as failure:
            await self._fail(request, failure)
            return
        await self._answer(request, result)
        if method.stops_node:
            # Only now, so that the one who asked has the answer before the node goes.
            self._session.running_node().stop.set()

    async def _tell_progress(self, identifier: int | str, step: Step) -> None:
        await self._send(RequestFrame(PROGRESS_METHOD, encode_step(identifier, step)))

    async def _stream_events(self, method: Method, request: RequestFrame) -> None:
        subscription = next(self._subscriptions)
        scope = self._streams[subscription] = trio.CancelScope()
        subscribed = False
        failure: VitraError | None = None
        try:
            with scope, telling():
                async with open_events(self._session, method, request.params) as events:
                    await self._answer(request, {"subscription": subscription})
                    subscribed = True
                    async for event in events:
                        params = {"subscription": subscription, "event": event}
                        await self._send(RequestFrame("stream.event", params))
        except VitraError as error:
            failure = error
        finally:
            del self._streams[subscription]
        if not subscribed:
            await self._fail(request, failure or UsageProblem("The stream was cancelled."))
            return
        ending: dict[str, Any] = {"subscription": subscription, "error": None}
        if failure is not None:
            body = error_body(failure)
            ending["error"] = {"code": body.code, "message": body.message, "data": body.data}
        await self._send(RequestFrame("stream.end", ending))

    async def _cancel_stream(self, request: RequestFrame) -> None:
        subscription = request.params.get("subscription")
        scope = self._streams.get(subscription) if isinstance(subscription, int) else None
        if scope is not None:
            scope.cancel()
        await self._answer(request, {"cancelled": scope is not None})

    async def _answer(self, request: RequestFrame, result: Any) -> None:
        if request.id is None:
            return
        try:
            await self._send(ResponseFrame(request.id, result))
        except FrameError as error:
            too_large = UsageProblem(
                f"The answer to {request.method} is too large: {error}.",
                advice="Ask for a part of it, with a limit.",
            )
            await self._fail(request, too_large)

    async def _fail(
        self, request: RequestFrame, failure: VitraError, code: int | None = None
    ) -> None:
        _log.debug("%s failed: %s", request.method, failure)
        if request.id is not None:
            await self._send(ResponseFrame(request.id, error=error_body(failure, code)))

    async def _send(self, frame: Frame) -> None:
        """Return when the kernel has the frame; raises FrameError when it is too large."""
        written = trio.Event()
        await self._to_writer.send((encode_frame(frame), written))
        await written.wait()
