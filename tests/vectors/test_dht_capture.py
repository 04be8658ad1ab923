"""Three recorded connections between JS peers, recomputed and decrypted; and JS's routing table."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import KeyPair
from protocol.dht import namespaces
from protocol.dht.addresses import Address, node_id
from protocol.dht.handshake.handshake_box import (
    Mode,
    decode_handshake_box_untrusted,
    decode_holepunch_box_untrusted,
    encode_handshake_box,
    encode_holepunch_box,
)
from protocol.dht.handshake.noise_payload import (
    decode_noise_payload_untrusted,
    encode_noise_payload,
)
from protocol.dht.punching.holepunch_payload import (
    NONCE_BYTES,
    holepunch_secret,
    open_holepunch_untrusted,
    seal_holepunch,
)
from protocol.dht.rpc.messages import (
    REQUEST,
    RESPONSE,
    Command,
    Request,
    decode_packet_untrusted,
    encode_request,
    encode_response,
)
from protocol.dht.rpc.routing_table import Node, RoutingTable
from protocol.noise.handshake import Handshake

from .load import load_vectors

DHT = load_vectors("hyperdht")
SCENARIOS = DHT["hyperdht_capture"]["scenarios"]

h = bytes.fromhex


def _packets(scenario: dict[str, Any]) -> list[dict[str, Any]]:
    return [p for p in scenario["packets"] if h(p["hex"])[0] in (REQUEST, RESPONSE)]


def _text(address: Address | None) -> str | None:
    return None if address is None else f"{address.host}:{address.port}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s["name"])
def test_packets(scenario: dict[str, Any]) -> None:
    """Each packet is read as annotated, and written again byte for byte."""
    packets = _packets(scenario)
    assert packets
    for annotated in packets:
        data = h(annotated["hex"])
        packet = decode_packet_untrusted(data)
        encoded = encode_request(packet) if isinstance(packet, Request) else encode_response(packet)
        assert encoded == data
        assert packet.tid == annotated["tid"]
        assert _text(packet.to) == annotated["to"]
        assert (packet.id is not None) == annotated["has_id"]
        assert (packet.token is not None) == annotated["token"]
        if packet.id is not None:
            port = int(annotated["src"].split("(")[0])
            assert packet.id == node_id(Address("127.0.0.1", port))
        if isinstance(packet, Request):
            assert annotated["kind"].endswith(Command(packet.command).name)
            assert packet.target == h(scenario["target"])
        else:
            assert len(packet.closer_nodes) == annotated["closer"]


def _noise(scenario: dict[str, Any], mode: Mode) -> bytes:
    """The handshake message of the first box of a kind."""
    for annotated in _packets(scenario):
        if annotated.get("handshake", {}).get("mode") == mode.name:
            value = decode_packet_untrusted(h(annotated["hex"])).value
            assert value is not None
            return decode_handshake_box_untrusted(value).noise
    raise AssertionError(mode)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s["name"])
def test_handshake(scenario: dict[str, Any]) -> None:
    """With the recorded seeds both messages come out the same, and so do the keys."""
    server = KeyPair.from_seed(h(scenario["server_seed"]))
    client = KeyPair.from_seed(h(scenario["client_seed"]))
    assert blake2b_256(server.public_key).hex() == scenario["target"]

    def responder() -> Handshake:
        return Handshake(
            "IK",
            False,
            server,
            ephemeral_seed=h(scenario["server_ephemeral_seed"]),
            prologue=namespaces.PEER_HANDSHAKE,
        )

    first, second = _noise(scenario, Mode.FROM_CLIENT), _noise(scenario, Mode.FROM_SERVER)
    theirs = responder()
    payload = theirs.read_untrusted(first)
    hello = decode_noise_payload_untrusted(payload)
    assert encode_noise_payload(hello) == payload
    assert hello.udx is not None
    assert hello.udx.id == scenario["clientUdxId"]

    ours = Handshake(
        "IK",
        True,
        client,
        ephemeral_seed=h(scenario["client_ephemeral_seed"]),
        remote_public_key=server.public_key,
        prologue=namespaces.PEER_HANDSHAKE,
    )
    assert ours.write(payload) == first
    answer_payload = ours.read_untrusted(second)
    answer = decode_noise_payload_untrusted(answer_payload)
    assert encode_noise_payload(answer) == answer_payload
    assert answer.udx is not None
    assert answer.udx.id == scenario["serverUdxId"]
    assert theirs.write(answer_payload) == second

    for vector in scenario["handshakes"]:
        result = ours.result if vector["isInitiator"] else theirs.result
        assert result.hash.hex() == vector["hash"]
        assert result.tx.hex() == vector["tx"]
        assert result.rx.hex() == vector["rx"]
        assert holepunch_secret(result.hash).hex() == vector["holepunchSecret"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s["name"])
def test_boxes(scenario: dict[str, Any]) -> None:
    secret = h(scenario["handshakes"][0]["holepunchSecret"])
    for annotated in _packets(scenario):
        value = decode_packet_untrusted(h(annotated["hex"])).value
        if "handshake" in annotated:
            assert value is not None
            box = decode_handshake_box_untrusted(value)
            assert encode_handshake_box(box) == value
            assert box.mode.name == annotated["handshake"]["mode"]
            assert _text(box.peer_address) == annotated["handshake"]["peerAddress"]
        elif "holepunch" in annotated:
            assert value is not None
            punch = decode_holepunch_box_untrusted(value)
            assert encode_holepunch_box(punch) == value
            assert punch.mode.name == annotated["holepunch"]["mode"]
            payload = open_holepunch_untrusted(punch.payload, secret)
            assert seal_holepunch(payload, secret, punch.payload[:NONCE_BYTES]) == punch.payload
            expected = annotated["holepunch"]["decrypted"]
            assert payload.firewall == expected["firewall"]
            assert payload.round == expected["round"]
            assert _text(payload.remote_address) == expected["remoteAddress"]
            addresses = payload.addresses
            assert (None if addresses is None else list(map(_text, addresses))) == expected[
                "addresses"
            ]


def test_kademlia() -> None:
    vector = DHT["kademlia"]
    table = RoutingTable(h(vector["self"]))
    for node in vector["nodes"]:
        address = Address("127.0.0.1", node["port"])
        assert node_id(address).hex() == node["id"]
        assert table.row_of(h(node["id"])) == node["bucket"]
        table.add(Node(h(node["id"]), address, 0, 0, 0, 0))
    for closest in vector["closest"]:
        found = table.closest(h(closest["target"]))
        assert [node.address.port for node in found] == closest["ports"]
