"""What a peer may make a muxer hold, and the arguments that our own side may not pass."""

from __future__ import annotations

import pytest

from protocol.encoding.compact import encode_buffer, encode_string, encode_uint
from protocol.errors import DecodeError, LocalProtocolError, MuxError
from protocol.limits import (
    BATCH_BYTES,
    CHANNEL_BACKLOG_ITEM_BYTES,
    MAX_BATCH_ITEMS,
    MAX_CHANNEL_BACKLOG_BYTES,
    MAX_CHANNEL_HANDSHAKE_BYTES,
    MAX_CHANNEL_ID_BYTES,
    MAX_CHANNELS,
    MAX_MESSAGE_BYTES,
    MAX_PENDING_OPENS,
    MAX_PROTOCOL_NAME_BYTES,
)
from protocol.mux.channel import Channel
from protocol.mux.events import ChannelMessage, ChannelOpened, ChannelRequested
from protocol.mux.muxer import MAX_PAYLOAD_BYTES, QUEUED_MESSAGE_BYTES, Muxer
from tests.connection_pair import ConnectionPair, mux_events


def opening(remote_id: int, name: str, channel_id: bytes = b"", handshake: bytes = b"") -> bytes:
    head = b"\x00\x01" + encode_uint(remote_id) + encode_string(name)
    return head + encode_buffer(channel_id) + handshake


def batch(channel: int, *items: bytes) -> bytes:
    """A batch whose items all belong to one channel."""
    return b"\x00\x00" + encode_uint(channel) + b"".join(map(encode_buffer, items))


def opened(mux: Muxer, name: str = "test") -> Channel:
    channel = mux.open(name)
    mux.receive_untrusted(opening(1, name))
    assert mux_events(mux) == [ChannelOpened(channel, b"")]
    mux.messages_to_send()
    return channel


# Held for the peer -------------------------------------------------------------------------------


def test_requests_over_the_limit_are_rejected() -> None:
    mux = Muxer()
    for n in range(1, MAX_PENDING_OPENS + 2):
        mux.receive_untrusted(opening(n, "test", b"%d" % n))
    requests = mux_events(mux)
    assert len(requests) == MAX_PENDING_OPENS
    last = encode_uint(MAX_PENDING_OPENS + 1)
    assert mux.messages_to_send() == [b"\x00\x02" + last]
    # With one answered there is room for one.
    first = requests[0]
    assert isinstance(first, ChannelRequested)
    mux.reject(first)
    mux.receive_untrusted(opening(MAX_PENDING_OPENS + 1, "test", b"last"))
    assert mux_events(mux) == [ChannelRequested("test", b"last")]


def test_withdrawing_makes_no_room_before_the_answer() -> None:
    """Or a peer that opens and closes could queue requests without end."""
    mux = Muxer()
    for n in range(3 * MAX_PENDING_OPENS):
        mux.receive_untrusted(opening(1, "test", b"%d" % n))
        mux.receive_untrusted(b"\x00\x03\x01")
    assert len(mux_events(mux)) == MAX_PENDING_OPENS


def test_channels_over_the_limit() -> None:
    mux = Muxer()
    for n in range(1, MAX_CHANNELS):
        mux.open("test", b"%d" % n)
    assert not mux.full
    mux.receive_untrusted(opening(1, "asked"))
    mux.receive_untrusted(opening(2, "one too many"))
    assert mux_events(mux) == [ChannelRequested("asked", None)]
    assert mux.messages_to_send()[-1].endswith(b"\x02\x02\x02")
    mux.open("asked")
    assert mux.full
    with pytest.raises(LocalProtocolError, match="4096 channels"):
        mux.open("test", b"one more")


def test_the_backlog_of_a_request() -> None:
    mux = Muxer()
    mux.receive_untrusted(opening(1, "test"))
    item = bytes(1024 - CHANNEL_BACKLOG_ITEM_BYTES)
    fitting = MAX_CHANNEL_BACKLOG_BYTES // 1024
    for _ in range(fitting):
        mux.receive_untrusted(b"\x01\x00" + item)
    with pytest.raises(MuxError, match="unopened"):
        mux.receive_untrusted(b"\x01\x00")


def test_messages_within_the_backlog_arrive() -> None:
    mux = Muxer()
    mux.receive_untrusted(opening(1, "test"))
    count = MAX_CHANNEL_BACKLOG_BYTES // CHANNEL_BACKLOG_ITEM_BYTES
    for _ in range(count):
        mux.receive_untrusted(b"\x01\x00")
    channel = mux.open("test")
    events = mux_events(mux)
    assert events[1:] == [ChannelMessage(channel, 0, b"")] * count


@pytest.mark.parametrize(
    "message",
    [
        opening(1, "x" * (MAX_PROTOCOL_NAME_BYTES + 1)),
        opening(1, "test", bytes(MAX_CHANNEL_ID_BYTES + 1)),
        opening(1, "test", b"", bytes(MAX_CHANNEL_HANDSHAKE_BYTES + 1)),
        b"\x00\x01\x01\x02\xff\xfe\x00",
        b"\x00\x01\x01\x04test",
        b"\x00\x02",
        b"\x00\x03",
        b"\x00",
        b"\x01",
        b"\xfd\x01",
        b"\x00\x00",
        batch(1, b"\x00data")[:-1],
        batch(1)[:-1],
        b"\x00\x00\x01\x00",
        b"\x00\x00\x01\x01\xfd",
        b"\xff" * 9 + b"\x00",
    ],
)
def test_messages_that_break_off_or_overstep(message: bytes) -> None:
    mux = Muxer()
    with pytest.raises(DecodeError):
        mux.receive_untrusted(message)
    with pytest.raises(MuxError, match="before"):
        mux.receive_untrusted(b"")


def test_the_longest_open() -> None:
    mux = Muxer()
    name = "x" * MAX_PROTOCOL_NAME_BYTES
    channel_id = bytes(MAX_CHANNEL_ID_BYTES)
    mux.receive_untrusted(opening(1, name, channel_id, bytes(MAX_CHANNEL_HANDSHAKE_BYTES)))
    assert mux_events(mux) == [ChannelRequested(name, channel_id)]
    channel = mux.open(name, channel_id, bytes(MAX_CHANNEL_HANDSHAKE_BYTES))
    assert mux_events(mux) == [ChannelOpened(channel, bytes(MAX_CHANNEL_HANDSHAKE_BYTES))]


# Batches -----------------------------------------------------------------------------------------


def test_a_batch_over_many_channels() -> None:
    mux = Muxer()
    first, second = mux.open("one"), mux.open("two")
    mux.receive_untrusted(
        # On channel 0: two opens. Then a message on 2 with a long kind, two on 1, back to control.
        b"\x00\x00\x00"
        + encode_buffer(opening(1, "one")[1:])
        + encode_buffer(opening(2, "two")[1:])
        + b"\x00\x02"
        + encode_buffer(b"\xfd\x2c\x01abc")
        + b"\x00\x01"
        + encode_buffer(b"\x07" + bytes(300))
        + encode_buffer(b"\x08")
        + b"\x00\x00"
        + encode_buffer(b"\x03\x02")
    )
    assert [event for event in mux_events(mux) if isinstance(event, ChannelMessage)] == [
        ChannelMessage(second, 300, b"abc"),
        ChannelMessage(first, 7, bytes(300)),
        ChannelMessage(first, 8, b""),
    ]
    assert first.is_open
    assert not second.is_open


def test_a_batch_of_nothing() -> None:
    mux = Muxer()
    mux.receive_untrusted(batch(1))
    mux.receive_untrusted(b"\x00\x00\x01\x00\x02\x00\x03")
    assert mux_events(mux) == []


def test_a_batch_inside_a_batch() -> None:
    with pytest.raises(MuxError, match="inside"):
        Muxer().receive_untrusted(batch(0, batch(0, b"\x09")[1:]))


def test_items_over_the_limit() -> None:
    mux = Muxer()
    channel = opened(mux)
    mux.receive_untrusted(batch(1, *[b"\x00"] * MAX_BATCH_ITEMS))
    assert mux_events(mux) == [ChannelMessage(channel, 0, b"")] * MAX_BATCH_ITEMS
    with pytest.raises(MuxError, match="items"):
        mux.receive_untrusted(batch(1, *[b"\x00"] * (MAX_BATCH_ITEMS + 1)))


def test_switches_count_as_items() -> None:
    mux = Muxer()
    with pytest.raises(MuxError, match="items"):
        mux.receive_untrusted(b"\x00\x00\x01" + b"\x00\x01" * (MAX_BATCH_ITEMS + 1))


def test_one_message_stays_plain() -> None:
    mux = Muxer()
    channel = opened(mux)
    mux.send(channel, 300, b"data")
    assert mux.messages_to_send() == [b"\x01\xfd\x2c\x01data"]
    assert mux.messages_to_send() == []


def test_neighbours_share_a_batch() -> None:
    mux = Muxer()
    channel = opened(mux)
    other = mux.open("other")
    mux.send(channel, 1, b"a")
    mux.send(channel, 2, b"bc")
    mux.send(other, 3, b"")
    assert mux.messages_to_send() == [
        b"\x00\x00\x00\x09\x01\x02\x05other\x00"
        + b"\x00\x01\x02\x01a\x03\x02bc"
        + b"\x00\x02\x01\x03"
    ]


def test_large_messages_stay_plain_and_in_order() -> None:
    pair = ConnectionPair()
    ours, theirs = pair.initiator.mux.open("test"), pair.responder.mux.open("test")
    pair.exchange()
    pair.initiator.take_events()
    pair.responder.take_events()
    pair.responder.received.clear()
    large = bytes(BATCH_BYTES)
    half = bytes(BATCH_BYTES // 2)
    payloads = [b"a", large, b"b", b"c", half, half, b"d"]
    for payload in payloads:
        pair.initiator.mux.send(ours, 0, payload)
    waiting = sum(map(len, payloads)) + len(payloads) * QUEUED_MESSAGE_BYTES
    assert pair.initiator.mux.unsent_bytes == waiting
    pair.exchange()
    assert pair.initiator.mux.unsent_bytes == 0
    assert pair.responder.take_events() == [ChannelMessage(theirs, 0, p) for p in payloads]
    plain = [message[:1] == b"\x01" for message in pair.responder.received]
    assert plain == [True, True, False, True]


def test_our_batches_keep_the_limit_on_items() -> None:
    pair = ConnectionPair()
    pair.initiator.mux.open("one"), pair.initiator.mux.open("two")
    channels = pair.initiator.mux.channels
    pair.responder.mux.open("one"), pair.responder.mux.open("two")
    pair.exchange()
    pair.responder.take_events()
    for n in range(MAX_BATCH_ITEMS):
        # A switch before every message.
        pair.initiator.mux.send(channels[n % 2], 0, b"")
    pair.exchange()
    assert len(pair.responder.take_events()) == MAX_BATCH_ITEMS


# Our own side ------------------------------------------------------------------------------------


def test_arguments_of_open() -> None:
    mux = Muxer()
    mux.open("test")
    with pytest.raises(LocalProtocolError, match="open already"):
        mux.open("test")
    with pytest.raises(LocalProtocolError, match="name"):
        mux.open("é" * (MAX_PROTOCOL_NAME_BYTES // 2 + 1))
    with pytest.raises(LocalProtocolError, match="id"):
        mux.open("test", bytes(MAX_CHANNEL_ID_BYTES + 1))
    with pytest.raises(LocalProtocolError, match="handshake"):
        mux.open("other", None, bytes(MAX_CHANNEL_HANDSHAKE_BYTES + 1))
    # None of these left a trace.
    assert len(mux.channels) == 1
    assert mux.open("other").local_id == 2


def test_the_largest_payload() -> None:
    mux = Muxer()
    channel = opened(mux)
    mux.send(channel, 0, bytes(MAX_PAYLOAD_BYTES))
    assert len(mux.messages_to_send()[0]) <= MAX_MESSAGE_BYTES
    with pytest.raises(LocalProtocolError, match="too long"):
        mux.send(channel, 0, bytes(MAX_PAYLOAD_BYTES + 1))
    with pytest.raises(LocalProtocolError, match="unsigned"):
        mux.send(channel, -1, b"")


def test_a_channel_says_what_it_is() -> None:
    mux = Muxer()
    assert repr(mux.open("test", b"\xab")) == "<Channel test ab opening ours=1 theirs=0>"
    assert repr(mux.open("test")) == "<Channel test opening ours=2 theirs=0>"
