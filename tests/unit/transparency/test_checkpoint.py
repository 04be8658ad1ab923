"""Checkpoints of monitors: what comes back, what is refused, what fits which index."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.crypto.hashes import blake2b_256
from protocol.errors import RecordError
from protocol.transparency.audits.checkpoint import (
    Checkpoint,
    decode_checkpoint_untrusted,
    encode_checkpoint,
)
from protocol.transparency.replay.state import ReplayState
from tests.merkle_core import MemoryCore
from tests.signed_logs import KINDS, blocks

RUNTIME = "duktape/1"
STATE = ReplayState(
    position=5,
    genesis_done=True,
    record_format=1,
    runtime_id=RUNTIME,
    source_seq=1,
    participants={b"\x01" * 32: True, b"\x02" * 32: False},
    next_seqs={b"\x01" * 32: 2},
    last_ts=1_700_000_000_000,
    operations=2,
    votes={b"\x01" * 32: 1},
)


def log(*items: bytes) -> MemoryCore:
    return KINDS["version 1"].core(list(items))


def of(core: MemoryCore, **changes: object) -> Checkpoint:
    return replace(Checkpoint(core.key, RUNTIME, core.head, STATE), **changes)  # type: ignore[arg-type]


def test_it_comes_back() -> None:
    checkpoint = of(log(*blocks(7, 7, b"")))
    assert decode_checkpoint_untrusted(encode_checkpoint(checkpoint)) == checkpoint


def test_no_damaged_one_is_read() -> None:
    """One bit anywhere, and any part cut off: a position that moved would hide what it skips."""
    data = encode_checkpoint(of(log(*blocks(7, 7, b""))))
    for place in range(len(data)):
        for bit in (1, 0x10, 0x80):
            damaged = bytearray(data)
            damaged[place] ^= bit
            with pytest.raises(RecordError):
                decode_checkpoint_untrusted(bytes(damaged))
        with pytest.raises(RecordError):
            decode_checkpoint_untrusted(data[:place])
    with pytest.raises(RecordError):
        decode_checkpoint_untrusted(data + b"\0")


def test_another_format_is_refused() -> None:
    body = encode_checkpoint(of(log(*blocks(7, 7, b""))))[32:]
    other = b"\x02" + body[1:]
    with pytest.raises(RecordError, match="format 2"):
        decode_checkpoint_untrusted(blake2b_256(other) + other)


def test_it_fits_the_index_that_it_was_made_of_and_what_that_grows_to() -> None:
    short, long = log(*blocks(7, 7, b"")), log(*blocks(30, 30, b""))
    assert of(short).misfit(short, RUNTIME) is None
    assert of(short).misfit(long, RUNTIME) is None


def test_it_fits_nothing_else() -> None:
    core = log(*blocks(7, 7, b""))
    grown_otherwise = log(*blocks(30, 6, b"other"))
    cases = [
        (of(core), grown_otherwise, RUNTIME, "does not contain the head"),
        (of(log(*blocks(30, 30, b""))), core, RUNTIME, "7 blocks here, not 30"),
        (of(core), core, "duktape/2", "another contract runtime"),
        (of(core, log_key=bytes(32)), core, RUNTIME, "another database"),
        (of(core, head=replace(core.head, fork=1)), core, RUNTIME, "another fork number"),
        (of(core, state=replace(STATE, position=8)), core, RUNTIME, "more than its head covers"),
        (of(core, state=replace(STATE, position=0)), core, RUNTIME, "more than its head covers"),
    ]
    for checkpoint, index, runtime, reason in cases:
        assert reason in (checkpoint.misfit(index, runtime) or ""), reason


def test_it_does_not_fit_where_the_roots_are_not_stored() -> None:
    short, long = log(*blocks(7, 7, b"")), log(*blocks(30, 30, b""))
    del long.nodes[short.head.roots[0].index]
    assert of(short).misfit(long, RUNTIME) is not None
