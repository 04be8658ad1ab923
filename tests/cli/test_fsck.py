"""``vitra fsck`` on a directory that a disk has damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.crypto.hashes import discovery_key
from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.environments.lmdb_environment import DATA_NAME, LmdbEnvironment
from vitra_node.storage.environments.schema import (
    BLOCK_TABLE,
    core_key,
    decode_core,
    head_key,
    rows_from,
)

from .processes import COUNTER, ok, running, serving, vitra


@pytest.fixture
def executor(tmp_path: Path) -> Path:
    contract = tmp_path / "counter.js"
    contract.write_text(COUNTER)
    directory = tmp_path / "executor"
    ok(directory, "init", str(contract))
    for _ in range(3):
        ok(directory, "call", "increment", "--wait")
    return directory


def damage(directory: Path, *, head: bool) -> None:
    """Flip a bit in every third block of the index, or in its head."""
    key = bytes.fromhex(ok(directory, "info")["key"])
    environment = LmdbEnvironment(directory / DATA_NAME)
    number = decode_core(environment.get(core_key(discovery_key(key))) or b"").number
    writes = Writes()
    rows = environment.items(*rows_from(BLOCK_TABLE, number, 0))[::3]
    if head:
        rows = [(head_key(number), environment.get(head_key(number)) or b"")]
    for row, value in rows:
        writes.put(row, bytes((*value[:-1], value[-1] ^ 1)))
    environment.write([writes])
    environment.close()


def test_a_sound_directory(executor: Path) -> None:
    outcome = vitra(executor, "fsck")
    assert (outcome.code, outcome.out) == (0, "sound\n")
    assert ok(executor, "fsck") == {"sound": True, "findings": []}
    assert ok(executor, "fsck", "--repair-from-peers")["sound"]


@pytest.mark.parametrize("head", [False, True], ids=["blocks", "head"])
def test_a_copy_is_repaired_from_a_peer(tmp_path: Path, executor: Path, head: bool) -> None:
    copy = tmp_path / "copy"
    with serving(executor, "--listen", "127.0.0.1:0") as node:
        ok(copy, "join", node["key"], "--peer", node["listen"])
        assert ok(copy, "verify")["operations"] == 3
        damage(copy, head=head)
        found = vitra(copy, "fsck", "--json")
        assert found.code == 7
        assert {each["log"] for each in found.json["findings"]} == {node["key"]}
        repaired = ok(copy, "fsck", "--repair-from-peers")
        assert (repaired["sound"], repaired["missing_blocks"]) == (True, 0)
        assert [each["action"] for each in repaired["repairs"]] == [
            "emptied" if head else "blocks dropped"
        ]
        assert ok(copy, "verify")["operations"] == 3
        assert ok(copy, "fsck")["sound"]


def test_what_no_peer_gives_stays_missing_and_is_told(executor: Path) -> None:
    damage(executor, head=False)
    outcome = vitra(executor, "fsck", "--repair-from-peers")
    assert outcome.code == 7
    assert outcome.out == "sound\n"
    assert "are not here now" in outcome.err


def test_our_own_log_with_a_damaged_head_is_left_alone(executor: Path) -> None:
    damage(executor, head=True)
    for _ in range(2):
        outcome = vitra(executor, "fsck", "--repair-from-peers")
        assert outcome.code == 7
        assert "untouched" in outcome.err
        assert "Traceback" not in outcome.err


def test_what_is_refused(tmp_path: Path, executor: Path) -> None:
    assert vitra(tmp_path / "none", "fsck").code == 3
    with running(executor, "serve", "--no-swarm") as node:
        node.line()
        outcome = vitra(executor, "fsck")
        assert (outcome.code, "A node is running" in outcome.err) == (4, True)
