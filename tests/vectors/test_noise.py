"""Noise and the secret stream, byte for byte against npm ``noise-handshake`` and its stream."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from protocol.crypto.keys import KeyPair
from protocol.noise.curve import Ed25519Backend, diffie_hellman
from protocol.noise.datagrams import COUNTER_BYTES, DatagramBox
from protocol.noise.handshake import Handshake
from protocol.noise.secret_stream import (
    STREAM_HEADER_BYTES,
    HandshakeDone,
    Message,
    SecretStream,
    stream_id,
)
from tests.connection_pair import stream_events

from .load import load_vectors

HYPERCORE = load_vectors("hypercore")
STREAMS = ["secret_stream_XX", "secret_stream_IK"]

h = bytes.fromhex


@pytest.mark.parametrize("vector", HYPERCORE["dh"])
def test_diffie_hellman(vector: dict[str, str]) -> None:
    seed, public_key = h(vector["secret_seed"]), h(vector["public_key"])
    assert diffie_hellman(seed, public_key).hex() == vector["shared"] == vector["shared_reverse"]


def test_hmac_and_hkdf() -> None:
    """Those of the noiseprotocol package, with the backend that our handshakes give it."""
    backend = Ed25519Backend(bytes(32))
    hmac = partial(backend.hmac, algorithm=backend.hashes["BLAKE2b"]().fn)
    vector = HYPERCORE["hmac_blake2b"]
    assert hmac(h(vector["key"]), h(vector["data"])).hex() == vector["mac"]

    vector = HYPERCORE["hkdf"]
    chaining_key, ikm = h(vector["chaining_key"]), h(vector["ikm"])
    assert [o.hex() for o in backend.hkdf(chaining_key, ikm, 2, hmac)] == vector["out"]
    assert [o.hex() for o in backend.hkdf(chaining_key, b"", 2, hmac)] == vector["out_empty_ikm"]


@pytest.mark.parametrize("vector", HYPERCORE["noise"])
def test_handshake(vector: dict[str, Any]) -> None:
    pattern = vector["protocol"].split("_")[1]
    responder_key_pair = KeyPair.from_seed(h(vector["responder_static_seed"]))
    initiator = Handshake(
        pattern,
        True,
        KeyPair.from_seed(h(vector["initiator_static_seed"])),
        ephemeral_seed=h(vector["initiator_ephemeral_seed"]),
        remote_public_key=responder_key_pair.public_key if pattern == "IK" else None,
        prologue=h(vector["prologue"]),
    )
    responder = Handshake(
        pattern,
        False,
        responder_key_pair,
        ephemeral_seed=h(vector["responder_ephemeral_seed"]),
        prologue=h(vector["prologue"]),
    )
    for step in vector["messages"]:
        writer, reader = initiator, responder
        if step["from"] == "responder":
            writer, reader = reader, writer
        message = writer.write(h(step["payload"]))
        assert message.hex() == step["message"]
        assert reader.read_untrusted(message).hex() == step["payload"]
    assert initiator.result.tx.hex() == responder.result.rx.hex() == vector["initiator_tx"]
    assert initiator.result.rx.hex() == responder.result.tx.hex() == vector["initiator_rx"]
    assert initiator.result.hash.hex() == vector["handshake_hash"]
    assert vector["responder_hash_equal"]
    assert responder.result.hash == initiator.result.hash
    assert initiator.result.remote_public_key == responder_key_pair.public_key


def _streams(vector: dict[str, Any]) -> dict[str, SecretStream]:
    """Both streams of a recorded session, with the recorded seeds and stream headers."""
    responder_key_pair = KeyPair.from_seed(h(vector["responder_static_seed"]))
    streams: dict[str, SecretStream] = {}
    for side in ("initiator", "responder"):
        header = next(
            h(write["hex"])[-STREAM_HEADER_BYTES:]
            for write in vector["raw_writes_in_order"]
            if write["from"] == side and vector[f"{side}_stream_id"] in write["hex"]
        )
        known = side == "initiator" and vector["pattern"] == "IK"
        streams[side] = SecretStream(
            side == "initiator",
            KeyPair.from_seed(h(vector[f"{side}_static_seed"])),
            ephemeral_seed=h(vector[f"{side}_ephemeral_seed"]),
            stream_header=header,
            pattern=vector["pattern"],
            remote_public_key=responder_key_pair.public_key if known else None,
        )
    return streams


@pytest.mark.parametrize("section", STREAMS)
def test_stream_reads_what_js_wrote(section: str) -> None:
    vector = HYPERCORE[section]
    streams = _streams(vector)
    for write in vector["raw_writes_in_order"]:
        reader = "responder" if write["from"] == "initiator" else "initiator"
        streams[reader].receive_data_untrusted(h(write["hex"]))
    for side, stream in streams.items():
        done, *messages = stream_events(stream)
        assert isinstance(done, HandshakeDone)
        assert done.handshake_hash.hex() == vector["handshake_hash"]
        assert stream.result is not None
        tx = vector["initiator_tx" if side == "initiator" else "initiator_rx"]
        assert stream.result.tx.hex() == tx
        assert messages == [
            Message(h(written["plaintext"]))
            for written in vector["plaintext_messages_after_header_in_order"]
            if written["from"] != side and written["plaintext"]
        ]


@pytest.mark.parametrize("section", STREAMS)
def test_stream_writes_what_js_wrote(section: str) -> None:
    """Byte for byte: given the recorded header, even the ciphertext has one possible form."""
    vector = HYPERCORE[section]
    streams = _streams(vector)
    plaintexts = list(vector["plaintext_messages_after_header_in_order"])
    expected = {"initiator": "", "responder": ""}
    written = {"initiator": "", "responder": ""}
    now = 0.0
    for write in vector["raw_writes_in_order"]:
        side = write["from"]
        peer = "responder" if side == "initiator" else "initiator"
        stream = streams[side]
        setting_up = not streams["initiator"].is_open or not streams["responder"].is_open
        if not setting_up:
            plaintext = plaintexts.pop(0)
            assert plaintext["from"] == side
            if plaintext["plaintext"]:
                stream.send(h(plaintext["plaintext"]))
            else:
                now = stream.next_timer() or 0.0
                stream.handle_timer(now)
        expected[side] += write["hex"]
        written[side] += stream.data_to_send(now).hex()
        streams[peer].receive_data_untrusted(h(write["hex"]))
    assert not plaintexts
    assert written == expected


@pytest.mark.parametrize("section", STREAMS)
def test_stream_ids(section: str) -> None:
    vector = HYPERCORE[section]
    for side in ("initiator", "responder"):
        expected = vector[f"{side}_stream_id"]
        assert stream_id(h(vector["handshake_hash"]), side == "initiator").hex() == expected


@pytest.mark.parametrize("section", STREAMS)
def test_datagrams(section: str) -> None:
    vector = HYPERCORE[section]
    for recorded in vector["unordered"]["messages"]:
        datagram = h(recorded["datagram"])
        sent_by_initiator = recorded["from"] == "initiator"
        used = int.from_bytes(datagram[:COUNTER_BYTES], "little")
        before = ((used - 1) % 2**64).to_bytes(COUNTER_BYTES, "little")
        sender, receiver = (
            DatagramBox(initiator, h(vector["handshake_hash"]), first_counter=before)
            for initiator in (sent_by_initiator, not sent_by_initiator)
        )
        assert sender.seal(h(recorded["plaintext"])) == datagram
        assert receiver.open_untrusted(datagram).hex() == recorded["plaintext"]
