"""JSON-RPC 2.0 frames, one a line (specs/11-control-api.md, "Frames").

A frame is one JSON object in UTF-8 without a line feed, then a line feed. No I/O here: the reader
is fed bytes in any pieces and gives frames.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

# ``Any`` stands for the nesting, which mypy cannot follow through invariant containers.
Json: TypeAlias = "bool | int | float | str | list[Any] | dict[str, Any] | None"

# The number of the language both sides speak; raised when a frame or a method changes meaning.
API_VERSION = 1

# A block is at most 8 MiB. Base64 makes 11 MiB of it, escaped control characters up to 48 MiB;
# larger answers are asked for in parts (``limit``). Both sides are processes of one user.
MAX_FRAME_BYTES = 64 * 1024 * 1024

# Codes that JSON-RPC reserves; failures of ours are ``FAILURE_CODE`` minus the exit code.
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
FAILURE_CODE = -32000


class FrameError(Exception):
    """A line that is no frame; ``code`` is the JSON-RPC code that says why."""

    def __init__(self, message: str, code: int = INVALID_REQUEST) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class RequestFrame:
    """A question. ``id`` None means that no answer is wanted, or that a server notifies."""

    method: str
    params: dict[str, Any] = field(default_factory=dict)
    id: int | str | None = None


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """Why a question has no answer; ``data`` is described in ``failures.py``."""

    code: int
    message: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResponseFrame:
    """An answer: ``error`` when it failed, else ``result``."""

    id: int | str | None
    result: Json = None
    error: ErrorBody | None = None


Frame: TypeAlias = RequestFrame | ResponseFrame


def encode_frame(frame: Frame) -> bytes:
    """The line of a frame; raises FrameError when it is larger than ``MAX_FRAME_BYTES``."""
    body: dict[str, Any] = {"jsonrpc": "2.0"}
    if isinstance(frame, RequestFrame):
        body["method"] = frame.method
        body["params"] = frame.params
        if frame.id is not None:
            body["id"] = frame.id
    else:
        body["id"] = frame.id
        if frame.error is None:
            body["result"] = frame.result
        else:
            body["error"] = {
                "code": frame.error.code,
                "message": frame.error.message,
                "data": frame.error.data,
            }
    # ASCII out: lone surrogates then travel as escapes, and no text can hold a line feed.
    line = json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
    if len(line) > MAX_FRAME_BYTES:
        raise FrameError(f"the frame has {len(line)} bytes, more than {MAX_FRAME_BYTES}")
    return line


def decode_frame_untrusted(line: bytes) -> Frame:
    """The frame in one line without its line feed; raises FrameError and nothing else."""
    try:
        body = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise FrameError("the line is not JSON", PARSE_ERROR) from error
    if not isinstance(body, dict):
        raise FrameError("the frame is not an object (batches are not supported)")
    if body.get("jsonrpc") != "2.0":
        raise FrameError("the field 'jsonrpc' is not \"2.0\"")
    identifier = body.get("id")
    if isinstance(identifier, bool) or not isinstance(identifier, int | str | None):
        raise FrameError("the field 'id' is not a number or text")
    if "method" in body:
        return _decode_request(body, identifier)
    if "error" in body:
        return ResponseFrame(identifier, error=decode_error_untrusted(body["error"]))
    if "result" in body:
        return ResponseFrame(identifier, body["result"])
    raise FrameError("the frame has no 'method', 'result' or 'error'")


class FrameReader:
    """Cuts a byte stream into frames. Feed it, then take frames until None."""

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._buffer = bytearray()
        self._searched = 0

    def receive_data_untrusted(self, data: bytes) -> None:
        """Take more bytes of the stream."""
        self._buffer += data

    def next_frame_untrusted(self) -> Frame | None:
        """The next frame, or None when more bytes are needed.

        Raises FrameError for a line that is no frame. That line is then gone; only after a line
        over the bound is the stream lost, and every later call raises again.
        """
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
        if (end if end >= 0 else len(self._buffer)) > self._max_frame_bytes:
            raise OversizeError(f"the frame is larger than {self._max_frame_bytes} bytes")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return decode_frame_untrusted(line)


class OversizeError(FrameError):
    """A line over the bound: where the next one starts cannot be told, so the stream is lost."""


def _decode_request(body: dict[str, Any], identifier: int | str | None) -> RequestFrame:
    method = body["method"]
    params = body.get("params", {})
    if not isinstance(method, str):
        raise FrameError("the field 'method' is not text")
    if not isinstance(params, dict):
        raise FrameError("the field 'params' is not an object", INVALID_PARAMS)
    return RequestFrame(method, params, identifier)


def decode_error_untrusted(body: Any) -> ErrorBody:
    """The error object in ``body``; raises FrameError when it is none."""
    if not isinstance(body, dict):
        raise FrameError("the field 'error' is not an object")
    code, message, data = body.get("code"), body.get("message"), body.get("data")
    if not isinstance(code, int) or not isinstance(message, str):
        raise FrameError("the error has no 'code' or no 'message'")
    return ErrorBody(code, message, data if isinstance(data, dict) else {})


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
