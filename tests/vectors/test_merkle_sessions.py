"""Every proof that JavaScript peers sent in the recorded sessions, verified and stored in order.

Then the copies answer the same requests, and have to give the same proofs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from protocol.hypercore.merkle.proof import Data, Request
from protocol.hypercore.merkle.prover import build_proof
from protocol.hypercore.merkle.reorg import begin_reorg_untrusted
from protocol.hypercore.merkle.verifier import verify_proof_untrusted
from protocol.hypercore.replication.messages import (
    DATA,
    REQUEST,
    decode_data_untrusted,
    decode_request_untrusted,
)

from ..merkle_core import MemoryCore
from .load import load_vectors
from .test_replication_messages import items

SESSIONS: dict[str, Any] = load_vectors("hypercore")["sessions"]
WITH_PROOFS = [name for name in SESSIONS if name != "v11_unknown_core"]


def exchanges(session: dict[str, Any]) -> Iterator[tuple[int, Request | Data]]:
    for frame in session["frames"]:
        for channel, kind, payload in items(bytes.fromhex(frame["hex"])):
            if channel and kind == REQUEST:
                yield channel, decode_request_untrusted(payload)
            if channel and kind == DATA:
                yield channel, decode_data_untrusted(payload)


def receive(core: MemoryCore, data: Data) -> None:
    if data.fork > core.head.fork and core.head.length:
        reorg = begin_reorg_untrusted(core, data)
        assert reorg.hash_request() is None
        core.apply(reorg.change())
    else:
        core.apply(verify_proof_untrusted(core, data))


@pytest.mark.parametrize("name", WITH_PROOFS)
def test_proofs_of_javascript_peers(name: str) -> None:
    session = SESSIONS[name]
    proofs = [(channel, m) for channel, m in exchanges(session) if isinstance(m, Data)]
    channels = sorted({channel for channel, _ in proofs})
    # A second log has the higher channel; numbers are the sender's own.
    keys = dict(zip(channels, ("key", "key2"), strict=False))
    cores = {c: MemoryCore(bytes.fromhex(session[key])) for c, key in keys.items()}
    for channel, data in proofs:
        receive(cores[channel], data)
    for channel, core in cores.items():
        blocks = [data.block for c, data in proofs if c == channel and data.block is not None]
        length = core.head.length
        assert length
        assert core.blocks == {b.index: b.value for b in blocks if b.index < length}


@pytest.mark.parametrize("name", ["v11_to_v11_full", "compat_core_v11", "prologue_plus_signer"])
def test_a_full_copy_answers_as_the_javascript_peer_did(name: str) -> None:
    session = SESSIONS[name]
    core = MemoryCore(bytes.fromhex(session["key"]))
    requests: dict[int, Request] = {}
    expected: list[tuple[Request, Data]] = []
    for _, message in exchanges(session):
        if isinstance(message, Request):
            requests[message.id] = message
        else:
            receive(core, message)
            expected.append((requests[message.request], message))
    assert core.contiguous_length == core.head.length
    for request, data in expected:
        assert build_proof(core, request) == replace(data, request=request.id)
