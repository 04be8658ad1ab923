"""Asks a node over HTTP, with the standard library alone; the twin of ``ControlClient``."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from ...config import Address, parse_address
from ...errors import InternalFault, NetworkProblem, NotAllowed, UsageProblem, VitraError
from ..control.error_bodies import failure_from_body_untrusted
from ..control.frames import FrameError, Json, decode_error_untrusted
from .token import read_token

CALL_PATH = "/v1/call"
STREAM_PATH = "/v1/stream"


class HttpClient:
    """A caller of one node's HTTP port.

    *Resource handling*: nothing is kept between calls; ``stream`` owns a connection while in its
    block.

    *Error handling*: every method raises the VitraError that the node reported, or NetworkProblem
    when it could not be asked.
    """

    def __init__(self, address: str, token: str) -> None:
        self._address: Address = parse_address(address)
        self._token = token

    @classmethod
    def of_directory(cls, directory: str | Path, address: str) -> Self:
        """With the token that a data directory of this user keeps."""
        return cls(address, read_token(Path(directory)))

    def call(self, method: str, /, **params: Json) -> Any:
        """Ask once and wait for the answer."""
        with self._request(CALL_PATH, method, params) as response:
            return _result_of(response.status, response.read())

    @contextmanager
    def stream(self, method: str, /, **params: Json) -> Iterator[Iterator[Any]]:
        """Subscribe; the iterator gives events, and raises the failure that ends the stream."""
        with self._request(STREAM_PATH, method, params) as response:
            if response.getheader("content-type") != "text/event-stream":
                _result_of(response.status, response.read())
                raise NetworkProblem(f"The node answered {method} without a stream.")
            yield _events(response)

    @contextmanager
    def _request(
        self, path: str, method: str, params: dict[str, Any]
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self._address.host, self._address.port)
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        try:
            connection.request("POST", path, body.encode(), headers)
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise NetworkProblem(
                f"The node at {self._address} does not answer: {error}."
            ) from error
        finally:
            connection.close()


def _result_of(status: int, body: bytes) -> Any:
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise NetworkProblem("What answers there is no node of ours.") from error
    if "result" in answer:
        return answer["result"]
    raise _failure(status, answer.get("error"))


def _failure(status: int, error: Any) -> VitraError:
    try:
        return failure_from_body_untrusted(decode_error_untrusted(error))
    except FrameError:
        sentence = error.get("message") if isinstance(error, dict) else None
        family = {401: NotAllowed, 403: NotAllowed, 421: NotAllowed, 400: UsageProblem}
        return family.get(status, InternalFault)(str(sentence or f"The node answered {status}."))


def _events(response: http.client.HTTPResponse) -> Iterator[Any]:
    name = ""
    for line in response:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data" and name == "event":
            yield json.loads(value)
        elif field == "data":
            error = json.loads(value)["error"]
            if error is not None:
                raise _failure(200, error)
            return
    raise NetworkProblem("The node closed the stream.")
