"""No bytes from the network do anything worse than raise a ``RemoteProtocolError``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.dht.addresses import (
    Address,
    decode_address6_untrusted,
    decode_address_untrusted,
    encode_address,
    encode_address6,
)
from protocol.dht.handshake.handshake_box import (
    decode_handshake_box_untrusted,
    decode_holepunch_box_untrusted,
)
from protocol.dht.handshake.noise_payload import decode_noise_payload_untrusted
from protocol.dht.node import DhtNode
from protocol.dht.punching.holepunch_payload import (
    HolepunchPayload,
    decode_holepunch_payload_untrusted,
    encode_holepunch_payload,
    open_holepunch_untrusted,
)
from protocol.dht.records.encoding import (
    decode_announce_untrusted,
    decode_lookup_reply_untrusted,
    decode_mutable_put_untrusted,
    decode_mutable_untrusted,
    decode_peer_address_untrusted,
    read_peer_record_untrusted,
)
from protocol.dht.rpc.messages import (
    Request,
    Response,
    decode_packet_untrusted,
    encode_request,
    encode_response,
)
from protocol.dht.rpc.rpc import NodeConfig
from protocol.encoding.compact import Decoder
from protocol.errors import RemoteProtocolError
from tests.vectors.load import load_vectors

DECODERS: list[Callable[[bytes], Any]] = [
    decode_packet_untrusted,
    decode_announce_untrusted,
    decode_lookup_reply_untrusted,
    decode_mutable_untrusted,
    decode_mutable_put_untrusted,
    decode_peer_address_untrusted,
    decode_handshake_box_untrusted,
    decode_holepunch_box_untrusted,
    decode_holepunch_payload_untrusted,
    decode_noise_payload_untrusted,
    lambda data: read_peer_record_untrusted(Decoder(data)),
    lambda data: decode_address_untrusted(Decoder(data)),
    lambda data: decode_address6_untrusted(Decoder(data)),
    lambda data: open_holepunch_untrusted(data, bytes(32)),
]


def _samples(value: Any) -> Iterator[bytes]:
    """Every hexadecimal text among the vectors: good beginnings for bad bytes."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _samples(item)
    elif isinstance(value, str):
        with suppress(ValueError):
            yield bytes.fromhex(value)


VECTORS = load_vectors("hyperdht")
SAMPLES = sorted(set(_samples({k: v for k, v in VECTORS.items() if k != "udx_capture"})))
assert len(SAMPLES) > 100


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Recorded bytes with a few changed, cut off or repeated."""
    data = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(0, 4))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) + draw(st.binary(max_size=8))


hostile = st.one_of(st.binary(max_size=200), mutated())
hosts = st.ip_addresses(v=4).map(str)
addresses = st.builds(Address, hosts, st.integers(0, 0xFFFF))
ids = st.binary(min_size=32, max_size=32)
some_id = st.none() | ids
values = st.none() | st.binary(max_size=300)
tids = st.integers(0, 0xFFFF)


@pytest.mark.parametrize("decode", DECODERS)
@given(data=hostile)
@settings(max_examples=150)
def test_decoders(decode: Callable[[bytes], Any], data: bytes) -> None:
    with suppress(RemoteProtocolError):
        decode(data)


@given(
    st.builds(
        Request,
        tids,
        addresses,
        st.booleans(),
        st.integers(0, 1000),
        some_id,
        some_id,
        some_id,
        values,
    )
)
def test_requests(request: Request) -> None:
    assert decode_packet_untrusted(encode_request(request)) == request


@given(
    st.builds(
        Response,
        tids,
        addresses,
        some_id,
        some_id,
        st.lists(addresses, max_size=20).map(tuple),
        st.integers(0, 1000),
        values,
    )
)
def test_responses(response: Response) -> None:
    assert decode_packet_untrusted(encode_response(response)) == response


@given(addresses, st.ip_addresses(v=6).map(str), st.integers(0, 0xFFFF))
def test_addresses(address: Address, host6: str, port6: int) -> None:
    assert decode_address_untrusted(Decoder(encode_address(address))) == address
    address6 = Address(host6, port6)
    decoded = decode_address6_untrusted(Decoder(encode_address6(address6)))
    assert encode_address6(decoded) == encode_address6(address6)


@given(
    st.builds(
        HolepunchPayload,
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 300),
        st.booleans(),
        st.booleans(),
        st.none() | st.lists(addresses, max_size=8).map(tuple),
        st.none() | addresses,
        some_id,
        some_id,
    )
)
def test_holepunch_payloads(payload: HolepunchPayload) -> None:
    assert decode_holepunch_payload_untrusted(encode_holepunch_payload(payload)) == payload


RANDOM = Random(1)


@given(
    st.lists(
        st.tuples(
            st.one_of(
                hostile,
                st.builds(
                    lambda tid, internal, command, target, value: encode_request(
                        Request(
                            tid,
                            Address("10.0.0.1", 1),
                            internal,
                            command,
                            target=target,
                            value=value,
                        )
                    ),
                    tids,
                    st.booleans(),
                    st.integers(0, 12),
                    some_id,
                    st.none() | hostile,
                ),
            ),
            addresses,
        ),
        max_size=20,
    )
)
@settings(max_examples=100)
def test_node_takes_anything(datagrams: list[tuple[bytes, Address]]) -> None:
    """A whole node, with senders that were seen to receive, so that nothing is held back."""
    own = Address("10.0.0.1", 49737)
    node = DhtNode(NodeConfig(address=own), RANDOM.randbytes, 0.0)
    node.start(0.0)
    for data, source in datagrams:
        node._rpc.return_paths.prove(source.host, 0.0)
        node.receive_datagram_untrusted(data, source, 0.0)
    node.handle_timer(node.next_timer())
    node.datagrams_to_send(node.next_timer())
