"""What commands say when there is nothing to talk to, and when they are used wrongly."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

import vitra_node
from vitra_node.cli.application import _COMMANDS
from vitra_node.cli.main import run

from .conftest import Vitra

NEEDS_A_DATABASE = [
    ("get", "/a"),
    ("ls",),
    ("history",),
    ("info",),
    ("sync",),
    ("peers",),
    ("call", "get"),
    ("methods",),
    ("source",),
    ("oplog", "ls"),
    ("tx", "ls"),
    ("verify",),
    ("monitor",),
    ("monitor", "start"),
    ("fraud", "ls"),
    ("serve",),
    ("destroy",),
]


@pytest.mark.parametrize("arguments", NEEDS_A_DATABASE, ids=" ".join)
def test_without_a_database_each_command_says_so(vitra: Vitra, arguments: tuple[str, ...]) -> None:
    outcome = vitra(*arguments)
    assert outcome.code == 3
    assert "There is no database in" in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert list(vitra.directory.iterdir()) == []


def test_in_a_directory_that_does_not_exist(
    vitra: Vitra, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["info", "--dir", str(tmp_path / "none")]) == 3
    assert not (tmp_path / "none").exists()


def test_a_file_is_no_data_directory(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    for command in ("info", "status", "serve", "destroy"):
        assert run([command, "--dir", str(tmp_path / "file")]) == 2
    assert (tmp_path / "file").read_text() == "mine"


def test_status_without_a_node_is_no_failure(vitra: Vitra) -> None:
    outcome = vitra("status", "--json")
    assert outcome.code == 0
    assert outcome.json == {"running": False, "key": None, "sparse": False}


def test_stop_without_a_node_is_not_found(vitra: Vitra) -> None:
    outcome = vitra("stop")
    assert outcome.code == 3
    assert "No node is running" in outcome.err


def test_a_socket_that_a_killed_node_left_is_no_node(vitra: Vitra) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(vitra.directory / "control.sock"))
    left.close()
    assert vitra("status", "--json").json["running"] is False
    assert vitra("stop").code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("get",),
        ("get", "--nonsense", "/a"),
        ("ls", "--limit", "-1"),
        ("call",),
        ("call", "get", "--timeout", "soon"),
        ("oplog", "nonsense"),
        ("join",),
        ("join", "nonsense"),
        ("join", "ab" * 31),
        ("join", "ab" * 32, "--peer", "nowhere"),
        ("join", "ab" * 32, "--peer", "host:99999"),
        ("join", "vitra://nonsense@127.0.0.1:7000"),
        ("serve", "--listen", "7000"),
        ("init",),
    ],
    ids=" ".join,
)
def test_wrong_use_is_told_and_changes_nothing(vitra: Vitra, arguments: tuple[str, ...]) -> None:
    outcome = vitra(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("vitra: ")
    assert "Traceback" not in outcome.err
    assert list(vitra.directory.iterdir()) == []


def test_errors_are_json_on_stderr_when_json_is_asked_for(vitra: Vitra) -> None:
    outcome = vitra("info", "--json")
    assert outcome.error["exit_code"] == 3
    assert outcome.error["failed"].startswith("There is no database")
    assert outcome.out == ""


def test_init_without_a_readable_contract_creates_nothing(vitra: Vitra, tmp_path: Path) -> None:
    assert vitra("init", str(tmp_path / "none.js")).code == 3
    binary = tmp_path / "binary.js"
    binary.write_bytes(b"// line one\n\xff")
    outcome = vitra("init", str(binary))
    assert outcome.code == 2
    assert "line 2" in outcome.err
    assert vitra("init", str(tmp_path)).code == 2
    participant = vitra("init", str(binary), "--participant", "nonsense")
    assert participant.code == 2
    assert list(vitra.directory.iterdir()) == []


def test_a_damaged_configuration_is_named(vitra: Vitra) -> None:
    (vitra.directory / "vitra.json").write_text("{")
    outcome = vitra("info")
    assert outcome.code == 7
    assert "vitra.json is damaged" in outcome.err


def test_the_directory_comes_from_the_flag_then_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    by_flag, by_environment = tmp_path / "flag", tmp_path / "environment"
    for number, directory in enumerate((by_flag, by_environment, tmp_path), 1):
        directory.mkdir(exist_ok=True)
        key = f"{number:02x}" * 32
        (directory / "vitra.json").write_text(json.dumps({"key": key}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VITRA_DIR", str(by_environment))

    def key_seen(*arguments: str) -> str:
        capfd.readouterr()
        assert run([*arguments]) == 0
        return str(json.loads(capfd.readouterr().out)["key"])[:2]

    assert key_seen("status", "--json", "--dir", str(by_flag)) == "01"
    assert key_seen("--dir", str(by_flag), "--json", "status") == "01"
    assert key_seen("status", "--json") == "02"
    monkeypatch.delenv("VITRA_DIR")
    assert key_seen("status", "--json") == "03"


def test_an_unknown_log_level_is_told(vitra: Vitra, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRA_LOG", "loud")
    assert vitra("status").code == 2


def test_version_and_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capfd.readouterr().out == f"vitra {vitra_node.__version__}\n"
    assert run(["--help"]) == 0
    helped = capfd.readouterr().out
    for name, _, sentence in _COMMANDS:
        assert f"  {name} " in helped
        assert sentence[:40] in helped


@pytest.mark.parametrize("name", [name for name, _, _ in _COMMANDS])
def test_each_command_explains_itself(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert "--json" in capfd.readouterr().out
