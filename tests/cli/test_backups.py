"""Backups, sealed keys and transfers as a user meets them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from .processes import COUNTER, PASSPHRASE, ok, running, serving, vitra

KV_STORE = Path(__file__).parents[2] / "vitra_node/contracts/examples/kv-store.js"


@pytest.fixture
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase for all commands of a test."""
    path = tmp_path / "passphrase"
    path.write_text("three blind mice\n")
    monkeypatch.setenv(PASSPHRASE, str(path))


@pytest.fixture
def executor(tmp_path: Path) -> Path:
    contract = tmp_path / "counter.js"
    contract.write_text(COUNTER)
    directory = tmp_path / "executor"
    ok(directory, "init", str(contract))
    ok(directory, "call", "increment", "--wait")
    return directory


def until(directory: Path, wanted: Any) -> dict[str, Any]:
    """Ask a running node for its status until ``wanted`` is true of it."""
    for _ in range(200):
        status: dict[str, Any] = ok(directory, "status")
        if wanted(status):
            return status
        time.sleep(0.05)  # another process; there is nothing to wait on
    raise AssertionError(status)


@pytest.mark.usefixtures("passphrase")
def test_an_old_copy_catches_up_before_it_writes(tmp_path: Path, executor: Path) -> None:
    file, restored, reader = tmp_path / "backup", tmp_path / "restored", tmp_path / "reader"
    with serving(executor, "--listen", "127.0.0.1:0") as node:
        made = ok(executor, "backup", str(file), "--with-keys")
        assert (made["file"], made["with_keys"]) == (str(file), True)
        ok(executor, "call", "increment", "--arg", "amount=10", "--wait")
        joined = ok(reader, "join", node["key"], "--peer", node["listen"])
        assert joined["role"] == "participant"
        ok(reader, "verify")
    answer = ok(restored, "restore", str(file))
    assert answer["role"] == "executor"
    assert answer["unconfirmed"] == 2
    refused = vitra(restored, "call", "increment")
    assert refused.code == 4
    assert "restored from a backup" in refused.err
    with serving(reader, "--listen", "127.0.0.1:0") as node:
        address = node["listen"]
        with serving(restored, "--peer", address):
            # The index is confirmed by the reader; the oplog too, which the reader verified.
            until(restored, lambda status: not status["unconfirmed"])
            ok(restored, "call", "increment", "--arg", "amount=100", "--wait")
            assert ok(restored, "get", "/counter")["value"] == 111
            assert ok(restored, "verify")["operations"] == 3
            assert ok(reader, "info")["index"]["fork"] == 0
            ok(reader, "sync")
            assert ok(reader, "verify")["operations"] == 3


def test_without_keys_a_backup_reads(tmp_path: Path, executor: Path) -> None:
    file, restored = tmp_path / "backup", tmp_path / "restored"
    assert ok(executor, "backup", str(file))["with_keys"] is False
    assert ok(restored, "restore", str(file))["role"] == "participant"
    assert ok(restored, "get", "/counter")["value"] == 1
    assert ok(restored, "verify")["verdict"] == "verified"
    assert vitra(restored, "call", "increment").code == 4
    assert [oplog["writable"] for oplog in ok(restored, "info")["oplogs"]] == [False]


@pytest.mark.usefixtures("passphrase")
def test_sealed_keys_open_with_the_passphrase_only(
    executor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ok(executor, "keys", "status") == {"sealed": False}
    ok(executor, "keys", "seal")
    assert vitra(executor, "keys", "status").out == "sealed\n"
    assert (executor / "keys" / "primary").read_text().startswith("vitra-sealed-key ")
    assert (executor / "keys" / "primary").stat().st_mode & 0o777 == 0o600
    ok(executor, "call", "increment", "--wait")
    wrong = tmp_path / "wrong"
    wrong.write_text("four blind mice\n")
    monkeypatch.setenv(PASSPHRASE, str(wrong))
    for command in (["get", "/counter"], ["keys", "unseal"]):
        outcome = vitra(executor, *command)
        assert (outcome.code, "passphrase" in outcome.err) == (4, True), outcome.err
    monkeypatch.delenv(PASSPHRASE)
    outcome = vitra(executor, "get", "/counter")
    assert outcome.code == 4
    assert "VITRA_PASSPHRASE_FILE" in outcome.err
    monkeypatch.setenv(PASSPHRASE, str(tmp_path / "passphrase"))
    ok(executor, "keys", "unseal")
    monkeypatch.delenv(PASSPHRASE)
    assert ok(executor, "get", "/counter")["value"] == 2


def test_an_index_goes_through_the_contract_of_another(tmp_path: Path) -> None:
    one, two, file = tmp_path / "one", tmp_path / "two", tmp_path / "index.jsonl"
    for directory in (one, two):
        ok(directory, "init", str(KV_STORE))
    for path, value in (("/a", 1), ("/b/c", {"x": [True, None]})):
        params = json.dumps({"path": path, "value": value})
        ok(one, "call", "put", "--params", params, "--wait")
    lines = vitra(one, "export", "--json").events
    assert [(line["path"], line["value"]) for line in lines] == [
        ("/a", 1),
        ("/b/c", {"x": [True, None]}),
    ]
    assert vitra(one, "export", "-o", str(file)).err == "Exported 2 values.\n"
    assert [json.loads(line) for line in file.read_text().splitlines()] == lines
    everything = vitra(one, "export", "--everything", "--json").events
    assert any(line["path"].startswith("/.sys/acks/") for line in everything)
    with running(two, "serve", "--no-swarm") as node:
        node.line()
        assert ok(two, "import", str(file)) == {"calls": 2}
        until(two, lambda _: vitra(two, "get", "/b/c").code == 0)
        assert node.end() == 0
    assert vitra(two, "export", "--json").events[0]["value"] == 1
    assert ok(two, "verify")["operations"] == 2


def test_what_is_refused(tmp_path: Path, executor: Path) -> None:
    file, other = tmp_path / "backup", tmp_path / "other"
    ok(executor, "backup", str(file))
    cases: list[tuple[Path, list[str], int, str]] = [
        (executor, ["backup", str(file)], 2, "exists already"),
        (executor, ["backup", str(tmp_path / "no" / "such")], 2, "cannot be written"),
        (executor, ["backup", str(tmp_path / "x"), "--with-keys"], 4, "VITRA_PASSPHRASE_FILE"),
        (executor, ["restore", str(file)], 4, "holds a database already"),
        (other, ["restore", str(tmp_path / "none")], 3, "There is no file"),
        (other, ["restore", str(tmp_path / "counter.js")], 2, "not a backup"),
        (other, ["keys", "seal"], 3, "There are no keys"),
        (other, ["export"], 3, "There is no database"),
        (executor, ["export", "-o", str(file)], 2, "exists already"),
        (executor, ["import", str(tmp_path / "counter.js")], 2, "Line 1 of"),
        (executor, ["import", str(tmp_path / "none")], 3, "There is no file"),
    ]
    for directory, command, code, text in cases:
        outcome = vitra(directory, *command)
        assert outcome.code == code, (command, outcome.err)
        assert text in outcome.err, (command, outcome.err)
        assert "Traceback" not in outcome.err
    cut = tmp_path / "cut"
    cut.write_bytes(file.read_bytes()[:-10])
    outcome = vitra(other, "restore", str(cut))
    assert (outcome.code, "cut off" in outcome.err or "hash" in outcome.err) == (2, True)
    assert not (other / "vitra.json").exists()
    ok(other, "restore", str(file))
