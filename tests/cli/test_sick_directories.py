"""Data directories in which something is missing or wrong: what commands say, and what doctor."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vitra_node.api import home_diagnosis
from vitra_node.storage.environments.lmdb_environment import DATA_NAME

from .conftest import Vitra
from .processes import COUNTER, PASSPHRASE, ok


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A contract as a file, and a directory that executes it, with one operation; to be copied."""
    root = tmp_path_factory.mktemp("made")
    (root / "counter.js").write_text(COUNTER)
    ok(root / "data", "init", str(root / "counter.js"))
    ok(root / "data", "call", "increment", "--wait")
    return root


@pytest.fixture
def counter(made: Path) -> str:
    """A contract, as a file."""
    return str(made / "counter.js")


@pytest.fixture
def database(vitra: Vitra, made: Path) -> Path:
    """A directory of its own for each test."""
    shutil.copytree(made / "data", vitra.directory, dirs_exist_ok=True)
    return vitra.directory


def findings(vitra: Vitra, code: int) -> dict[str, dict[str, str]]:
    """What doctor finds, by name."""
    outcome = vitra("doctor", "--json")
    assert outcome.code == code, outcome.err
    return {check["name"]: check for check in outcome.json["checks"]}


def test_a_lost_data_file_is_not_replaced(vitra: Vitra, database: Path) -> None:
    """A new store under the old keys would make the same oplogs again, and fork them."""
    kept = database.parent / DATA_NAME
    (database / DATA_NAME).rename(kept)
    for words in ("info", "call increment", "oplog new", "verify", "get /counter", "doctor"):
        outcome = vitra(*words.split())
        assert outcome.code == 7, (words, outcome.err)
        assert f"{DATA_NAME} is missing" in outcome.err
        assert "restore a backup" in outcome.err
        assert not (database / DATA_NAME).exists()
    kept.rename(database / DATA_NAME)
    assert vitra("get", "/counter").out == "1\n"


def test_the_lost_store_of_an_oplog_without_a_database(vitra: Vitra) -> None:
    assert vitra("oplog", "new").code == 0
    (vitra.directory / DATA_NAME).unlink()
    for words in (["oplog", "new"], ["join", "ab" * 32]):
        outcome = vitra(*words)
        assert outcome.code == 7, outcome.err
        assert not (vitra.directory / DATA_NAME).exists()


def test_what_failed_leaves_nothing_and_touches_nothing_else(vitra: Vitra, counter: str) -> None:
    """Beside files of others, in a directory that has an oplog, and in one that is new."""
    mine = vitra.directory / "mine.txt"
    mine.write_text("mine")
    (vitra.directory / "keys").write_text("no directory")
    before = sorted(vitra.directory.rglob("*"))
    for words in (["init", counter], ["join", "ab" * 32], ["oplog", "new"]):
        outcome = vitra(*words)
        assert outcome.code == 7, (words, outcome.err)
        assert sorted(vitra.directory.rglob("*")) == before, words
    (vitra.directory / "keys").unlink()
    key = vitra("oplog", "new").out
    (vitra.directory / "counter.js").write_text("not a contract (")
    assert vitra("init", str(vitra.directory / "counter.js")).code == 2
    assert vitra("oplog", "new").out != key, "the first oplog is still there"
    vitra.directory = vitra.directory / "a" / "b"
    assert vitra("init", str(mine)).code == 2
    assert not vitra.directory.parent.exists()


def test_doctor_of_a_healthy_directory_that_no_node_serves(vitra: Vitra, database: Path) -> None:
    found = findings(vitra, 5)
    assert [name for name, each in found.items() if each["state"] == "problem"] == ["node"]
    assert found["node"]["advice"] == "Start one: `vitra serve`."
    assert "methods: 2" in found["runtime"]["text"]
    assert "without a passphrase" in found["keys"]["text"]


def wide_key(directory: Path) -> None:
    (directory / "keys" / "primary").chmod(0o644)


def no_key(directory: Path) -> None:
    (directory / "keys" / "primary").unlink()


def foreign_key(directory: Path) -> None:
    (directory / "keys" / "primary").write_text("x" * 64 + "\n")


def other_file(directory: Path) -> None:
    (directory / DATA_NAME).write_bytes(b"something else" * 1000)


def cut_off(directory: Path) -> None:
    with (directory / DATA_NAME).open("r+b") as file:
        file.truncate(100)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (wide_key, "chmod 600"),
        (no_key, "primary is missing"),
        (foreign_key, "not 64 hex digits"),
        (other_file, "not a data file"),
        (cut_off, "not a data file"),
    ],
)
def test_doctor_of_a_directory_that_does_not_open(
    vitra: Vitra, database: Path, harm: Callable[[Path], None], words: str
) -> None:
    harm(database)
    outcome = vitra("doctor")
    assert outcome.code == 7, outcome.err
    failed, unchanged, advice = outcome.err.splitlines()
    assert words in failed
    assert unchanged
    assert "backup" in advice


def test_doctor_of_keys_under_a_passphrase(
    vitra: Vitra, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passphrase = database.parent / "passphrase"
    passphrase.write_text("secret\n")
    monkeypatch.setenv(PASSPHRASE, str(passphrase))
    assert vitra("keys", "seal").code == 0
    assert findings(vitra, 5)["keys"]["text"] == "The keys are under a passphrase."
    passphrase.write_text("another\n")
    outcome = vitra("doctor")
    assert outcome.code == 4
    assert "passphrase" in outcome.err


def test_doctor_of_a_restored_directory(
    vitra: Vitra, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passphrase = database.parent / "passphrase"
    passphrase.write_text("secret\n")
    monkeypatch.setenv(PASSPHRASE, str(passphrase))
    backup = database.parent / "backup"
    assert vitra("backup", str(backup), "--with-keys").code == 0
    shutil.rmtree(database)
    assert vitra("restore", str(backup)).code == 0
    store = findings(vitra, 5)["store"]
    assert store["state"] == "problem"
    assert "wait to be written again" in store["text"]


def test_doctor_of_a_disk_that_is_nearly_full(
    vitra: Vitra, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(database).free
    monkeypatch.setattr(home_diagnosis, "MIN_FREE_BYTES", 2 * free)
    store = findings(vitra, 5)["store"]
    assert store["state"] == "problem"
    assert "Free some space" in store["advice"]
