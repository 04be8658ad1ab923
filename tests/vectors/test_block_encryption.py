"""Block encryption, against what npm hypercore stored."""

from __future__ import annotations

import pytest

from protocol.crypto.block_encryption import BlockEncryption

from .load import load_vectors

VECTORS = load_vectors("hypercore")["block_encryption"]
ENCRYPTION_KEY = bytes.fromhex(VECTORS["encryption_key"])
CORE_KEY = bytes.fromhex(VECTORS["core_key"])
STORED = [bytes.fromhex(block) for block in VECTORS["stored_blocks"]]


@pytest.mark.parametrize(("prefix", "compat"), [("", False), ("compat_", True)])
def test_keys(prefix: str, compat: bool) -> None:
    keys = BlockEncryption(ENCRYPTION_KEY, CORE_KEY, compat=compat)
    assert keys.block_key.hex() == VECTORS[f"{prefix}block_key"]
    assert keys.blinding_key.hex() == VECTORS[f"{prefix}blinding_key"]


def test_blocks() -> None:
    keys = BlockEncryption(ENCRYPTION_KEY, CORE_KEY, compat=False)
    assert keys.encrypt(0, 0, [b"hello", b"world"]) == STORED
    assert keys.encrypt(1, 0, [b"world"]) == STORED[1:]
    assert [keys.decrypt_untrusted(i, block) for i, block in enumerate(STORED)] == [
        b"hello",
        b"world",
    ]
