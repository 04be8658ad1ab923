"""Proofs of keys that stand and of keys that do not: complete, minimal, and safe to read."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import BeeBlockError
from protocol.hyperbee import check_key_untrusted, decode_block_untrusted, prove_key

from .test_hyperbee_fuzz import TREE

KEYS = st.one_of(st.integers(0, 99).map(lambda n: b"%02d" % n), st.binary(max_size=3))


@given(KEYS, st.integers(0, len(TREE)))
def test_the_blocks_on_the_way_show_it_and_fewer_do_not(key: bytes, version: int) -> None:
    blocks = prove_key(version, key, TREE.__getitem__)
    found = check_key_untrusted(version, key, blocks)
    state: dict[bytes, int] = {}
    for seq in range(1, version):
        block = decode_block_untrusted(TREE[seq], seq)
        if block.is_deletion_untrusted():
            state.pop(block.key, None)
        else:
            state[block.key] = seq
    assert (found and found.seq) == state.get(key)
    for seq in blocks:
        with pytest.raises(BeeBlockError):
            check_key_untrusted(version, key, {s: b for s, b in blocks.items() if s != seq})
    other = next((seq for seq in range(1, len(TREE)) if seq not in blocks), None)
    if other is not None:
        with pytest.raises(BeeBlockError):
            check_key_untrusted(version, key, {**blocks, other: TREE[other]})


@given(KEYS, st.integers(0, 200), st.integers(0, 255))
def test_damaged_proofs(key: bytes, position: int, byte: int) -> None:
    blocks = prove_key(len(TREE), key, TREE.__getitem__)
    for seq, block in blocks.items():
        damaged = bytearray(block)
        damaged[position % len(block)] = byte
        with suppress(BeeBlockError):
            check_key_untrusted(len(TREE), key, {**blocks, seq: bytes(damaged)})
