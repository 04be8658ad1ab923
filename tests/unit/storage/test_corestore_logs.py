"""Which log a store gives for a name, key, key pair or manifest, and what it keeps of it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import trio

from protocol.crypto.hashes import discovery_key
from protocol.crypto.keys import ROOT_NAMESPACE, KeyPair
from protocol.crypto.manifest import default_manifest, manifest_key, multi_signer_manifest
from protocol.hypercore.merkle.quorum import verify_head
from tests.vectors.load import load_vectors
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.environments.lmdb_environment import DATA_NAME, LmdbEnvironment
from vitra_node.storage.environments.records import MAX_RECORD_KEY_BYTES, MAX_TABLE_NAME_BYTES
from vitra_node.storage.errors import (
    KeyFileError,
    RecordTooLarge,
    StorageError,
    StoreClosed,
    StoreDamaged,
    StoreInUse,
    StoreVersionError,
)
from vitra_node.storage.log.hypercore import Hypercore

VECTORS = load_vectors("hypercore")["corestore"]
PRIMARY = bytes.fromhex(VECTORS["primary_key"])
WRITER = KeyPair.from_seed(bytes([1]) * 32)


async def test_named_logs_are_those_of_corestore_7() -> None:
    vectors = [core for core in VECTORS["cores"] if core["api"] == "corestore7 default"]
    checked = 0
    async with Corestore.open(None, primary_key=PRIMARY) as store:
        for vector in vectors:
            if bytes.fromhex(vector["namespace"]) != ROOT_NAMESPACE:
                continue
            core = await store.get(name=vector["name"])
            assert core.key.hex() == vector["key"]
            assert core.discovery_key.hex() == vector["discovery_key"]
            assert core.key_pair.public_key.hex() == vector["public_key"]
            checked += 1
    assert checked >= 3


async def test_namespaces_separate_names() -> None:
    async with Corestore.open(None, primary_key=PRIMARY) as store:
        inner = store.namespace("one").namespace("two")
        cores = [await each.get(name="a") for each in (store, store.namespace("one"), inner)]
        assert len({core.key for core in cores}) == 3
        assert await store.namespace("one").namespace("two").get(name="a") is cores[2]
        keys = {core["key"] for core in VECTORS["cores"]}
        assert cores[0].key.hex() in keys


async def test_the_same_log_is_the_same_object() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="a")
        found: list[object] = []

        async def get() -> None:
            found.append(await store.get(key=core.key))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(get)
        assert all(each is core for each in found)
        assert await store.get(key_pair=core.key_pair) is core
        assert await store.get(manifest=core.manifest) is core
        assert store.discovery_keys() == [core.discovery_key]


async def test_three_keys_of_one_key_pair() -> None:
    async with Corestore.open(None) as store:
        v1 = await store.get(key_pair=WRITER)
        compat = await store.get(key_pair=WRITER, compat=True)
        v0 = await store.get(
            key_pair=WRITER, key=manifest_key(default_manifest(WRITER.public_key, 0))
        )
        assert v1.key == manifest_key(default_manifest(WRITER.public_key))
        assert compat.key == WRITER.public_key
        assert len({v1.key, compat.key, v0.key}) == 3
        for core in (v1, compat, v0):
            await core.append([b"a", b"b"])
            assert verify_head(core.key, core.manifest, core.head)
        assert len(compat.head.signature) == len(v0.head.signature) == 64
        assert len(v1.head.signature) == 68


async def test_what_does_not_belong_together_is_refused() -> None:
    other = KeyPair.from_seed(bytes([2]) * 32)
    manifest = multi_signer_manifest((WRITER.public_key,))
    async with Corestore.open(None) as store:
        for wrong in (
            {},
            {"key": b"short"},
            {"key": bytes(32), "key_pair": WRITER},
            {"key": bytes(32), "manifest": manifest},
            {"manifest": manifest, "key_pair": other},
            {"manifest": manifest, "name": "a"},
            {"name": "a", "key_pair": WRITER},
        ):
            with pytest.raises(StorageError):
                await store.get(**wrong)
        assert store.discovery_keys() == []


async def test_a_named_log_is_writable_again_by_its_key(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path / "s") as store:
        core = await store.namespace("ns").get(name="a")
        await core.append([b"one", b"two"])
        key = core.key
    async with Corestore.open(tmp_path / "s") as store:
        core = await store.get(key=key)
        assert core.writable
        assert core.length == 2
        assert await core.append(b"three") == 3
    async with Corestore.open(tmp_path / "s") as store:
        core = await store.namespace("ns").get(name="a")
        assert core.length == 3


async def test_a_callers_key_pair_is_not_kept(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path / "s") as store:
        core = await store.get(key_pair=WRITER)
        await core.append(b"one")
        key = core.key
    assert WRITER.seed not in (tmp_path / "s" / DATA_NAME).read_bytes()
    async with Corestore.open(tmp_path / "s") as store:
        core = await store.get(key=key)
        assert not core.writable
        assert core.manifest == default_manifest(WRITER.public_key)
        assert await store.get(key_pair=WRITER) is core
        assert core.writable
        assert await core.append(b"two") == 2


async def test_what_is_learnt_later_is_kept(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path / "s", primary_key=PRIMARY) as store:
        name_key = (await store.get(name="a")).key
    async with Corestore.open(tmp_path / "t", primary_key=PRIMARY) as store:
        core = await store.get(key=name_key)
        assert not core.writable
        assert core.manifest is None
        assert await store.get(name="a") is core
        assert core.writable
        await core.append(b"x")
    async with Corestore.open(tmp_path / "t") as store:
        assert (await store.get(key=name_key)).writable


async def test_the_directory_is_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "store"
    async with Corestore.open(path) as store:
        await (await store.get(name="a")).append(b"x")
        modes = {
            entry.relative_to(path).as_posix(): stat.S_IMODE(entry.stat().st_mode)
            for entry in path.rglob("*")
        }
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert modes.pop("keys") == 0o700
    assert set(modes.values()) == {0o600}


async def test_a_second_opening_is_refused(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path):
        with pytest.raises(StoreInUse, match=str(tmp_path)):
            async with Corestore.open(tmp_path):
                pass
    async with Corestore.open(tmp_path):
        pass


async def test_primary_keys(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path, primary_key=PRIMARY) as store:
        assert (await store.get(name="a")).key.hex() == VECTORS["cores"][0]["key"]
    async with Corestore.open(tmp_path, primary_key=PRIMARY):
        pass
    for wrong in (bytes(32), b"short"):
        with pytest.raises(KeyFileError):
            async with Corestore.open(tmp_path, primary_key=wrong):
                pass
    key_file = tmp_path / "keys" / "primary"
    key_file.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod"):
        async with Corestore.open(tmp_path):
            pass
    key_file.unlink()
    with pytest.raises(KeyFileError, match="missing"):
        async with Corestore.open(tmp_path):
            pass


async def test_a_primary_key_of_another_store_is_noticed(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        core = await store.get(name="a")
        await core.append(b"x")
    key_file = tmp_path / "keys" / "primary"
    key_file.write_text(bytes(32).hex() + "\n")
    async with Corestore.open(tmp_path) as store:
        with pytest.raises(KeyFileError, match="not the one"):
            await store.get(key=core.key)


async def test_data_files_that_are_not_ours(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path / "version"):
        pass
    environment = LmdbEnvironment(tmp_path / "version" / DATA_NAME)
    newer = Writes()
    newer.put(b"\x00schema", (99).to_bytes(4, "big"))
    environment.write([newer])
    environment.close()
    with pytest.raises(StoreVersionError, match="99"):
        async with Corestore.open(tmp_path / "version"):
            pass

    async with Corestore.open(tmp_path / "garbage"):
        pass
    (tmp_path / "garbage" / DATA_NAME).write_bytes(b"garbage" * 4096)
    with pytest.raises(StoreDamaged):
        async with Corestore.open(tmp_path / "garbage"):
            pass

    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        async with Corestore.open(tmp_path / "file"):
            pass


async def test_an_exception_of_the_body_comes_out_alone_and_closes_the_store(
    tmp_path: Path,
) -> None:
    opened: list[Hypercore] = []

    async def use() -> None:
        async with Corestore.open(tmp_path) as store:
            opened.append(await store.get(name="a"))
            await opened[0].append(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use()
    with pytest.raises(StoreClosed):
        await opened[0].append(b"y")
    async with Corestore.open(tmp_path) as store:
        assert (await store.get(name="a")).length == 1


async def test_sessions_find_logs_and_hear_of_new_ones(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        one = await store.get(name="one")
    async with Corestore.open(tmp_path) as store:
        heard: list[bytes] = []
        stop = store.cores.on_active(lambda core: heard.append(core.key))
        found = store.cores.find(one.discovery_key)
        assert found is not None
        assert found.key == one.key
        assert store.cores.find(bytes(32)) is None
        # Found by a peer is not asked for by the program.
        assert store.cores.active() == []
        assert heard == []
        again = await store.get(name="one")
        assert again.replication is found
        assert heard == [one.key]
        await store.get(name="one")
        stop()
        await store.get(name="two")
        assert heard == [one.key]
        assert len(store.cores.active()) == 2


async def test_many_logs_do_not_mix(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        cores = [await store.get(name=str(number)) for number in range(40)]
        async with trio.open_nursery() as nursery:
            for number, core in enumerate(cores):
                nursery.start_soon(core.append, [b"%d/%d" % (number, i) for i in range(number)])
        await cores[20].truncate(3)
    async with Corestore.open(tmp_path) as store:
        assert set(store.discovery_keys()) == {core.discovery_key for core in cores}
        for number, core in enumerate(cores):
            again = await store.get(key=core.key)
            length = 3 if number == 20 else number
            assert [await again.get(i) for i in range(again.length)] == [
                b"%d/%d" % (number, i) for i in range(length)
            ]


async def test_records(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        one, two = store.records.table("one"), store.records.table("on")
        await one.put(b"b", b"2")
        await one.put(b"a", b"1")
        await one.put(b"", b"0")
        await two.put(b"ea", b"other")
        await store.records.write([one.record(b"c", b"3"), two.record(b"ea", None)])
        assert one.items() == [(b"", b"0"), (b"a", b"1"), (b"b", b"2"), (b"c", b"3")]
        assert one.items(b"a", b"c") == [(b"a", b"1"), (b"b", b"2")]
        assert one.items(limit=1, reverse=True) == [(b"c", b"3")]
        assert two.items() == []
        await one.delete(b"a")
        await one.delete(b"absent")
        for key, value in ((bytes(MAX_RECORD_KEY_BYTES + 1), b""), (b"", bytes(2**24 + 1))):
            with pytest.raises(RecordTooLarge):
                await one.put(key, value)
        await one.put(b"\xff" * MAX_RECORD_KEY_BYTES, b"long")
        for name in ("", "x" * (MAX_TABLE_NAME_BYTES + 1)):
            with pytest.raises(RecordTooLarge):
                store.records.table(name)
        longest = store.records.table("x" * MAX_TABLE_NAME_BYTES)
        await longest.put(bytes(MAX_RECORD_KEY_BYTES), b"longest")
    async with Corestore.open(tmp_path) as store:
        assert store.records.table("one").get(b"a") is None
        assert len(store.records.table("one").items()) == 4
        assert longest.record(b"", None)[0] == store.records.table("x" * 64).record(b"", None)[0]


async def test_a_store_names_the_log_it_created_before_the_first_block(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        core = await store.get(key=WRITER.public_key)
        assert (core.length, core.manifest, core.writable) == (0, None, False)
    async with Corestore.open(tmp_path) as store:
        assert store.discovery_keys() == [discovery_key(WRITER.public_key)]
