"""Damage of every kind is taken out of a store, and what is gone comes back from a peer."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from vitra_node.storage.care.fsck import check_directory
from vitra_node.storage.care.repair import COMPUTED, DROPPED, EMPTIED, UNTOUCHED, repair_directory
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.environments.lmdb_environment import DATA_NAME, LmdbEnvironment
from vitra_node.storage.environments.schema import block_key, core_key, decode_core, node_key
from vitra_node.storage.errors import StorageError

from .test_backup import connected
from .test_fsck import DAMAGES, WRITER, fill, flip

BLOCKS = [b"block %d" % number for number in range(11)]

ACTIONS = {
    "a block": DROPPED,
    "a lost block": DROPPED,
    "a block too many": DROPPED,
    "a leaf": COMPUTED,
    "an inner node": COMPUTED,
    "a root": COMPUTED,
    "a lost leaf": COMPUTED,
    "a lost parent": COMPUTED,
    "a short node": COMPUTED,
    "a node too many": COMPUTED,
    "a bit too many": COMPUTED,
    "a short core": UNTOUCHED,
    "another key": UNTOUCHED,
}


def damage(directory: Path, id_: bytes, name: str) -> None:
    environment = LmdbEnvironment(directory / DATA_NAME)
    number = decode_core(environment.get(core_key(id_)) or b"").number
    environment.write([DAMAGES[name][0](environment, id_, number)])
    environment.close()


@pytest.mark.parametrize("name", DAMAGES)
def test_every_damage_is_repaired(tmp_path: Path, name: str) -> None:
    id_ = trio.run(fill, tmp_path)
    damage(tmp_path, id_, name)
    (repair,) = repair_directory(tmp_path)
    assert repair.discovery_key == id_
    assert repair.action == ACTIONS.get(name, EMPTIED)
    if not repair.done:
        assert list(check_directory(tmp_path)) == list(repair.findings)
        return
    assert list(check_directory(tmp_path)) == []
    assert repair_directory(tmp_path) == []
    trio.run(fetch_again, tmp_path, repair.action)
    assert list(check_directory(tmp_path)) == []


async def fetch_again(directory: Path, action: str) -> None:
    async with Corestore.open(None) as other, Corestore.open(directory) as store:
        whole = await other.get(key_pair=WRITER)
        await whole.append(BLOCKS)
        log = await store.get(key_pair=WRITER)
        # An emptied log may have been longer than is known now: nothing is written before that.
        assert log.writable == (action != EMPTIED)
        async with connected(store, other):
            with trio.fail_after(10):
                await store.cores.resume_writing(log)
                await log.download(0, 11)
        assert [log.local_block(i) for i in range(11)] == BLOCKS
        assert log.writable


async def test_our_own_log_is_never_emptied(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        log = await store.get(name="log")
        await log.append(BLOCKS)
        id_ = log.discovery_key
    environment = LmdbEnvironment(tmp_path / DATA_NAME)
    # A block and a node above it: the tree cannot be computed from what is here.
    environment.write([flip(environment, block_key(1, 4))])
    environment.write([flip(environment, node_key(1, 13))])
    environment.close()
    (repair,) = repair_directory(tmp_path)
    assert (repair.discovery_key, repair.action, repair.done) == (id_, UNTOUCHED, False)
    async with Corestore.open(tmp_path) as store:
        log = await store.get(name="log")
        assert (log.length, log.writable) == (11, True)


def test_a_directory_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no store"):
        repair_directory(tmp_path)
