"""The HTTP door of a real node: the same answers as the socket, and nobody else's requests."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vitra_node.api.client import ControlClient
from vitra_node.api.http.client import HttpClient
from vitra_node.api.http.door import MAX_BODY_BYTES
from vitra_node.api.http.token import TOKEN_NAME, read_token, token_of
from vitra_node.errors import NetworkProblem, NotAllowed, NotFound, StoreDamaged, UsageProblem

from .processes import COMMAND_SECONDS, COUNTER, ok, running, serving, vitra

INCREMENT = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "contract.call",
    "params": {"method": "increment"},
}
CHEAT = {
    "jsonrpc": "2.0",
    "method": "index.dangerous_batch",
    "params": {"changes": [{"type": "put", "path": "/x", "value": 1}]},
}
STOP = {"jsonrpc": "2.0", "id": 1, "method": "node.stop", "params": {}}


@dataclass(frozen=True)
class Served:
    """A node with an HTTP port."""

    directory: Path
    address: str
    token: str

    @property
    def host(self) -> str:
        return self.address

    def client(self) -> HttpClient:
        return HttpClient(self.address, self.token)

    def state(self) -> Any:
        """All that a request could have changed, once what was published is executed."""
        with ControlClient.connect(self.directory) as client:
            for transaction in client.call("tx.list"):
                client.call("tx.wait", tx=transaction["tx"])
            info = client.call("database.info")
            return info, client.call("node.status")["monitoring"], client.call("tx.list")


def raw(address: str, request: bytes) -> int:
    """The status of the answer to these very bytes; 0 when the node just closes."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while b"\r\n" not in answer:
            data = connection.recv(65536)
            if not data:
                return 0
            answer += data
    return int(answer.split(b" ", 2)[1])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A node that lets callers with the token change things."""
    root = tmp_path_factory.mktemp("served")
    (root / "counter.js").write_text(COUNTER)
    directory = root / "data"
    ok(directory, "init", str(root / "counter.js"))
    with serving(directory, "--http", "127.0.0.1:0", "--allow-writes") as ready:
        yield Served(directory, ready["http"], read_token(directory))


# The table ------------------------------------------------------------------------------------

ORIGINS: dict[str, str | None] = {
    "none": None,
    "own": "http://{host}",
    "null": "null",
    "stranger": "https://evil.example",
    "other port": "http://127.0.0.1:1",
    "look-alike": "http://{host}.evil.example",
}


@dataclass(frozen=True)
class Shape:
    """One way to ask, without the token where it belongs."""

    name: str
    method: str = "POST"
    path: str = "/v1/call"
    body: Any = None
    kind: str | None = "application/json"
    headers: tuple[str, ...] = ()
    host: str = "{host}"

    def encode(self, served: Served, origin: str | None) -> bytes:
        given = INCREMENT if self.body is None else self.body
        body = given if isinstance(given, bytes) else json.dumps(given).encode()
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {self.host}"]
        lines += [] if self.kind is None else [f"Content-Type: {self.kind}"]
        lines += [] if origin is None else [f"Origin: {origin}"]
        lines += [*self.headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
        head = "\r\n".join(lines).replace("{host}", served.host).replace("{token}", served.token)
        return head.encode() + body


FORM = b'{"jsonrpc":"2.0","method":"contract.call","params":{"method":"increment","x":"="}}'
SHAPES = [
    Shape("nothing at all"),
    Shape("stop", body=STOP),
    Shape("cheat", body=CHEAT),
    Shape("stream", path="/v1/stream", body={**INCREMENT, "method": "node.hold"}),
    Shape("wrong token", headers=("Authorization: Bearer wrong",)),
    Shape("empty token", headers=("Authorization: Bearer ",)),
    Shape("no scheme", headers=("Authorization: {token}",)),
    Shape("basic", headers=("Authorization: Basic {token}",)),
    Shape("token and more", headers=("Authorization: Bearer {token}x",)),
    Shape("token cut", headers=("Authorization: Bearer {token}"[:-8],)),
    Shape("two tokens", headers=("Authorization: Bearer {token}", "Authorization: Bearer {token}")),
    Shape("wrong then right", headers=("Authorization: Bearer x", "Authorization: Bearer {token}")),
    Shape("in a cookie", headers=("Cookie: token={token}; vitra={token}",)),
    Shape("in the query", path="/v1/call?token={token}&access_token={token}"),
    Shape("in the path", path="/{token}/v1/call"),
    Shape(
        "in another header", headers=("X-Api-Key: {token}", "Proxy-Authorization: Bearer {token}")
    ),
    Shape("in the body", body={**INCREMENT, "token": "{token}"}),
    Shape("GET", method="GET"),
    Shape("GET with a query", method="GET", path="/v1/call?method=contract.call&params=%7B%7D"),
    Shape("HEAD", method="HEAD"),
    Shape("PUT", method="PUT"),
    Shape("DELETE", method="DELETE"),
    Shape("PATCH", method="PATCH"),
    Shape("preflight", method="OPTIONS", headers=("Access-Control-Request-Method: POST",)),
    Shape("TRACE", method="TRACE"),
    Shape("override", method="GET", headers=("X-HTTP-Method-Override: POST",)),
    Shape("form", kind="application/x-www-form-urlencoded", body=FORM),
    Shape("multipart", kind="multipart/form-data; boundary=x", body=FORM),
    Shape("plain text", kind="text/plain", body=FORM),
    Shape("no kind", kind=None, body=FORM),
    Shape("two kinds", headers=("Content-Type: text/plain",)),
    Shape("rebound name", host="rebound.evil.example"),
    Shape("rebound with port", host="rebound.evil.example:80"),
    Shape("wildcard name", host="127.0.0.1.nip.io"),
    Shape("other host, own one forwarded", host="evil", headers=("X-Forwarded-Host: {host}",)),
    Shape("two hosts", headers=("Host: evil.example",)),
    Shape("cross-site fetch", headers=("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")),
    Shape("same-site fetch", headers=("Sec-Fetch-Site: same-site",)),
    Shape("websocket", method="GET", headers=("Upgrade: websocket", "Sec-WebSocket-Key: eA==")),
    Shape("batch", body=[INCREMENT, INCREMENT]),
    Shape("doubled slash", path="//v1/call"),
    Shape("dots", path="/v1/x/../call"),
    Shape("escaped", path="/v1/%63all"),
    Shape("absolute", path="http://{host}/v1/call"),
]


def test_nothing_changes_without_the_token(served: Served) -> None:
    assert len(SHAPES) >= 40
    before = served.state()
    for shape in SHAPES:
        for name, origin in ORIGINS.items():
            status = raw(served.address, shape.encode(served, origin))
            assert status >= 400 or status == 0, (shape.name, name, status)
    assert served.state() == before


def test_the_same_request_with_the_token_does_change_something(served: Served) -> None:
    before = served.state()
    shape = Shape("right", headers=("Authorization: Bearer {token}",))
    assert raw(served.address, shape.encode(served, None)) == 200
    assert raw(served.address, shape.encode(served, "http://" + served.host)) == 200
    assert served.state() != before


@pytest.mark.parametrize(
    "shape",
    [
        Shape("rebound", host="rebound.evil.example"),
        Shape("no kind", kind=None),
        Shape("plain text", kind="text/plain", body=FORM),
        Shape("get", method="GET"),
        Shape("cross-site", headers=("Sec-Fetch-Site: cross-site",)),
        Shape("two hosts", headers=("Host: {host}",)),
    ],
    ids=lambda shape: shape.name,
)
def test_the_token_alone_is_not_enough(served: Served, shape: Shape) -> None:
    before = served.state()
    with_token = Shape(
        **{**vars(shape), "headers": (*shape.headers, "Authorization: Bearer {token}")}
    )
    for origin in (None, "https://evil.example"):
        assert raw(served.address, with_token.encode(served, origin)) >= 400
    assert served.state() == before


def test_no_answer_lets_another_origin_read_it(served: Served) -> None:
    host, _, port = served.address.rpartition(":")
    for origin in ORIGINS.values():
        request = Shape("", method="OPTIONS").encode(served, origin)
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).lower()
        assert b"access-control" not in answer
        assert b"nosniff" in answer


# The same language ----------------------------------------------------------------------------


def test_answers_are_those_of_the_socket(served: Served) -> None:
    http = served.client()
    served.state()
    with ControlClient.connect(served.directory) as control:
        for method in ("database.info", "contract.methods", "contract.source", "api.describe"):
            assert http.call(method) == control.call(method)
        for method, params in [
            ("index.get", {"path": "/none"}),
            ("index.get", {"path": "no path"}),
            ("index.get", {}),
            ("no.method", {}),
        ]:
            with pytest.raises((NotFound, UsageProblem)) as by_http:
                http.call(method, **params)
            with pytest.raises((NotFound, UsageProblem)) as by_socket:
                control.call(method, **params)
            assert str(by_http.value) == str(by_socket.value)
            assert type(by_http.value) is type(by_socket.value)


def test_events_are_streamed_as_they_happen(served: Served) -> None:
    http = served.client()
    with http.stream("node.watch") as states:
        before = next(states)["index"]["length"]
        http.call("contract.call", method="increment", wait=True)
        while next(states)["index"]["length"] == before:
            pass
    with http.stream("log.history", log="local") as blocks:
        assert {block["type"] for block in blocks} == {"op"}
    with pytest.raises(NotFound), http.stream("log.history", log="ab" * 32):
        pass
    with pytest.raises(UsageProblem):
        http.call("node.watch")
    with pytest.raises(UsageProblem), http.stream("node.status"):
        pass


def test_streams_that_are_left_free_their_place(served: Served) -> None:
    http = served.client()
    status = http.call("node.status")
    descriptors = Path(f"/proc/{status['pid']}/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(70):
        with http.stream("node.watch") as states:
            next(states)
    # The node learns a moment later that a connection is gone, also of those that ask here.
    while len(list(descriptors.iterdir())) > before + 10:
        assert http.call("node.status")["running"] is True


def test_bodies_are_bounded(served: Served) -> None:
    shape = Shape("", body=b"x" * (MAX_BODY_BYTES + 1), headers=("Authorization: Bearer {token}",))
    assert raw(served.address, shape.encode(served, None)) == 413
    for nonsense in (b"", b"{", b"[]", b"\xff", b'{"jsonrpc":"2.0"}', b"[" * 100_000):
        shape = Shape("", body=nonsense, headers=("Authorization: Bearer {token}",))
        assert raw(served.address, shape.encode(served, None)) == 400


def test_without_leave_to_write_it_reads_only(tmp_path: Path) -> None:
    (tmp_path / "counter.js").write_text(COUNTER)
    directory = tmp_path / "data"
    ok(directory, "init", str(tmp_path / "counter.js"))
    with serving(directory, "--http", "127.0.0.1:0") as ready:
        http = HttpClient.of_directory(directory, ready["http"])
        for method, params in (
            ("contract.call", {"method": "increment"}),
            ("node.stop", {}),
            ("oplog.new", {}),
            ("index.dangerous_batch", {"changes": []}),
        ):
            with pytest.raises(NotAllowed, match="read-only"):
                http.call(method, **params)
        assert http.call("node.status")["running"] is True
        assert ok(directory, "tx", "ls") == []
    with pytest.raises(NetworkProblem):
        http.call("node.status")


def test_stopping_over_http_answers_first(tmp_path: Path) -> None:
    (tmp_path / "counter.js").write_text(COUNTER)
    directory = tmp_path / "data"
    ok(directory, "init", str(tmp_path / "counter.js"))
    options = ("--no-swarm", "--http", "127.0.0.1:0", "--allow-writes")
    with running(directory, "serve", *options) as node:
        http = HttpClient.of_directory(directory, node.line()["http"])
        assert http.call("node.stop")["stopping"] is True
        assert node.process.wait(COMMAND_SECONDS) == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--http", "0.0.0.0:0"], 2),
        (["--http", "example.org:80"], 2),
        (["--http", "nonsense"], 2),
        (["--allow-writes"], 2),
        (["--http", "127.0.0.1:1"], 5),
    ],
)
def test_what_is_not_opened(
    served: Served, tmp_path: Path, arguments: list[str], code: int
) -> None:
    directory = tmp_path / "data"
    ok(directory, "init", str(served.directory.parent / "counter.js"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = [each.replace("127.0.0.1:1", f"127.0.0.1:{port}") for each in arguments]
        outcome = vitra(directory, "serve", "--no-swarm", *given)
    assert outcome.code == code, outcome.err
    assert "Traceback" not in outcome.err


# The token ------------------------------------------------------------------------------------


def test_the_token_is_a_private_file_that_stays(data_directory: Path) -> None:
    token = token_of(data_directory)
    assert token_of(data_directory) == token == read_token(data_directory)
    path = data_directory / TOKEN_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(StoreDamaged):
        token_of(data_directory)
    path.chmod(0o600)
    path.write_text("\n")
    with pytest.raises(StoreDamaged):
        read_token(data_directory)
    path.unlink()
    with pytest.raises(NotFound):
        read_token(data_directory)
    data_directory.chmod(0o777)
    with pytest.raises(NotAllowed):
        token_of(data_directory)
    data_directory.chmod(0o700)
