"""The control socket as clients and strangers meet it; the database behind it is a fake."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vitra_node.api.client import ControlClient
from vitra_node.api.control import server
from vitra_node.api.control.frames import (
    API_VERSION,
    FAILURE_CODE,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
)
from vitra_node.api.control.socket_file import (
    MAX_SOCKET_PATH_BYTES,
    bind_control_socket,
    connect_control_socket,
)
from vitra_node.api.methods import METHODS
from vitra_node.errors import NetworkProblem, NotAllowed, NotFound

from .fake_database import violation_event
from .fake_node import FakeNode, running_fake_node


class RawClient:
    """Speaks lines, to say what the real client never would."""

    def __init__(self, directory: Path) -> None:
        self._socket = connect_control_socket(directory)
        self._socket.settimeout(10)
        self._lines = self._socket.makefile("rb")
        self.greeting = self.receive()

    def send(self, line: bytes) -> None:
        self._socket.sendall(line + b"\n")

    def receive(self) -> Any:
        line = self._lines.readline()
        return json.loads(line) if line else None

    def ask(self, method: str, params: Any, identifier: Any = 1) -> Any:
        question = {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}
        self.send(json.dumps(question).encode())
        return self.receive()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@pytest.fixture
def raw(node: FakeNode) -> Any:
    client = RawClient(node.directory)
    yield client
    client.close()


def test_the_socket_is_for_its_owner_alone(node: FakeNode) -> None:
    status = (node.directory / "control.sock").lstat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert [path.name for path in node.directory.iterdir()] == ["control.sock"]


def test_the_node_greets_with_its_version(raw: RawClient) -> None:
    assert raw.greeting["method"] == "hello"
    assert raw.greeting["params"]["api"] == API_VERSION
    assert raw.greeting["params"]["pid"] == os.getpid()


def test_answers_carry_the_id_of_their_question(raw: RawClient) -> None:
    for identifier in (7, "seven", -1):
        answer = raw.ask("index.get", {"path": "/counter"}, identifier)
        assert answer["id"] == identifier
        assert answer["result"]["value"] == 3


def test_errors_carry_code_and_exit_code(raw: RawClient) -> None:
    missing = raw.ask("index.get", {"path": "/none"})["error"]
    assert missing["code"] == FAILURE_CODE - 3
    assert missing["data"]["exit_code"] == 3
    assert raw.ask("nonsense", {})["error"]["code"] == METHOD_NOT_FOUND
    assert raw.ask("index.get", {})["error"]["code"] == INVALID_PARAMS
    assert raw.ask("index.get", ["/counter"])["error"]["code"] == INVALID_PARAMS


def test_a_question_without_an_id_gets_no_answer(raw: RawClient) -> None:
    raw.send(b'{"jsonrpc":"2.0","method":"index.get","params":{"path":"/counter"}}')
    raw.send(b'{"jsonrpc":"2.0","method":"nonsense"}')
    assert raw.ask("index.get", {"path": "/counter"}, 2)["id"] == 2


def test_lines_that_are_no_frames_are_answered_and_survived(raw: RawClient) -> None:
    for line in (b"", b"nonsense", b"[]", b"\xff\xfe", b'{"jsonrpc":"1.0"}'):
        raw.send(line)
        answer = raw.receive()
        assert answer["id"] is None
        assert answer["error"]["code"] < 0
    raw.send(b'{"jsonrpc":"2.0","id":9,"result":"unasked"}')
    assert raw.ask("index.get", {"path": "/counter"})["result"]["value"] == 3


def test_many_questions_at_once(raw: RawClient) -> None:
    for identifier in range(300):
        frame = {"jsonrpc": "2.0", "id": identifier, "method": "database.info", "params": {}}
        raw.send(json.dumps(frame).encode())
    assert sorted(raw.receive()["id"] for _ in range(300)) == list(range(300))


def test_describe_tells_the_table(raw: RawClient) -> None:
    table = raw.ask("api.describe", {})["result"]
    assert {method["name"] for method in table["methods"]} == set(METHODS)
    get = next(method for method in table["methods"] if method["name"] == "index.get")
    assert get["params"] == [
        {"name": "path", "kind": "text", "required": True},
        {"name": "version", "kind": "count", "required": False},
    ]
    assert get["changes"] is False


def test_a_stream_ends_with_a_notification(raw: RawClient, node: FakeNode) -> None:
    node.database.events.append(violation_event())
    subscription = raw.ask("audit.events", {})["result"]["subscription"]
    events = [raw.receive() for _ in range(4)]
    assert [frame["method"] for frame in events] == ["stream.event"] * 3 + ["stream.end"]
    assert {frame["params"]["subscription"] for frame in events} == {subscription}
    assert events[-1]["params"]["error"] is None


def test_a_stream_that_cannot_start_is_an_error(raw: RawClient) -> None:
    assert raw.ask("log.history", {"log": "ab" * 32})["error"]["data"]["kind"] == "NotFound"
    assert raw.ask("log.history", {"start": "x"})["error"]["code"] == INVALID_PARAMS


def test_cancelling_what_is_not_there(raw: RawClient) -> None:
    for subscription in (99, None, "x", []):
        answer = raw.ask("stream.cancel", {"subscription": subscription})
        assert answer["result"] == {"cancelled": False}


def test_the_client_may_leave_a_stream(node: FakeNode) -> None:
    node.database.index.values.update({f"/{number}": "x" * 1000 for number in range(5000)})
    with ControlClient.connect(node.directory) as client:
        with client.stream("log.history") as events:
            assert next(events)["seq"] == 1
        assert client.call("index.get", path="/counter")["value"] == 3
        with client.stream("log.history") as events:
            assert sum(1 for _ in events) == len(node.database.index.values)


def test_the_client_raises_what_ends_a_stream(node: FakeNode) -> None:
    with (
        ControlClient.connect(node.directory) as client,
        pytest.raises(NotFound),
        client.stream("log.history", log="ab" * 32),
    ):
        pytest.fail("there is no such log")


def test_a_dangerous_batch_through_the_socket(node: FakeNode) -> None:
    with ControlClient.connect(node.directory) as client:
        change = {"type": "put", "path": "/counter", "value": 1}
        assert client.call("index.dangerous_batch", changes=[change]) == {"length": 4}
        assert client.call("index.get", path="/counter")["value"] == 1


def test_more_connections_than_the_limit_are_refused(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2)
    with (
        ControlClient.connect(node.directory),
        ControlClient.connect(node.directory),
        pytest.raises(NotAllowed),
    ):
        ControlClient.connect(node.directory)


def test_another_user_is_refused(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "peer_user", lambda _socket: os.geteuid() + 1)
    with pytest.raises(NotAllowed) as raised:
        ControlClient.connect(node.directory)
    assert "user" in raised.value.failed


def test_another_user_is_refused_by_the_kernel_and_by_the_node(node: FakeNode) -> None:
    if os.geteuid() != 0:
        return  # Only root can become somebody else.
    program = (
        "import os, socket, sys\n"
        "connection = socket.socket(socket.AF_UNIX)\n"
        "descriptor = os.open(sys.argv[1], os.O_PATH)\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        "    connection.connect(f'/proc/self/fd/{descriptor}')\n"
        "except PermissionError:\n"
        "    print('kernel')\n"
        "else:\n"
        "    print(connection.recv(4096).decode())\n"
    )

    def attempt() -> str:
        path = node.directory / "control.sock"
        command = [sys.executable, "-c", program, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert attempt() == "kernel\n"
    (node.directory / "control.sock").chmod(0o666)
    refusal = json.loads(attempt())
    assert refusal["error"]["data"]["kind"] == "NotAllowed"


def test_a_path_longer_than_a_socket_address(tmp_path: Path) -> None:
    directory = tmp_path
    while len(os.fsencode(directory / "control.sock")) <= MAX_SOCKET_PATH_BYTES:
        directory = directory / ("long" * 20)
    directory.mkdir(parents=True, mode=0o700)
    with running_fake_node(directory), ControlClient.connect(directory) as client:
        assert client.call("index.get", path="/counter")["value"] == 3
    assert list(directory.iterdir()) == []


def test_a_stale_socket_is_replaced(data_directory: Path) -> None:
    for name in ("control.sock", f".control.sock.{os.getpid()}"):
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(data_directory / name))
        left.close()
    with running_fake_node(data_directory), ControlClient.connect(data_directory) as client:
        assert client.call("node.status")["running"] is True
    with pytest.raises(NotFound):
        ControlClient.connect(data_directory)


def test_no_socket_where_others_may_write(data_directory: Path) -> None:
    data_directory.chmod(0o770)
    with pytest.raises(NotAllowed) as raised:
        bind_control_socket(data_directory)
    assert "chmod 700" in raised.value.advice
    assert list(data_directory.iterdir()) == []


def answered_by(data_directory: Path, line: bytes) -> pytest.ExceptionInfo[NetworkProblem]:
    """What the client says of a server that greets with ``line`` and closes."""
    listener = bind_control_socket(data_directory)
    client = connect_control_socket(data_directory)
    accepted, _ = listener.accept()
    accepted.sendall(line)
    accepted.close()
    try:
        with pytest.raises(NetworkProblem) as raised:
            ControlClient(client).take_greeting()
        return raised
    finally:
        client.close()
        listener.close()


def test_a_node_that_closes_before_it_greets_has_stopped(data_directory: Path) -> None:
    listener = bind_control_socket(data_directory)
    client = connect_control_socket(data_directory)
    listener.close()
    try:
        with pytest.raises(NotFound):
            ControlClient(client).take_greeting()
    finally:
        client.close()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nonsense\n", "no frame"),
        (b'{"jsonrpc":"2.0","method":"other"}\n', "no node of ours"),
        (b'{"jsonrpc":"2.0","id":1,"result":1}\n', "no node of ours"),
        (b'{"jsonrpc":"2.0","method":"hello","params":{"api":99}}\n', "control API 99"),
    ],
)
def test_a_strange_greeting_is_a_clear_failure(
    data_directory: Path, line: bytes, reason: str
) -> None:
    assert reason in answered_by(data_directory, line).value.failed
