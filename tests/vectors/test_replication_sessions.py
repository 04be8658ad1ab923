"""The recorded sessions, with one side played by ours.

As the uploader we have to answer each recorded request with the very bytes that JS answered. As the
downloader we choose other blocks and ids than JS does, but ask for the head in the same bytes.
"""

from __future__ import annotations

from typing import Any

import pytest

from protocol.crypto.hashes import TreeNode
from protocol.crypto.manifest import Manifest, default_manifest
from protocol.hypercore.core import EMPTY_HEAD, CoreChange, TreeHead
from protocol.hypercore.merkle.growth import append_blocks
from protocol.hypercore.replication.messages import (
    DATA,
    NO_DATA,
    RANGE,
    REQUEST,
    SYNC,
    decode_data_untrusted,
    decode_request_untrusted,
    decode_sync_untrusted,
)

from ..replication_nodes import MemoryCore, Node
from .load import load_vectors
from .test_replication_messages import items

SESSIONS: dict[str, Any] = load_vectors("hypercore")["sessions"]
# The others have no log in common, or change it meanwhile.
STILL = [
    "v11_to_v11_full", "v11_get_single_block", "v11_seek", "v11_extension",
    "v11_close_and_reopen", "compat_core_v11", "v10_uploader_v11_downloader",
    "v11_uploader_v10_downloader", "v10_compat_uploader_v10_downloader", "v11_sparse_uploader",
    "prologue_plus_signer", "v11_two_cores",
]  # fmt: skip


def frames(session: dict[str, Any]) -> list[tuple[str, int, bytes]]:
    """Sender, type and payload of each message for the session's (first) log."""
    first: dict[str, int] = {}
    messages = []
    for frame in session["frames"]:
        for decoded, (channel, kind, payload) in zip(
            frame["decoded"], items(bytes.fromhex(frame["hex"])), strict=True
        ):
            if decoded.get("control") == "open" and decoded["id"] == session["discovery_key"]:
                first[frame["from"]] = decoded["channel"]
            elif channel and first.get(frame["from"]) == channel:
                messages.append((frame["from"], kind, payload))
    return messages


def uploader_core(session: dict[str, Any]) -> MemoryCore:
    """The log that the recorded responder had, put together from what it sent."""
    key = bytes.fromhex(session["key"])
    answers = [decode_data_untrusted(p) for f, k, p in frames(session) if k == DATA]
    upgrades = [answer.upgrade for answer in answers if answer.upgrade is not None]
    upgrade = upgrades[-1]
    assert upgrade is not None
    nodes = (*upgrade.nodes, *upgrade.additional_nodes)
    length = max(
        [upgrade.start + upgrade.length]
        + [(node.index + (~node.index & (node.index + 1)) + 1) >> 1 for node in nodes]
    )
    manifest: Manifest | None = next((a.manifest for a in answers if a.manifest), None)
    blocks = [b"block #%d" % index for index in range(length)]
    grown, head = append_blocks(EMPTY_HEAD, blocks)
    core = MemoryCore(key, manifest or default_manifest(key))
    signed = TreeHead(length, head.byte_length, 0, head.roots, upgrade.signature)
    core.apply(CoreChange(grown, list(enumerate(blocks)), signed))
    known: dict[int, TreeNode] = core.nodes
    assert all(known[node.index] == node for node in nodes)
    return core


@pytest.mark.parametrize("name", STILL)
def test_we_answer_in_the_same_bytes(name: str) -> None:
    session = SESSIONS[name]
    node = Node(uploader_core(session))
    peer = node.open_channel()
    expected = {}
    for sender, kind, payload in frames(session):
        if sender == "initiator":
            node.hear(peer, kind, payload)
        elif kind == DATA:
            expected[decode_data_untrusted(payload).request, payload] = None
    answered = {
        (decode_data_untrusted(s.payload).request, s.payload): None
        for s in node.sent
        if s.kind == DATA
    }
    assert answered == expected
    assert not any(s.kind == NO_DATA for s in node.sent)
    assert not node.faults


@pytest.mark.parametrize("name", STILL)
def test_our_first_words_are_the_same(name: str) -> None:
    """A full copy says what the recorded responder said, up to repetitions of the same sync."""
    session = SESSIONS[name]
    if name == "v11_sparse_uploader":
        return
    node = Node(uploader_core(session))
    peer = node.open_channel()
    said = [(k, p) for f, k, p in frames(session) if f == "responder" and k in (SYNC, RANGE)]
    assert list(node.outboxes[peer]) == said[:2]
    recorded = [p for f, k, p in frames(session) if f == "initiator" and k == SYNC]
    for payload in recorded:
        node.hear(peer, SYNC, payload)
    ours = [decode_sync_untrusted(s.payload) for s in node.sent if s.kind == SYNC]
    theirs = [decode_sync_untrusted(p) for k, p in said if k == SYNC]
    assert set(theirs) <= set(ours)


@pytest.mark.parametrize("name", STILL)
def test_we_ask_for_the_head_and_take_it(name: str) -> None:
    session = SESSIONS[name]
    node = Node(MemoryCore(bytes.fromhex(session["key"])))
    peer = node.open_channel()
    messages = frames(session)
    recorded_requests = [p for f, k, p in messages if f == "initiator" and k == REQUEST]
    upgrade = next(p for p in recorded_requests if decode_request_untrusted(p).upgrade)
    told = next(p for f, k, p in messages if f == "responder" and k == SYNC)
    node.hear(peer, SYNC, told)
    (request,) = [s.payload for s in node.sent if s.kind == REQUEST]
    assert request == upgrade
    answer = next(
        p
        for f, k, p in messages
        if f == "responder" and k == DATA and decode_data_untrusted(p).upgrade
    )
    node.hear(peer, DATA, answer)
    assert node.core.head == uploader_core(session).head
    syncs = [decode_sync_untrusted(s.payload) for s in node.sent if s.kind == SYNC]
    final = [decode_sync_untrusted(p) for f, k, p in messages if f == "initiator" and k == SYNC]
    assert syncs[0] == final[0]
    assert syncs[-1] in final
    assert not node.faults
