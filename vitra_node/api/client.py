"""Asks a running node from another process, with plain blocking sockets.

It imports neither an event loop nor anything of the node, so a one-shot command stays quick. One
client is one connection and one thread; make another for a second one.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import NetworkProblem, NotFound, UsageProblem, VitraError
from ..progress import Step
from .control.error_bodies import failure_from_body_untrusted
from .control.frames import (
    API_VERSION,
    Frame,
    FrameError,
    FrameReader,
    Json,
    RequestFrame,
    ResponseFrame,
    decode_error_untrusted,
    encode_frame,
)
from .control.socket_file import connect_control_socket
from .control.step_frames import PROGRESS_FLAG, PROGRESS_METHOD, decode_step

# A node greets at once. One that does not within this time is stopped or stuck.
GREETING_SECONDS = 10.0

_RECEIVE_BYTES = 64 * 1024


class ControlClient:
    """A connection to the node that serves a directory.

    *Resource handling*: a context manager that owns one socket. Closing it cancels at the node
    whatever still runs for this client.

    *Error handling*: every method raises the VitraError that the node reported, or NetworkProblem
    when the connection is lost; after the latter the client is of no further use.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = FrameReader()
        self._next_id = 1
        # Notifications of open streams that arrived while something else was waited for.
        self._streams: dict[int, deque[RequestFrame]] = {}
        self._watches: dict[object, Callable[[Step], None]] = {}
        self.node: dict[str, Any] = {}
        """What the node said of itself: ``api``, ``version``, ``pid``."""

    @classmethod
    def connect(cls, directory: str | Path) -> Self:
        """Connect and check that both sides speak the same language.

        Raises NotFound when no node serves the directory, NotAllowed when it is another user's,
        NetworkProblem when it does not answer or speaks another version.
        """
        client = cls(connect_control_socket(Path(directory)))
        try:
            client._socket.settimeout(GREETING_SECONDS)
            client.take_greeting()
            client._socket.settimeout(None)
        except BaseException:
            client.close()
            raise
        return client

    def call(self, method: str, /, **params: Json) -> Any:
        """Ask once and wait for the answer; no time limit, the node has its own."""
        return self._wait_for(self._send(method, params))

    def call_watched(self, method: str, watch: Callable[[Step], None], /, **params: Json) -> Any:
        """``call`` something that takes long; ``watch`` is told meanwhile how far it is."""
        identifier = self._send(method, {**params, PROGRESS_FLAG: True})
        self._watches[identifier] = watch
        try:
            return self._wait_for(identifier)
        finally:
            del self._watches[identifier]

    @contextmanager
    def stream(self, method: str, /, **params: Json) -> Iterator[Iterator[Any]]:
        """Subscribe; the iterator gives events until the node ends the stream.

        The iterator raises the failure the stream ended with, if any.
        """
        answer = self.call(method, **params)
        if not isinstance(answer, dict) or not isinstance(answer.get("subscription"), int):
            raise NetworkProblem(f"The node answered {method} without a subscription.")
        subscription: int = answer["subscription"]
        self._streams[subscription] = deque()
        try:
            yield self._events(subscription)
        finally:
            if self._streams.pop(subscription, None) is not None:
                with suppress(VitraError):
                    self.call("stream.cancel", subscription=subscription)

    def wait_until_closed(self) -> None:
        """Return when the node has closed the connection: after ``node.stop``, when it is gone."""
        with suppress(OSError):
            while self._socket.recv(_RECEIVE_BYTES):
                pass

    def stop_node(self) -> None:
        """Stop the node; returns when its directory is free.

        A node that somebody else is stopping may close the connection before it answers; it is gone
        then as well, and nothing is raised.
        """
        with suppress(ConnectionEnded):
            self.call("node.stop")
            self.wait_until_closed()

    def interrupt(self) -> None:
        """Let whoever waits for this client in another thread see the connection as lost."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _events(self, subscription: int) -> Iterator[Any]:
        queue = self._streams[subscription]
        while True:
            while not queue:
                self._take_frame()
            notification = queue.popleft()
            if notification.method == "stream.event":
                yield notification.params.get("event")
                continue
            del self._streams[subscription]
            error = notification.params.get("error")
            if error is not None:
                raise failure_from_body_untrusted(decode_error_untrusted(error))
            return

    def _send(self, method: str, params: dict[str, Any]) -> int:
        identifier = self._next_id
        self._next_id += 1
        try:
            line = encode_frame(RequestFrame(method, params, identifier))
        except FrameError as error:
            raise UsageProblem(
                f"The request {method} is too large: {error}.", unchanged="Nothing was sent."
            ) from error
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise _lost(error) from error
        return identifier

    def _wait_for(self, identifier: int) -> Any:
        while True:
            frame = self._take_frame()
            if frame is None or frame.id not in (identifier, None):
                continue
            if frame.error is not None:
                raise failure_from_body_untrusted(frame.error)
            return frame.result

    def take_greeting(self) -> None:
        """Read what a node says first; raises like ``connect``."""
        try:
            frame = self._receive()
        except ConnectionEnded as error:
            raise NotFound(
                "The node has just stopped.", advice="Start one with `vitra serve`."
            ) from error
        if isinstance(frame, ResponseFrame) and frame.error is not None:
            raise failure_from_body_untrusted(frame.error)
        if not isinstance(frame, RequestFrame) or frame.method != "hello":
            raise NetworkProblem("What listens on the control socket is no node of ours.")
        self.node = frame.params
        if frame.params.get("api") != API_VERSION:
            raise NetworkProblem(
                f"The running node speaks control API {frame.params.get('api')}, "
                f"this command {API_VERSION}.",
                unchanged="Nothing was changed.",
                advice="Stop the node and start it with this version.",
            )

    def _take_frame(self) -> ResponseFrame | None:
        """The next answer; notifications go to their streams and give None."""
        frame = self._receive()
        if isinstance(frame, ResponseFrame):
            return frame
        if frame.method == PROGRESS_METHOD:
            watch, step = self._watches.get(frame.params.get("id")), decode_step(frame.params)
            if watch is not None and step is not None:
                watch(step)
            return None
        queue = self._streams.get(frame.params.get("subscription", -1))
        if queue is not None and frame.method in ("stream.event", "stream.end"):
            queue.append(frame)
        return None

    def _receive(self) -> Frame:
        while True:
            try:
                frame = self._reader.next_frame_untrusted()
                if frame is not None:
                    return frame
                data = self._socket.recv(_RECEIVE_BYTES)
            except FrameError as error:
                raise NetworkProblem(f"The node sent what is no frame: {error}.") from error
            except OSError as error:
                raise _lost(error) from error
            if not data:
                raise ConnectionEnded(
                    "The node closed the connection before it answered.",
                    advice="See its log, and try again.",
                )
            self._reader.receive_data_untrusted(data)


class ConnectionEnded(NetworkProblem):
    """The node closed the connection."""


def _lost(error: OSError) -> NetworkProblem:
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return ConnectionEnded(
            "The node closed the connection.", advice="See its log, and try again."
        )
    reason = "it did not answer in time" if isinstance(error, TimeoutError) else error.strerror
    return NetworkProblem(
        f"The connection to the node was lost: {reason}.", advice="Look at `vitra status`."
    )
