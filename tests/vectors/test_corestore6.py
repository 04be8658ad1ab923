"""Logs that npm ``corestore`` 6 derives from a primary key, in each of the forms it knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from protocol.crypto.hashes import discovery_key
from protocol.crypto.keys import ROOT_NAMESPACE, KeyPair, child_namespace, corestore_seed
from protocol.crypto.manifest import default_manifest, manifest_key
from vitra_node import Corestore

from .load import load_vectors

VECTORS: Any = load_vectors("corestore6")
PRIMARY_KEY = bytes.fromhex(VECTORS["primary_key"])


def in_namespace(store: Corestore, names: Sequence[str]) -> Corestore:
    """``store``, or one of the namespaces below."""
    for name in names:
        store = store.namespace(name)
    return store


@pytest.mark.parametrize("log", VECTORS["logs"])
def test_keys(log: dict[str, Any]) -> None:
    namespace = ROOT_NAMESPACE
    for name in log["namespaces"]:
        namespace = child_namespace(namespace, name)
    pair = KeyPair.from_seed(corestore_seed(PRIMARY_KEY, namespace, log["name"]))
    assert pair.public_key.hex() == log["public_key"]
    key = pair.public_key
    if not log["options"].get("compat", True):
        version = log["options"].get("manifestVersion", 0)
        key = manifest_key(default_manifest(pair.public_key, version))
    assert (key.hex(), discovery_key(key).hex()) == (log["key"], log["discovery_key"])


async def test_a_store_opens_them_by_name() -> None:
    async with Corestore.open(None, primary_key=PRIMARY_KEY) as store:
        for log in VECTORS["logs"]:
            place = in_namespace(store, log["namespaces"])
            if log["options"].get("compat", True):
                core = await place.get(name=log["name"], compat=True)
            else:
                pair = place.create_key_pair(log["name"])
                version = log["options"].get("manifestVersion", 0)
                core = await place.get(
                    name=log["name"], manifest=default_manifest(pair.public_key, version)
                )
            assert core.key.hex() == log["key"]
            assert core.writable
