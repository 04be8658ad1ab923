"""Every encoding of the DHT, byte for byte against npm ``dht-rpc`` and ``hyperdht``."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import KeyPair
from protocol.dht import namespaces
from protocol.dht.addresses import (
    Address,
    decode_address6_untrusted,
    decode_address_untrusted,
    encode_address,
    encode_address6,
    node_id,
)
from protocol.dht.handshake.handshake_box import (
    HandshakeBox,
    HolepunchBox,
    Mode,
    decode_handshake_box_untrusted,
    decode_holepunch_box_untrusted,
    encode_handshake_box,
    encode_holepunch_box,
)
from protocol.dht.handshake.noise_payload import (
    HolepunchInfo,
    NoisePayload,
    RelayRoute,
    RelayThrough,
    UdxInfo,
    decode_noise_payload_untrusted,
    encode_noise_payload,
)
from protocol.dht.punching.holepunch_payload import (
    HolepunchPayload,
    decode_holepunch_payload_untrusted,
    encode_holepunch_payload,
    holepunch_secret,
    open_holepunch_untrusted,
    seal_holepunch,
)
from protocol.dht.records.encoding import (
    Announce,
    LookupReply,
    PeerAddress,
    PeerRecord,
    announce_signable,
    decode_announce_untrusted,
    decode_lookup_reply_untrusted,
    decode_mutable_put_untrusted,
    decode_mutable_untrusted,
    decode_peer_address_untrusted,
    encode_announce,
    encode_lookup_reply,
    encode_mutable,
    encode_mutable_put,
    encode_peer_address,
    encode_peer_record,
    mutable_signable,
    read_peer_record_untrusted,
    sign_announce,
    sign_mutable,
    verify_announce_untrusted,
)
from protocol.dht.rpc.messages import (
    Request,
    Response,
    decode_packet_untrusted,
    encode_request,
    encode_response,
)
from protocol.dht.rpc.nat_sampler import NatSampler
from protocol.dht.rpc.tokens import Tokens, make_token
from protocol.encoding.compact import Decoder, encode_buffer, encode_uint
from protocol.noise.handshake import Handshake

from .load import load_vectors

DHT = load_vectors("hyperdht")

h = bytes.fromhex


def _address(vector: dict[str, Any] | None) -> Address | None:
    return None if vector is None else Address(vector["host"], vector["port"])


def _addresses(vectors: list[dict[str, Any]] | None) -> tuple[Address, ...]:
    return tuple(Address(vector["host"], vector["port"]) for vector in vectors or ())


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else h(text)


def test_compact() -> None:
    compact = DHT["compact"]
    for vector in compact["uint"]:
        assert encode_uint(int(vector["n"])).hex() == vector["hex"]
    ipv4, ipv6 = compact["ipv4"], compact["ipv6"]
    assert encode_address(Address(ipv4["host"], ipv4["port"])).hex() == ipv4["hex"]
    assert decode_address_untrusted(Decoder(h(ipv4["hex"]))) == (ipv4["host"], ipv4["port"])
    assert encode_address6(Address(ipv6["host"], ipv6["port"])).hex() == ipv6["hex"]
    assert decode_address6_untrusted(Decoder(h(ipv6["hex"]))) == (ipv6["host"], ipv6["port"])
    assert encode_buffer(h(compact["buffer"]["in"])).hex() == compact["buffer"]["hex"]


def test_namespaces() -> None:
    for name, expected in DHT["namespaces"]["hyperswarm/dht"].items():
        assert getattr(namespaces, name).hex() == expected


@pytest.mark.parametrize("vector", DHT["node_ids"])
def test_node_ids(vector: dict[str, Any]) -> None:
    address = Address(vector["host"], vector["port"])
    assert encode_address(address).hex() == vector["preimage"]
    assert node_id(address).hex() == vector["id"]


def test_token() -> None:
    vector = DHT["token"]
    secret = h(vector["secret"])
    assert make_token(secret, vector["host"]).hex() == vector["token"]
    rotated = blake2b_256(secret).hex()
    assert rotated == vector["rotated_secret"]
    tokens = Tokens(secret + bytes(32), 0.0)
    assert tokens.issue(vector["host"], None, 7.5) == make_token(h(rotated), vector["host"])


@pytest.mark.parametrize("vector", DHT["rpc"]["requests"], ids=lambda v: v["name"])
def test_requests(vector: dict[str, Any]) -> None:
    request = Request(
        tid=vector["tid"],
        to=Address(**vector["to"]),
        internal=vector["internal"],
        command=vector["command"],
        id=_bytes(vector["id"]),
        token=_bytes(vector["token"]),
        target=_bytes(vector["target"]),
        value=_bytes(vector["value"]),
    )
    assert encode_request(request).hex() == vector["hex"]
    assert decode_packet_untrusted(h(vector["hex"])) == request


@pytest.mark.parametrize("vector", DHT["rpc"]["responses"], ids=lambda v: v["name"])
def test_responses(vector: dict[str, Any]) -> None:
    response = Response(
        tid=vector["tid"],
        to=Address(**vector["to"]),
        id=_bytes(vector["id"]),
        token=_bytes(vector["token"]),
        closer_nodes=_addresses(vector["closer"]),
        error=vector["error"],
        value=_bytes(vector["value"]),
    )
    assert encode_response(response).hex() == vector["hex"]
    assert decode_packet_untrusted(h(vector["hex"])) == response
    for node in vector["closer"]:
        assert node_id(Address(node["host"], node["port"])).hex() == node["id"]


@pytest.mark.parametrize("vector", DHT["keypairs"])
def test_key_pairs(vector: dict[str, str]) -> None:
    key_pair = KeyPair.from_seed(h(vector["seed"]))
    assert key_pair.public_key.hex() == vector["publicKey"]
    assert key_pair.secret_key.hex() == vector["secretKey"]
    assert blake2b_256(key_pair.public_key).hex() == vector["hash"]


KEY_PAIR = KeyPair.from_seed(b"\x01" * 32)


@pytest.mark.parametrize("vector", DHT["announce"], ids=lambda v: v["name"])
def test_announce(vector: dict[str, Any]) -> None:
    announce = decode_announce_untrusted(h(vector["value"]))
    assert encode_announce(announce).hex() == vector["value"]
    if announce.peer is None:
        assert announce.signature is None
        return
    assert encode_peer_record(announce.peer).hex() == vector["peer_encoding"]
    assert announce.bump == vector["bump"]
    assert announce.refresh == _bytes(vector["refresh"])
    namespace, target = h(vector["namespace"]), h(vector["target"])
    node, token = h(vector["node_id"]), h(vector["token"])
    signable = announce_signable(namespace, target, node, token, announce)
    assert signable.hex() == vector["signable"]
    unsigned = Announce(announce.peer, announce.refresh, None, announce.bump)
    signed = sign_announce(namespace, target, node, token, unsigned, KEY_PAIR)
    assert signed == announce
    assert verify_announce_untrusted(namespace, target, node, token, announce)
    assert not verify_announce_untrusted(namespace, target, bytes(32), token, announce)
    assert not verify_announce_untrusted(namespace, target, node, bytes(32), announce)


def test_mutable() -> None:
    vector = DHT["mutable"]
    signed = sign_mutable(vector["seq"], h(vector["value"]), KEY_PAIR)
    assert mutable_signable(signed.seq, signed.value).hex() == vector["signable"]
    assert signed.signature.hex() == vector["signature"]
    assert encode_mutable(signed).hex() == vector["get_response_value"]
    assert decode_mutable_untrusted(h(vector["get_response_value"])) == signed
    public_key = h(vector["publicKey"])
    assert encode_mutable_put(public_key, signed).hex() == vector["put_value"]
    assert decode_mutable_put_untrusted(h(vector["put_value"])) == (public_key, signed)
    assert blake2b_256(public_key).hex() == vector["target"]
    assert signed.verify(public_key)
    assert not signed.verify(bytes(32))


def test_immutable() -> None:
    vector = DHT["immutable"]
    assert blake2b_256(h(vector["value"])).hex() == vector["target"]


def test_records() -> None:
    vector = DHT["records"]
    two = read_peer_record_untrusted(Decoder(h(vector["peer_two_relays"])))
    assert encode_peer_record(two).hex() == vector["peer_two_relays"]
    assert len(two.relay_addresses) == 2
    none = PeerRecord(h(vector["peer_no_relays"])[:32])
    assert encode_peer_record(none).hex() == vector["peer_no_relays"]
    for name, records in (("lookup_reply_bump0", (two, none)), ("lookup_reply_bump", (two,))):
        value = h(vector[name])
        decoded, bump = decode_lookup_reply_untrusted(value)
        assert decoded == records
        again = LookupReply(tuple(encode_peer_record(record) for record in records), bump)
        assert encode_lookup_reply(again) == value
    without_bump = h(vector["lookup_reply_bump0"])[:-1]
    assert decode_lookup_reply_untrusted(without_bump) == ((two, none), 0)


def test_nat_sampler() -> None:
    sampler = NatSampler()
    for vector in DHT["nat_sampler"]:
        assert sampler.add(Address(*vector["add"])) == vector["ret"]
        assert len(sampler) == vector["size"]
        assert sampler.threshold == vector["threshold"]
        assert (sampler.host, sampler.port) == (vector["host"], vector["port"])


@pytest.mark.parametrize("vector", DHT["peer_handshake"])
def test_peer_handshake(vector: dict[str, Any]) -> None:
    peer, relay = _address(vector["peerAddress"]), _address(vector["relayAddress"])
    box = HandshakeBox(Mode(vector["mode"]), h(vector["noise"]), peer, relay)
    assert encode_handshake_box(box).hex() == vector["value"]
    assert decode_handshake_box_untrusted(h(vector["value"])) == box


@pytest.mark.parametrize("vector", DHT["peer_holepunch"])
def test_peer_holepunch(vector: dict[str, Any]) -> None:
    peer = _address(vector["peerAddress"])
    box = HolepunchBox(Mode(vector["mode"]), vector["id"], h(vector["payload"]), peer)
    assert encode_holepunch_box(box).hex() == vector["value"]
    assert decode_holepunch_box_untrusted(h(vector["value"])) == box


@pytest.mark.parametrize("vector", DHT["holepunch_payload"])
def test_holepunch_payload(vector: dict[str, Any]) -> None:
    fields = vector["json"]
    payload = HolepunchPayload(
        error=fields["error"],
        firewall=fields["firewall"],
        round=fields["round"],
        connected=fields["connected"],
        punching=fields["punching"],
        addresses=None if fields["addresses"] is None else _addresses(fields["addresses"]),
        remote_address=_address(fields["remoteAddress"]),
        token=_bytes(fields["token"]),
        remote_token=_bytes(fields["remoteToken"]),
    )
    assert encode_holepunch_payload(payload).hex() == vector["hex"]
    assert decode_holepunch_payload_untrusted(h(vector["hex"])) == payload


def _noise_payload(fields: dict[str, Any]) -> NoisePayload:
    holepunch, udx, through = fields["holepunch"], fields["udx"], fields["relayThrough"]
    return NoisePayload(
        error=fields["error"],
        firewall=fields["firewall"],
        holepunch=None
        if holepunch is None
        else HolepunchInfo(
            holepunch["id"],
            tuple(
                RelayRoute(Address(**relay["relayAddress"]), Address(**relay["peerAddress"]))
                for relay in holepunch["relays"]
            ),
        ),
        addresses4=_addresses(fields["addresses4"]),
        udx=UdxInfo(udx["id"], udx["reusableSocket"], udx["seq"]),
        relay_through=None
        if through is None
        else RelayThrough(h(through["publicKey"]), h(through["token"])),
        relay_addresses=_addresses(fields.get("relayAddresses")),
    )


@pytest.mark.parametrize("vector", DHT["noise_payloads"], ids=lambda v: v["name"])
def test_noise_payloads(vector: dict[str, Any]) -> None:
    payload = _noise_payload(vector["fields"])
    assert encode_noise_payload(payload).hex() == vector["hex"]
    assert decode_noise_payload_untrusted(h(vector["hex"])) == payload


def test_noise_ik() -> None:
    vector = DHT["noise_ik"]
    server = KeyPair.from_seed(h(vector["responder_static_seed"]))
    assert namespaces.PEER_HANDSHAKE.hex() == vector["prologue"]
    initiator = Handshake(
        "IK",
        True,
        KeyPair.from_seed(h(vector["initiator_static_seed"])),
        ephemeral_seed=h(vector["initiator_ephemeral_seed"]),
        remote_public_key=server.public_key,
        prologue=namespaces.PEER_HANDSHAKE,
    )
    responder = Handshake(
        "IK",
        False,
        server,
        ephemeral_seed=h(vector["responder_ephemeral_seed"]),
        prologue=namespaces.PEER_HANDSHAKE,
    )
    assert initiator.write(h(vector["payload1"])).hex() == vector["message1"]
    assert responder.read_untrusted(h(vector["message1"])).hex() == vector["payload1"]
    assert responder.write(h(vector["payload2"])).hex() == vector["message2"]
    assert initiator.read_untrusted(h(vector["message2"])).hex() == vector["payload2"]
    assert initiator.result.hash.hex() == vector["handshake_hash"]
    secret = holepunch_secret(initiator.result.hash)
    assert secret.hex() == vector["holepunch_secret"]

    sealed = vector["secure_holepunch"]
    plain = decode_holepunch_payload_untrusted(h(sealed["plain"]))
    packet = seal_holepunch(plain, secret, h(sealed["nonce"]))
    assert packet.hex() == sealed["packet_payload"]
    assert open_holepunch_untrusted(packet, secret) == plain


def test_peer_address() -> None:
    vector = DHT["hyperdht_address"]
    for name in ("plain", "with_nodes"):
        address = decode_peer_address_untrusted(h(vector[name]))
        assert encode_peer_address(address).hex() == vector[name]
    assert len(address.nodes) == 2
    bare = h(vector["plain"])[:32]
    assert decode_peer_address_untrusted(bare) == PeerAddress(bare)
