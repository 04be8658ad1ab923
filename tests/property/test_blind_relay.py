"""The blind-relay channel: its messages, and what hostile relays may send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import DecodeError, RemoteProtocolError
from protocol.mux.blind_relay import (
    PROTOCOL,
    TOKEN_BYTES,
    Pair,
    RelayPairing,
    decode_pair_untrusted,
    encode_pair,
)
from protocol.mux.events import ChannelMessage, ChannelRequested
from protocol.mux.muxer import Muxer

KEY = bytes(range(32))
PAIRS = st.builds(
    Pair,
    st.booleans(),
    st.binary(min_size=TOKEN_BYTES, max_size=TOKEN_BYTES),
    st.integers(0, 2**32 - 1),
)


@given(PAIRS)
def test_a_pair_comes_back(pair: Pair) -> None:
    assert decode_pair_untrusted(encode_pair(pair)) == pair


@given(st.binary(max_size=80))
def test_the_decoder_lets_nothing_else_out(data: bytes) -> None:
    try:
        pair = decode_pair_untrusted(data)
    except DecodeError:
        return
    assert len(pair.token) == TOKEN_BYTES
    assert 0 <= pair.stream_id < 2**32


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_a_hostile_relay_is_found_out_or_ignored(messages: list[bytes]) -> None:
    pairing = RelayPairing(KEY, Pair(True, bytes(32), 7))
    for message in messages:
        try:
            pairing.receive_untrusted(message)
        except RemoteProtocolError:
            return


def _relay(pairing: RelayPairing) -> tuple[Muxer, ChannelMessage]:
    """The other side, with the pair it got."""
    relay = Muxer()
    for message in pairing.messages_to_send():
        relay.receive_untrusted(message)
    asked = relay.next_event()
    assert asked == ChannelRequested(PROTOCOL, KEY)
    relay.open(PROTOCOL, KEY)
    while (event := relay.next_event()) is not None:
        if isinstance(event, ChannelMessage):
            return relay, event
    raise AssertionError("no pair came")


@pytest.mark.parametrize("is_initiator", [True, False])
def test_only_the_answer_to_our_own_pair_counts(is_initiator: bool) -> None:
    pair = Pair(is_initiator, b"\x05" * 32, 7)
    pairing = RelayPairing(KEY, pair)
    relay, wanted = _relay(pairing)
    assert decode_pair_untrusted(wanted.payload) == pair
    for other in (Pair(is_initiator, bytes(32), 8), Pair(not is_initiator, pair.token, 8)):
        relay.send(wanted.channel, 0, encode_pair(other))
    for message in relay.messages_to_send():
        pairing.receive_untrusted(message)
    assert pairing.relay_stream_id is None
    relay.send(wanted.channel, 0, encode_pair(Pair(is_initiator, pair.token, 9)))
    for message in relay.messages_to_send():
        pairing.receive_untrusted(message)
    assert pairing.relay_stream_id == 9
    assert not pairing.refused
    relay.close(wanted.channel)
    for message in relay.messages_to_send():
        pairing.receive_untrusted(message)
    assert pairing.refused
