"""What a check of the store finds: nothing in a sound one, and every kind of damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from protocol.crypto.keys import KeyPair
from protocol.hypercore.core import EMPTY_HEAD
from vitra_node.storage.care.fsck import Finding, check_directory
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.environments.lmdb_environment import DATA_NAME, LmdbEnvironment
from vitra_node.storage.environments.schema import (
    HeadRecord,
    bitfield_key,
    block_key,
    core_key,
    decode_core,
    decode_head,
    encode_core,
    encode_head,
    head_key,
    node_key,
)
from vitra_node.storage.errors import StorageError, StoreInUse

WRITER = KeyPair.from_seed(bytes([3]) * 32)


async def fill(directory: Path) -> bytes:
    """A store with a full log of 11 blocks, one truncated, one cleared, one empty."""
    async with Corestore.open(directory) as store:
        core = await store.get(key_pair=WRITER)
        await core.append([b"block %d" % i for i in range(11)])
        truncated = await store.get(name="truncated")
        await truncated.append([b"x"] * 20)
        await truncated.truncate(7)
        await truncated.append(b"y")
        emptied = await store.get(name="emptied")
        await emptied.append(b"x")
        await emptied.truncate(0)
        cleared = await store.get(name="cleared")
        await cleared.append([b"x"] * 9)
        await cleared.clear(2, 5)
        await store.get(key=bytes(32))
        return core.discovery_key


Damage = Callable[[LmdbEnvironment, bytes, int], Writes]


def put(key: bytes, value: bytes) -> Writes:
    writes = Writes()
    writes.put(key, value)
    return writes


def without(key: bytes) -> Writes:
    writes = Writes()
    writes.delete(key)
    return writes


def change_head(environment: LmdbEnvironment, number: int, **changes: object) -> Writes:
    record = decode_head(environment.get(head_key(number)) or b"")
    fields = {
        name: getattr(record.head, name) for name in ("length", "byte_length", "fork", "roots")
    }
    signature = record.head.signature
    head = type(EMPTY_HEAD)(**{**fields, "signature": signature, **changes})
    return put(head_key(number), encode_head(HeadRecord(head, record.contiguous_length)))


def flip(environment: LmdbEnvironment, key: bytes) -> Writes:
    value = environment.get(key)
    assert value is not None
    return put(key, value[:-1] + bytes((value[-1] ^ 1,)))


def other_manifest(environment: LmdbEnvironment, id_: bytes, number: int) -> Writes:
    record = decode_core(environment.get(core_key(id_)) or b"")
    changed = type(record)(number, bytes(32), record.manifest, record.name)
    return put(core_key(id_), encode_core(changed))


DAMAGES: dict[str, tuple[Damage, str, int | None]] = {
    "a block": (lambda e, i, n: flip(e, block_key(n, 4)), "does not hash to its leaf", 4),
    "a leaf": (lambda e, i, n: flip(e, node_key(n, 8)), "do not hash to their parent", None),
    "an inner node": (lambda e, i, n: flip(e, node_key(n, 9)), "do not hash", None),
    "a root": (lambda e, i, n: flip(e, node_key(n, 7)), "as it stands in the head", None),
    "a lost block": (lambda e, i, n: without(block_key(n, 10)), "listed, but not stored", 10),
    "a lost leaf": (lambda e, i, n: without(node_key(n, 8)), "the leaf of this block", 4),
    "a lost parent": (lambda e, i, n: without(node_key(n, 3)), "no path to a root", None),
    "a lost head": (lambda e, i, n: without(head_key(n)), "no head", None),
    "a short head": (lambda e, i, n: put(head_key(n), b"\x01\x05"), "is damaged", None),
    "a short core": (lambda e, i, n: put(core_key(i), b"\x03"), "is damaged", None),
    "a short node": (lambda e, i, n: put(node_key(n, 8), b"\x00"), "is damaged", None),
    "a fork number": (lambda e, i, n: change_head(e, n, fork=1), "does not verify", None),
    "a signature": (lambda e, i, n: change_head(e, n, signature=bytes(68)), "not verify", None),
    "no signature": (lambda e, i, n: change_head(e, n, signature=None), "not verify", None),
    "a length": (lambda e, i, n: change_head(e, n, length=10), "past the end", 10),
    "a byte length": (lambda e, i, n: change_head(e, n, byte_length=5), "not verify", None),
    "roots of nothing": (
        lambda e, i, n: change_head(e, n, length=0),
        "an empty log has roots",
        None,
    ),
    "another key": (other_manifest, "does not belong to this discovery key", None),
    "a block too many": (lambda e, i, n: put(block_key(n, 11), b"x"), "past the end", 11),
    "a node too many": (lambda e, i, n: put(node_key(n, 23), bytes(40)), "not part of", None),
    "a bit too many": (
        lambda e, i, n: put(bitfield_key(n, 0), b"\xff" * 256),
        "past the end of the log is listed",
        None,
    ),
}


def check(directory: Path) -> list[Finding]:
    return list(check_directory(directory))


def test_a_sound_store_has_no_findings(tmp_path: Path) -> None:
    trio.run(fill, tmp_path)
    assert check(tmp_path) == []


@pytest.mark.parametrize("name", DAMAGES)
def test_every_damage_is_found(tmp_path: Path, name: str) -> None:
    id_ = trio.run(fill, tmp_path)
    damage, expected, block = DAMAGES[name]
    environment = LmdbEnvironment(tmp_path / DATA_NAME)
    number = decode_core(environment.get(core_key(id_)) or b"").number
    environment.write([damage(environment, id_, number)])
    environment.close()
    findings = check(tmp_path)
    assert {finding.discovery_key for finding in findings} == {id_}
    matching = [finding for finding in findings if expected in finding.problem]
    assert matching
    if block is not None:
        assert block in {finding.block for finding in matching}


def test_a_cleared_block_that_is_there_is_found(tmp_path: Path) -> None:
    async def write() -> bytes:
        async with Corestore.open(tmp_path) as store:
            core = await store.get(name="cleared")
            await core.append([b"x"] * 9)
            await core.clear(2, 5)
            return core.key

    key = trio.run(write)
    environment = LmdbEnvironment(tmp_path / DATA_NAME)
    environment.write([put(block_key(1, 3), b"x")])
    environment.close()
    findings = check(tmp_path)
    assert [(each.key, each.block) for each in findings] == [(key, 3)]
    assert "not listed" in findings[0].problem


def test_a_store_in_use_or_absent_is_not_checked(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no store"):
        check(tmp_path)

    async def check_while_open() -> None:
        async with Corestore.open(tmp_path):
            with pytest.raises(StoreInUse):
                check(tmp_path)

    trio.run(check_while_open)
    assert check(tmp_path) == []
