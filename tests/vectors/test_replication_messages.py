"""Every frame of the recorded sessions, decoded as annotated and encoded back to the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from protocol.crypto.hashes import TreeNode
from protocol.encoding.compact import Decoder
from protocol.hypercore.merkle.proof import Data, Request
from protocol.hypercore.replication.capability import (
    OpenHandshake,
    capability,
    check_open_untrusted,
    encode_open,
)
from protocol.hypercore.replication.messages import (
    Bitfield,
    Extension,
    Message,
    Range,
    Sync,
    Want,
    decode_message_untrusted,
    encode_message,
)

from .load import load_vectors

SESSIONS: dict[str, Any] = load_vectors("hypercore")["sessions"]
NAMES = [
    "sync", "request", "cancel", "data", "noData", "want", "unwant", "bitfield", "range",
    "extension",
]  # fmt: skip


def items(frame: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Channel, type and payload of each protomux message in a frame (control: channel 0)."""
    decoder = Decoder(frame)
    channel, kind = decoder.uint(), decoder.uint()
    if (channel, kind) != (0, 0):
        yield channel, kind, decoder.raw()
        return
    channel = decoder.uint()
    while decoder.remaining:
        size = decoder.uint()
        if size == 0:
            channel = decoder.uint()
            continue
        item = Decoder(decoder.fixed(size))
        kind = item.uint()
        yield channel, kind, item.raw()


def messages(session: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int, bytes]]:
    for frame in session["frames"]:
        decoded = list(items(bytes.fromhex(frame["hex"])))
        assert len(decoded) == len(frame["decoded"])
        for annotation, (channel, kind, payload) in zip(frame["decoded"], decoded, strict=True):
            if "control" not in annotation:
                assert annotation["channel"] == channel
                assert annotation["type"] == NAMES[kind]
                yield annotation["msg"], kind, payload


def nodes(values: list[dict[str, Any]]) -> tuple[TreeNode, ...]:
    return tuple(TreeNode(n["index"], n["size"], bytes.fromhex(n["hash"])) for n in values)


def check_request(message: Request, expected: dict[str, Any]) -> None:
    assert (message.id, message.fork) == (expected["id"], expected["fork"])
    assert (message.manifest, message.priority) == (expected["manifest"], expected["priority"])
    for name in ("block", "hash", "seek", "upgrade"):
        part = getattr(message, name)
        if name not in expected:
            assert part is None
        else:
            assert {field: getattr(part, field) for field in part.__slots__} == expected[name]


def check_data(message: Data, expected: dict[str, Any]) -> None:
    assert (message.request, message.fork) == (expected["request"], expected["fork"])
    for name in ("block", "hash", "seek", "upgrade", "manifest"):
        assert (getattr(message, name) is None) == (name not in expected)
    if message.block is not None:
        assert message.block.index == expected["block"]["index"]
        assert message.block.value.hex() == expected["block"]["value"]
        assert message.block.nodes == nodes(expected["block"]["nodes"])
    if message.hash is not None:
        assert message.hash.index == expected["hash"]["index"]
        assert message.hash.nodes == nodes(expected["hash"]["nodes"])
    if message.seek is not None:
        assert message.seek.bytes == expected["seek"]["bytes"]
        assert message.seek.nodes == nodes(expected["seek"]["nodes"])
    if message.upgrade is not None:
        upgrade = expected["upgrade"]
        assert (message.upgrade.start, message.upgrade.length) == (
            upgrade["start"],
            upgrade["length"],
        )
        assert message.upgrade.nodes == nodes(upgrade["nodes"])
        assert message.upgrade.additional_nodes == nodes(upgrade["additionalNodes"])
        assert (message.upgrade.signature or b"").hex() == (upgrade.get("signature") or "")
    if message.manifest is not None:
        assert message.manifest.version == expected["manifest"]["version"]
        assert message.manifest.quorum == expected["manifest"]["quorum"]
        keys = [signer.public_key.hex() for signer in message.manifest.signers]
        assert keys == [signer["publicKey"] for signer in expected["manifest"]["signers"]]


def check(message: Message | None, expected: dict[str, Any]) -> None:
    match message:
        case Sync():
            camel = {
                "remote_length": "remoteLength",
                "can_upgrade": "canUpgrade",
                "has_manifest": "hasManifest",
                "allow_push": "allowPush",
            }
            values = {camel.get(k, k): v for k, v in message._asdict().items()}
            assert values == {"allowPush": False, **expected}
        case Request():
            check_request(message, expected)
        case Data():
            check_data(message, expected)
        case Want() | Range():
            assert message._asdict() == expected
        case Bitfield():
            words = [
                [i, int.from_bytes(message.bits[4 * i : 4 * i + 4], "little")]
                for i in range(len(message.bits) // 4)
            ]
            assert message.start == expected["start"]
            assert len(words) == expected["bitfield"]["u32len"]
            assert [w for w in words if w[1]] == expected["bitfield"]["nonzero"]
        case Extension():
            assert message.name == expected["name"]
            assert message.message.hex() == expected["message"]
        case _:
            raise AssertionError(f"the recordings hold no {message}")


@pytest.mark.parametrize("name", SESSIONS)
def test_messages_decode_as_annotated_and_encode_back(name: str) -> None:
    for expected, kind, payload in messages(SESSIONS[name]):
        message = decode_message_untrusted(kind, payload)
        check(message, expected)
        assert message is not None
        assert encode_message(message) == (kind, payload)


@pytest.mark.parametrize("name", SESSIONS)
def test_opens_carry_the_capability(name: str) -> None:
    session = SESSIONS[name]
    handshake_hash = bytes.fromhex(session["handshake_hash"])
    seen = 0
    for frame in session["frames"]:
        for expected in frame["decoded"]:
            if expected.get("control") != "open" or expected["id"] != session["discovery_key"]:
                continue
            key = bytes.fromhex(session["key"])
            initiator = frame["from"] == "initiator"
            proof = capability(handshake_hash, key, initiator=initiator)
            assert proof.hex() == expected["handshake"]["capability"]
            payload = encode_open(OpenHandshake(proof, expected["handshake"]["seeks"]))
            assert payload in bytes.fromhex(frame["hex"])
            check_open_untrusted(payload, handshake_hash, key, remote_initiator=initiator)
            seen += 1
    assert seen
